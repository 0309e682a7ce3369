// Fuzzes the reading of inner packets. Input: a byte that says which checksums are made right first, then two packets,
// the first behind its length (2 bytes).
#include "inner_packet.h"

#include <memory>

#include "fuzz_driver.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

// Of exactly its size, for AddressSanitizer.
struct Exact {
  explicit Exact(const Bytes& from) : bytes(new uint8_t[from.size()]), all(from) {
    std::copy(from.begin(), from.end(), bytes.get());
    packet = ReadInnerPacket(bytes.get(), uint32_t(from.size()));
  }
  std::unique_ptr<uint8_t[]> bytes;
  Bytes all;
  InnerPacket packet;
};

bool HasPorts(const InnerPacket& packet) {
  return packet.packetClass == PacketClass::Flow || packet.packetClass == PacketClass::Mergeable;
}

void CheckOne(const Exact& e) {
  const InnerPacket& p = e.packet;
  const size_t length = e.all.size();
  HashQueue(p);
  if (p.packetClass == PacketClass::Opaque) return;
  EXPECT(p.version4 == (e.all[0] >> 4 == 4) && (p.version4 || e.all[0] >> 4 == 6));
  EXPECT(SameAddresses(p, p));
  if (!HasPorts(p)) return;
  EXPECT(p.transportAt == (p.version4 ? 20 : 40));
  EXPECT(p.headerLength >= p.transportAt + (p.tcp ? 20 : 8) && p.headerLength <= length);
  EXPECT(e.all[p.version4 ? 9 : 6] == (p.tcp ? 6 : 17));
  EXPECT(p.version4 ? Get16(e.all, 2) == length : Get16(e.all, 4) + 40u == length);
  if (p.version4) EXPECT(ReferenceSum(e.all.data(), 20) == 0xffff);
  EXPECT(SameFlow(p, p));
  if (p.packetClass != PacketClass::Mergeable) return;
  EXPECT(p.headerLength < length);
  if (p.tcp) EXPECT((e.all[p.transportAt + 13] & ~(kPsh | kEce)) == kAck);
  const uint16_t pseudo = ReferencePseudoSum(e.all, p.transportAt, p.tcp);
  const uint16_t sum = ReferenceSum(&e.all[p.transportAt], length - p.transportAt, pseudo);
  EXPECT(TransportChecksumGood(p) == (sum == 0xffff));
}

void CheckPair(const Exact& a, const Exact& b) {
  const bool both = a.packet.packetClass != PacketClass::Opaque && b.packet.packetClass != PacketClass::Opaque;
  if (!both) return;
  EXPECT(SameAddresses(a.packet, b.packet) == SameAddresses(b.packet, a.packet));
  if (!HasPorts(a.packet) || !HasPorts(b.packet) || !SameFlow(a.packet, b.packet)) return;
  EXPECT(SameAddresses(a.packet, b.packet));
  EXPECT(HashFlow(a.packet) == HashFlow(b.packet));
}

void Mend(Bytes& packet, bool transport) {
  const bool version4 = packet[0] >> 4 == 4;
  const size_t at = version4 ? 20 : 40;
  if (packet.size() < at) return;
  if (version4 && packet[0] == 0x45) CompleteIp4Checksum(packet);
  if (transport && packet.size() >= at + 20) CompleteChecksum(packet, at, packet[version4 ? 9 : 6] == 6);
}

}  // namespace

Bytes tuntap::test::MakeInput(Random& random) {
  Bytes input = {uint8_t(OneIn(random, 2) ? random() : 0)};
  PacketSpec spec = RandomFlow(random);
  for (int i = 0; i < 2; i++) {
    if (OneIn(random, 3)) spec = RandomFlow(random);
    if (OneIn(random, 4)) spec.flags = uint8_t(random());
    spec.payload = RandomBytes(random, Below(random, 60));
    Bytes packet = Build(spec);
    if (OneIn(random, 2)) Mutate(random, packet);
    if (i == 0) Append16(input, uint32_t(packet.size()));
    AppendAll(input, packet);
  }
  return input;
}

void tuntap::test::CheckInput(const uint8_t* data, size_t size) {
  InputReader in(data, size);
  const uint8_t mend = in.U8();
  Bytes first = in.Take(in.U16());
  Bytes second = in.Take(in.left());
  if (first.empty() || second.empty()) return;
  if ((mend & 1) != 0) Mend(first, (mend & 2) != 0);
  if ((mend & 4) != 0) Mend(second, (mend & 8) != 0);
  const Exact a(first);
  const Exact b(second);
  CheckOne(a);
  CheckOne(b);
  CheckPair(a, b);
}
