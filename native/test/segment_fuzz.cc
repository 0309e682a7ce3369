// Fuzzes segmentation. Input: slots, arena size, pad limit (2 bytes each), the virtio header, the packet.
#include "segment.h"

#include "batch_memory.h"
#include "fuzz_driver.h"
#include "gso_reference.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr size_t kPrefixBytes = 6;

Bytes ToInput(uint16_t slots, uint16_t arena64, uint16_t padLimit, const SuperPacketBytes& super) {
  Bytes out;
  Append16(out, slots);
  Append16(out, arena64);
  Append16(out, padLimit);
  const auto* header = reinterpret_cast<const uint8_t*>(&super.header);
  out.insert(out.end(), header, header + sizeof super.header);
  AppendAll(out, super.packet);
  return out;
}

// The slots lie in order in the arena, each with its headroom, and hold what the reference makes of the input.
void CheckRun(const BatchMemory& m, int count, const VirtioNetHeader& header, const Bytes& packet) {
  int at = 0;
  for (int slot = 0; slot < count; slot++) {
    EXPECT(m.batch.packetOffset[slot] == at + int(kHeadroomBytes) && m.batch.packetLength[slot] > 0);
    at = m.batch.packetOffset[slot] + m.batch.packetLength[slot] + int(kTagBytes);
    at += int(PaddedLength(size_t(m.batch.packetLength[slot]), size_t(m.batch.header[kCellPadLimit]))) -
          m.batch.packetLength[slot];
  }
  EXPECT(at == m.batch.header[kCellArenaUsed] && at <= m.batch.arenaBytes);
  EXPECT(m.Untouched(size_t(at), size_t(m.batch.arenaBytes)));
  if (header.gsoType == kGsoNone) return;
  const bool tcp = (header.gsoType & ~kGsoEcn) != kGsoUdp;
  const size_t field = size_t(header.checksumStart) + header.checksumOffset;
  if (Get16(packet, field) != ReferencePseudoSum(packet, header.checksumStart, tcp)) return;
  const std::vector<Bytes> expected = ReferenceSegment(header, packet);
  if (!EXPECT(expected.size() == size_t(count))) return;
  for (int slot = 0; slot < count; slot++) EXPECT(m.Packet(slot) == expected[size_t(slot)]);
}

}  // namespace

Bytes tuntap::test::MakeInput(Random& random) {
  PacketSpec spec = RandomFlow(random);
  spec.flags = uint8_t(random());
  if (spec.version6 && OneIn(random, 3)) {
    spec.firstExtension = 60;
    spec.ipOptions = {uint8_t(spec.tcp ? 6 : 17), 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  }
  spec.payload = RandomBytes(random, Below(random, 3000));
  SuperPacketBytes super = BuildSuper(spec, uint16_t(1 + Below(random, 1500)), spec.tcp && OneIn(random, 4));
  if (OneIn(random, 4)) super.header.gsoType = kGsoNone;
  const uint16_t slots = uint16_t(OneIn(random, 4) ? Below(random, 8) : 200);
  const uint16_t arena64 = uint16_t(OneIn(random, 4) ? Below(random, 64) : 2000);
  Bytes input = ToInput(slots, arena64, uint16_t(OneIn(random, 2) ? 1420 : random()), super);
  if (!OneIn(random, 4)) Mutate(random, input);
  return input;
}

void tuntap::test::CheckInput(const uint8_t* data, size_t size) {
  VirtioNetHeader header;
  if (size < kPrefixBytes + sizeof header) return;
  const Bytes prefix(data, data + kPrefixBytes);
  memcpy(&header, data + kPrefixBytes, sizeof header);
  const size_t length = size - kPrefixBytes - sizeof header;
  const std::unique_ptr<uint8_t[]> packet(new uint8_t[length]);  // of the exact size, for AddressSanitizer
  memcpy(packet.get(), data + kPrefixBytes + sizeof header, length);

  BatchMemory m(Get16(prefix, 0) % 512, 1, Get16(prefix, 2) % 2048 * 64, Get16(prefix, 4));
  const int result = SegmentSuperPacket(header, packet.get(), length, m.batch);
  EXPECT(result != 0);
  EXPECT(m.batch.header[kCellPacketCount] == std::max(result, 0));
  EXPECT(m.batch.header[kCellRunCount] == (result > 0 ? 1 : 0));
  if (result > 0) {
    CheckRun(m, result, header, Bytes(packet.get(), packet.get() + length));
  } else {
    EXPECT(m.batch.header[kCellArenaUsed] == 0 && m.Untouched(0, size_t(m.batch.arenaBytes)));
  }
}
