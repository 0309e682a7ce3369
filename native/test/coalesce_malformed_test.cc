// Coalescing what is malformed: it goes alone and untouched, its neighbours merge around it as far as their order
// allows, and nothing is read that does not belong to a packet.
#include <cerrno>
#include <unordered_map>

#include "coalesce_cases.h"
#include "inner_packet.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

// A packet whose checksum is wrong goes alone, byte for byte, wherever it stands.
void TestBadChecksum() {
  for (const bool version6 : {false, true}) {
    for (const bool tcp : {true, false}) {
      const PacketSpec a = First(version6, tcp);
      const PacketSpec b = Following(a, 100), c = Following(b, 100), d = Following(c, 100);
      for (int bad = 0; bad < 4; bad++) {
        std::vector<Bytes> packets = {Build(a), Build(b), Build(c), Build(d)};
        packets[size_t(bad)].back() ^= 1;
        const char* expected[] = {"1 3", "1 1 2", "2 1 1", "3 1"};
        EXPECT(Plan(packets) == expected[bad]);
      }
    }
  }
  const PacketSpec a = First(false, true);
  Bytes second = Build(Following(a, 100));
  second[10] ^= 1;  // IPv4 header checksum
  EXPECT(Plan({Build(a), second}) == "1 1");
}

void TestLengthsThatDoNotAgree() {
  for (const bool version6 : {false, true}) {
    for (const bool tcp : {true, false}) {
      const PacketSpec a = First(version6, tcp);
      Bytes longer = Build(Following(a, 100));
      longer.push_back(0);
      EXPECT(Plan({Build(a), longer}) == "1 1");
      Bytes shorter = Build(Following(a, 100));
      shorter.pop_back();
      EXPECT(Plan({Build(a), shorter}) == "1 1");
    }
  }
}

// Two packets in sequence, each spoilt in the same way and their checksums made to agree with what a careless reader
// takes for the headers.
template <typename Spoil>
std::string PlanSpoilt(const PacketSpec& first, Spoil spoil) {
  std::vector<Bytes> packets = {Build(first), Build(Following(first, first.payload.size()))};
  for (Bytes& packet : packets) spoil(packet);
  return Plan(packets);
}

void TestTcpHeaderLength() {
  for (const bool version6 : {false, true}) {
    PacketSpec spec = First(version6, true, 30);
    const size_t at = TransportAt(spec);
    for (const uint8_t words : {0, 1, 4, 15}) {  // 15: 60 bytes, of the 62 behind the IP header, then of 52
      for (const size_t payload : {30u, 20u}) {
        spec.payload.resize(payload);
        const std::string plan = PlanSpoilt(spec, [&](Bytes& packet) {
          packet[at + 12] = uint8_t(words << 4);
          // The second goes on where the first ends for a reader who believes the length.
          const bool second = Get32(packet, at + 4) != spec.sequence;
          const uint32_t next = spec.sequence + uint32_t(packet.size() - at - words * 4);
          if (second) Put16(packet, at + 4, next >> 16), Put16(packet, at + 6, next & 0xffff);
          CompleteChecksum(packet, at, true);
        });
        EXPECT(plan == "1 1");  // 60 of 62: payload is taken for options, and differs
      }
    }
  }
}

void TestUdpLength() {
  for (const bool version6 : {false, true}) {
    const PacketSpec spec = First(version6, false);
    const size_t at = TransportAt(spec);
    for (const int wrong : {0, 8, 107, 109}) {
      const std::string plan = PlanSpoilt(spec, [&](Bytes& packet) {
        Put16(packet, at + 4, uint32_t(wrong));
        CompleteChecksum(packet, at, false);
      });
      EXPECT(plan == "1 1");
    }
  }
}

// "No checksum" where the sum over the datagram would verify as it is.
void TestUdpWithoutChecksum() {
  const PacketSpec spec = First(true, false);
  const size_t at = TransportAt(spec);
  EXPECT(PlanSpoilt(spec, [&](Bytes& packet) {
    Put16(packet, at + 6, 0);
    const uint16_t pseudo = ReferencePseudoSum(packet, at, false);
    Put16(packet, at + 8, 0);
    Put16(packet, at + 8, uint16_t(~ReferenceSum(&packet[at], packet.size() - at, pseudo)));
    EXPECT(ReferenceSum(&packet[at], packet.size() - at, pseudo) == 0xffff);
  }) == "1 1");
}

// A header of 24 bytes whose first 20 would pass for a whole one.
void TestIp4HeaderLength() {
  for (const bool tcp : {true, false}) {
    for (const uint8_t first : {0x44, 0x46, 0x4f}) {
      EXPECT(PlanSpoilt(First(false, tcp), [&](Bytes& packet) {
        packet[0] = first;
        Put16(packet, 10, 0);
        Put16(packet, 10, uint16_t(~ReferenceSum(packet.data(), 20)));
      }) == "1 1");
    }
  }
}

// An IP length that is not the packet's, everything else right.
void TestIpLength() {
  for (const bool version6 : {false, true}) {
    for (const bool tcp : {true, false}) {
      for (const int wrong : {-1, 1}) {
        EXPECT(PlanSpoilt(First(version6, tcp), [&](Bytes& packet) {
          const size_t field = version6 ? 4 : 2;
          Put16(packet, field, uint32_t(Get16(packet, field) + wrong));
          if (!version6) CompleteIp4Checksum(packet);
        }) == "1 1");
      }
    }
  }
}

// Two pairs of hosts whose flows hash alike are still two: found by trying addresses until two meet.
void TestHashCollision(Random& random) {
  std::unordered_map<uint32_t, uint64_t> addressesOfHash;
  uint8_t head[24] = {0x45};
  const InnerPacket packet{head, sizeof head, 20, 24, PacketClass::Flow, true, true};
  for (int i = 0; i < 1000000; i++) {
    const uint64_t addresses = random();
    memcpy(head + 12, &addresses, sizeof addresses);
    const auto [found, fresh] = addressesOfHash.emplace(HashFlow(packet), addresses);
    if (fresh || found->second == addresses) continue;
    PacketSpec spec = First(false, true);
    spec.sourcePort = spec.destinationPort = 0;
    PacketSpec other = Following(spec, 100);
    for (const auto& [target, from] : {std::pair{&spec, addresses}, std::pair{&other, found->second}}) {
      memcpy(target->source, &from, 4);
      memcpy(target->destination, reinterpret_cast<const uint8_t*>(&from) + 4, 4);
    }
    EXPECT(Plan({Build(spec), Build(other)}) == "1 1");
    return;
  }
  EXPECT(!"a collision");
}

// Every prefix of a good packet, with lengths that agree as far as they go, between good ones.
void TestEveryPrefix() {
  for (const bool version6 : {false, true}) {
    for (const bool tcp : {true, false}) {
      const PacketSpec a = First(version6, tcp);
      const PacketSpec b = Following(a, 100);
      const Bytes whole = Build(b);
      for (size_t n = 1; n < HeaderBytes(b); n++) {
        Bytes cut(whole.begin(), whole.begin() + long(n));
        if (n >= (version6 ? 40 : 20)) {
          Put16(cut, version6 ? 4 : 2, uint32_t(n - (version6 ? 40 : 0)));
          if (!version6) CompleteIp4Checksum(cut);
        }
        const std::string plan = Plan({Build(a), cut, Build(b)});
        EXPECT(plan == (n < (version6 ? 40 : 20) ? "2 1" : "1 1 1"));
      }
    }
  }
}

void TestSpoiltBatch() {
  const PacketSpec a = First(false, true);
  BatchMemory m(4, 4, 4096);
  m.BeginRun();
  m.Add(Build(a));
  const int bad = m.Add(Build(Following(a, 100)));
  EXPECT(Coalescer(3).Plan(m.batch, kBoth) == -EINVAL);
  Coalescer coalescer(4);
  EXPECT(coalescer.Plan(m.batch, kBoth) == 1);
  for (const int offset : {-1, 4096, 4000, 0x7fffffff}) {
    m.batch.packetOffset[bad] = offset;
    m.batch.packetStatus[bad] = 0;
    EXPECT(coalescer.Plan(m.batch, kBoth) == 1);
    EXPECT(m.batch.packetStatus[bad] == -EINVAL);
  }
  m.batch.packetStatus[bad] = 0;
  m.batch.packetOffset[bad] = 0;
  m.batch.packetLength[bad] = 0x7fffffff;
  EXPECT(coalescer.Plan(m.batch, kBoth) == 1 && m.batch.packetStatus[bad] == -EINVAL);
  for (const int first : {-1, 3, 5, 0x7fffffff}) {
    m.batch.runFirst[0] = first;
    EXPECT(coalescer.Plan(m.batch, kBoth) == -EINVAL);
  }
  m.batch.runFirst[0] = 0;
  m.batch.runFirst[1] = 1;  // overlaps run 0
  m.batch.runCount[1] = 1;
  m.batch.runKind[1] = kRunData;
  m.batch.header[kCellRunCount] = 2;
  EXPECT(coalescer.Plan(m.batch, kBoth) == -EINVAL);
}

}  // namespace

int main() {
  Random random(ChooseSeed());
  TestBadChecksum();
  TestLengthsThatDoNotAgree();
  TestTcpHeaderLength();
  TestUdpLength();
  TestUdpWithoutChecksum();
  TestIp4HeaderLength();
  TestIpLength();
  TestHashCollision(random);
  TestEveryPrefix();
  TestSpoiltBatch();
  return TestResult();
}
