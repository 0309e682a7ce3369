// Fuzzes splitting and merging together. Input: a flow's fields, its options, the segment size and the payload's length. A
// super-packet as a kernel makes it must come out as it went in, byte for byte; one that longhaul would never merge
// must come out as the packets that it was split into.
#include "fuzz_driver.h"
#include "planned_writes.h"
#include "segment.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int kSlots = kMaxTcpMerge;

PacketSpec ReadSpec(InputReader& in) {
  PacketSpec spec;
  const uint8_t kind = in.U8();
  spec.version6 = (kind & 1) != 0;
  spec.tcp = (kind & 2) != 0;
  spec.fragment = (kind & 4) != 0 ? 0x4000 : 0;
  for (uint8_t* address : {spec.source, spec.destination}) {
    const Bytes bytes = in.Take(4);
    std::copy(bytes.begin(), bytes.end(), address);
  }
  spec.sourcePort = in.U16();
  spec.destinationPort = in.U16();
  spec.tos = in.U8();
  spec.ttl = in.U8();
  spec.flowLabel = in.U16();
  spec.id = in.U16();
  spec.sequence = in.U32();
  spec.acknowledgement = in.U32();
  spec.flags = in.U8();
  spec.reserved = (kind & 8) != 0 ? in.U8() & 15 : 0;
  spec.window = in.U16();
  spec.urgent = (kind & 16) != 0 ? in.U16() : 0;
  spec.tcpOptions = Bytes(in.Below(11) * 4);
  for (uint8_t& byte : spec.tcpOptions) byte = in.U8();
  return spec;
}

// What Coalescer merges at all, so that the kernel's super-packet must come back whole.
bool ComesBackWhole(const PacketSpec& spec) {
  return !spec.tcp || ((spec.flags & ~(kPsh | kEce)) == kAck && spec.reserved == 0);
}

}  // namespace

Bytes tuntap::test::MakeInput(Random& random) {
  Bytes input = RandomBytes(random, 24 + Below(random, 60));
  input[0] = uint8_t(OneIn(random, 4) ? random() : random() & 7);
  if (input.size() > 27 && !OneIn(random, 4)) input[27] = uint8_t(kAck | (OneIn(random, 2) ? kPsh : 0));
  return input;
}

void tuntap::test::CheckInput(const uint8_t* data, size_t size) {
  InputReader in(data, size);
  PacketSpec spec = ReadSpec(in);
  const size_t gsoSize = 1 + (in.Flag() ? in.Below(64) : in.Below(9000));
  const size_t most = spec.tcp ? kMaxTcpMerge : kMaxUdpMerge;
  const size_t room = std::min<size_t>(gsoSize * most, 65535 - HeaderBytes(spec));
  if (room <= gsoSize) return;
  spec.payload = Pattern(gsoSize + 1 + in.Below(room - gsoSize), in.U16());
  const SuperPacketBytes super = BuildSuper(spec, uint16_t(gsoSize));

  const int arenaBytes = int(super.packet.size() + kSlots * (HeaderBytes(spec) + 64));
  BatchMemory split(kSlots, 1, arenaBytes);
  const int count = SegmentSuperPacket(super.header, super.packet.data(), super.packet.size(), split.batch);
  if (!EXPECT(count > 1)) return;
  BatchMemory m(count, 1, arenaBytes);
  m.BeginRun();
  for (int slot = 0; slot < count; slot++) m.Add(split.Packet(slot));
  const std::vector<PlannedWrite> writes = PlanWrites(m, {true, true});
  ExpectOrder(m, writes);
  if (ComesBackWhole(spec)) {
    if (!EXPECT(writes.size() == 1)) return;
    EXPECT(writes[0].packet == super.packet);
    EXPECT(memcmp(&writes[0].header, &super.header, sizeof super.header) == 0);
  }
  for (const PlannedWrite& write : writes) EXPECT(WhyWrong(m, write) == "");
}
