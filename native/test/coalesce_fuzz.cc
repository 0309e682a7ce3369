// Fuzzes coalescing. Input: an options byte, then packets, each behind its length (2 bytes). The length's highest bit
// says that the packet's checksums are made right first: a fuzzer does not guess them.
#include "fuzz_driver.h"
#include "planned_writes.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int kPackets = 64;
constexpr int kArenaBytes = 1 << 18;

constexpr size_t kMendBit = 0x8000;

void AppendPacket(Bytes& input, const Bytes& packet, bool mend) {
  Append16(input, uint32_t(packet.size() | (mend ? kMendBit : 0)));
  AppendAll(input, packet);
}

// Makes the checksums right, where the packet has them.
void Mend(Bytes& packet) {
  if (packet.size() < 40) return;
  const bool version6 = packet[0] >> 4 == 6;
  const bool tcp = packet[version6 ? 6 : 9] == 6;
  const size_t at = version6 ? 40 : 20;
  if (!version6) {
    if (packet[0] >> 4 != 4 || size_t(packet[0] & 15) * 4 > packet.size()) return;
    CompleteIp4Checksum(packet);
  }
  if (packet.size() >= at + 20) CompleteChecksum(packet, at, tcp);
}

}  // namespace

Bytes tuntap::test::MakeInput(Random& random) {
  Bytes input = {uint8_t(OneIn(random, 4) ? random() : 3)};
  std::vector<PacketSpec> flows;
  for (size_t i = 1 + Below(random, 3); i > 0; i--) flows.push_back(RandomFlow(random));
  const size_t segmentBytes = 1 + Below(random, 400);
  for (size_t i = 2 + Below(random, 30); i > 0; i--) {
    PacketSpec& spec = flows[Below(random, flows.size())];
    spec.payload = RandomBytes(random, OneIn(random, 10) ? Below(random, segmentBytes + 1) : segmentBytes);
    Bytes packet = Build(spec);
    spec.sequence += uint32_t(spec.payload.size());
    spec.id++;
    if (OneIn(random, 4)) Mutate(random, packet);
    AppendPacket(input, packet, OneIn(random, 2));
  }
  if (OneIn(random, 4)) Mutate(random, input);
  return input;
}

void tuntap::test::CheckInput(const uint8_t* data, size_t size) {
  if (size < 1) return;
  const CoalesceOptions options{(data[0] & 1) != 0, (data[0] & 2) != 0};
  BatchMemory m(kPackets, 1, kArenaBytes);
  m.BeginRun();
  for (size_t at = 1; at + 2 < size && m.batch.header[kCellPacketCount] < kPackets;) {
    const size_t word = size_t(data[at]) << 8 | data[at + 1];
    const size_t length = std::min<size_t>(word & ~kMendBit, size - at - 2);
    at += 2;
    if (length == 0 || m.batch.header[kCellArenaUsed] + 16 + int(length) > kArenaBytes) break;
    Bytes packet(data + at, data + at + length);
    if ((word & kMendBit) != 0) Mend(packet);
    m.Add(packet);
    at += length;
  }
  const std::vector<PlannedWrite> writes = PlanWrites(m, options);
  ExpectOrder(m, writes);
  for (const PlannedWrite& write : writes) {
    const std::string wrong = WhyWrong(m, write);
    if (!EXPECT(wrong == "")) std::fprintf(stderr, "  %s\n", wrong.c_str());
  }
}
