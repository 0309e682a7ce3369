// Splitting and merging are each other's inverse, for random flows, options and sizes; and whatever stream comes, every
// write is one that a kernel accepts, every packet is in one write, and no flow's packets change places.
#include <string>

#include "expect.h"
#include "planned_writes.h"
#include "segment.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr CoalesceOptions kBoth{true, true};

std::vector<Bytes> Split(const VirtioNetHeader& header, const Bytes& packet) {
  BatchMemory m(1024, 1, 1 << 18);
  std::vector<Bytes> out;
  if (!EXPECT(SegmentSuperPacket(header, packet.data(), packet.size(), m.batch) > 0)) return out;
  for (int slot = 0; slot < m.batch.header[kCellPacketCount]; slot++) out.push_back(m.Packet(slot));
  return out;
}

// A super-packet as a kernel makes it comes out of split and merge as it went in, byte for byte.
void TestIdentity(Random& random) {
  for (int round = 0; round < 2000; round++) {
    PacketSpec spec = RandomFlow(random);
    spec.flags = uint8_t(kAck | (OneIn(random, 2) ? kPsh : 0));
    const size_t most = spec.tcp ? 128 : 64;
    const size_t gsoSize = OneIn(random, 3) ? 1 + Below(random, 40) : 1 + Below(random, 9000);
    const size_t room = std::min<size_t>(gsoSize * most, 65535 - HeaderBytes(spec));
    if (room <= gsoSize) continue;
    spec.payload = RandomBytes(random, gsoSize + 1 + Below(random, room - gsoSize));
    const SuperPacketBytes super = BuildSuper(spec, uint16_t(gsoSize));
    EXPECT(WhyRefused(super.header, super.packet) == "");

    const std::vector<Bytes> packets = Split(super.header, super.packet);
    BatchMemory m(int(packets.size()), 1, 1 << 18);
    m.BeginRun();
    for (const Bytes& packet : packets) m.Add(packet);
    const std::vector<PlannedWrite> writes = PlanWrites(m, kBoth);
    if (!EXPECT(writes.size() == 1)) continue;
    EXPECT(writes[0].packet == super.packet);
    EXPECT(memcmp(&writes[0].header, &super.header, sizeof super.header) == 0);
  }
}

// One flow's stream: mostly full segments in sequence, with everything that can happen to one.
struct Stream {
  PacketSpec spec;
  size_t segmentBytes;
};

Bytes NextPacket(Random& random, Stream& stream) {
  PacketSpec spec = stream.spec;
  spec.payload = RandomBytes(random, OneIn(random, 12) ? Below(random, stream.segmentBytes + 20) : stream.segmentBytes);
  stream.spec.sequence += uint32_t(spec.payload.size());
  stream.spec.id++;
  const auto flip = [&](auto& field) { field = decltype(+field + 0)(field ^ (1u << Below(random, 4))); };
  switch (Below(random, 100)) {
    case 0: flip(spec.flags); break;
    case 1: flip(spec.tos); break;
    case 2: flip(spec.ttl); break;
    case 3: flip(spec.window); break;
    case 4: flip(spec.acknowledgement); break;
    case 5: flip(spec.sequence); break;
    case 6: flip(spec.id); break;
    case 7: spec.fragment ^= 0x4000; break;
    case 8: spec.fragment = uint16_t(random()); break;
    case 9: spec.tcpOptions = RandomBytes(random, Below(random, 11) * 4); break;
    case 10: spec.ipOptions = Bytes(8, 1), spec.firstExtension = 60; break;
    case 11: spec.noUdpChecksum = true; break;
    case 12: flip(spec.flowLabel); break;
    case 13: stream.spec.window++; break;
    case 14: stream.segmentBytes = 1 + Below(random, 1400); break;
    case 15: spec.flags |= kPsh; break;
    default: break;
  }
  Bytes packet = Build(spec);
  if (OneIn(random, 40)) packet[Below(random, packet.size())] ^= uint8_t(1 << Below(random, 8));
  if (OneIn(random, 200)) packet.resize(1 + Below(random, packet.size()));
  return packet;
}

void TestStreams(Random& random) {
  size_t merged = 0;
  size_t total = 0;
  for (int round = 0; round < 400; round++) {
    std::vector<Stream> streams;
    const size_t flows = 1 + Below(random, OneIn(random, 10) ? 100 : 8);
    for (size_t i = 0; i < flows; i++) {
      Stream stream{RandomFlow(random), 1 + Below(random, 1400)};
      if (i != 0 && OneIn(random, 3)) {  // another flow of the same hosts
        const uint16_t port = stream.spec.sourcePort;
        stream.spec = streams[0].spec;
        stream.spec.sourcePort = port;
      }
      streams.push_back(stream);
    }
    BatchMemory m(256, 256, 1 << 19);
    const size_t count = 1 + Below(random, 256);
    size_t flow = 0;
    for (size_t i = 0; i < count; i++) {
      if (i == 0 || OneIn(random, 10)) m.BeginRun();
      if (OneIn(random, 4)) flow = Below(random, flows);
      m.Add(NextPacket(random, streams[flow]));
    }
    const std::vector<PlannedWrite> writes = PlanWrites(m, {!OneIn(random, 8), !OneIn(random, 8)});
    ExpectOrder(m, writes);
    for (const PlannedWrite& write : writes) {
      EXPECT(WhyWrong(m, write) == "");
      if (write.slots.size() < 2) continue;
      merged += write.slots.size();
      const std::vector<Bytes> again = Split(write.header, write.packet);
      EXPECT(again == ReferenceSegment(write.header, write.packet));
    }
    total += count;
  }
  EXPECT(merged * 4 > total);  // else this test shows little
}

}  // namespace

int main() {
  Random random(ChooseSeed());
  TestIdentity(random);
  TestStreams(random);
  return TestResult();
}
