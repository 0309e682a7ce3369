// Fuzzes coalescing. Input: an options byte, then packets, each behind its length (2 bytes).
#include "fuzz_driver.h"
#include "planned_writes.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int kPackets = 64;
constexpr int kArenaBytes = 1 << 18;

void AppendPacket(Bytes& input, const Bytes& packet) {
  Append16(input, uint32_t(packet.size()));
  AppendAll(input, packet);
}

// Makes the checksums right again after a mutation, where the packet still has them.
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
    if (OneIn(random, 2)) Mend(packet);
    AppendPacket(input, packet);
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
    const size_t length = std::min<size_t>(size_t(data[at]) << 8 | data[at + 1], size - at - 2);
    at += 2;
    if (length == 0 || m.batch.header[kCellArenaUsed] + 16 + int(length) > kArenaBytes) break;
    m.Add(Bytes(data + at, data + at + length));
    at += length;
  }
  const std::vector<PlannedWrite> writes = PlanWrites(m, options);
  ExpectOrder(m, writes);
  for (const PlannedWrite& write : writes) {
    const std::string wrong = WhyWrong(m, write);
    if (!EXPECT(wrong == "")) std::fprintf(stderr, "  %s\n", wrong.c_str());
  }
}
