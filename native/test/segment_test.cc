// Segmentation: each rule on its own, then random super-packets against the plain reference.
#include "segment.h"

#include <cerrno>
#include <functional>

#include "batch_memory.h"
#include "expect.h"
#include "gso_reference.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

// From memory of the exact size, so that AddressSanitizer sees a read past the end.
int Segment(const VirtioNetHeader& header, const Bytes& packet, Batch& batch) {
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[packet.size()]);
  std::copy(packet.begin(), packet.end(), exact.get());
  return SegmentSuperPacket(header, exact.get(), packet.size(), batch);
}

// The run that was appended holds exactly these packets, contiguous with room for sealing, and nothing else changed.
void ExpectRun(const BatchMemory& m, int run, const std::vector<Bytes>& packets, int firstSlot, int arenaAt) {
  const Batch& b = m.batch;
  EXPECT(b.header[kCellRunCount] == run + 1);
  EXPECT(b.header[kCellPacketCount] == firstSlot + int(packets.size()));
  EXPECT(b.runFirst[run] == firstSlot && b.runCount[run] == int(packets.size()));
  EXPECT(b.runKind[run] == kRunData && b.runKey[run] == kNoKey && b.runEndpoint[run] == kNoEndpoint);
  EXPECT(b.runReceiver[run] == 0 && b.runTos[run] == 0 && b.runCounter[run] == 0);
  size_t at = size_t(arenaAt);
  const size_t padLimit = size_t(b.header[kCellPadLimit]);
  for (size_t i = 0; i < packets.size(); i++) {
    const int slot = firstSlot + int(i);
    const size_t length = packets[i].size();
    EXPECT(b.packetOffset[slot] == int(at + kHeadroomBytes));
    EXPECT(b.packetLength[slot] == int(length));
    EXPECT(b.packetStatus[slot] == 0);
    EXPECT(m.Packet(slot) == packets[i]);
    const size_t behind = at + kHeadroomBytes + length;
    const size_t tail = PaddedLength(length, padLimit) - length + kTagBytes;
    EXPECT(m.Untouched(at, at + kHeadroomBytes));
    EXPECT(m.Untouched(behind, behind + tail));
    at += kHeadroomBytes + length + tail;
  }
  EXPECT(b.header[kCellArenaUsed] == int(at));
  EXPECT(m.Untouched(at, size_t(b.arenaBytes)));
}

void ExpectSegments(const SuperPacketBytes& super, const PacketSpec& spec, size_t count) {
  BatchMemory m(256, 4, 200000);
  std::fill_n(m.batch.packetStatus, 256, 7);
  EXPECT(Segment(super.header, super.packet, m.batch) == int(count));
  const std::vector<Bytes> expected = ReferenceSegment(super.header, super.packet);
  EXPECT(expected.size() == count);
  ExpectRun(m, 0, expected, 0, 0);
  for (const Bytes& packet : expected) EXPECT(WhyInvalid(packet, TransportAt(spec), spec.tcp) == "");
}

// Hop-by-hop with padding, then destination options of 16 bytes.
Bytes Extensions(uint8_t transport) {
  Bytes out = {60, 0, 1, 4, 0, 0, 0, 0};
  AppendAll(out, {transport, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  return out;
}

void TestKinds() {
  for (const bool version6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      PacketSpec spec;
      spec.version6 = version6;
      spec.tcp = tcp;
      spec.id = 0xfffe;
      spec.sequence = 0xfffffff0;
      spec.flags = kAck | kPsh | kFin | kCwr | kEce;
      if (tcp) spec.tcpOptions = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
      for (const size_t payload : {1u, 99u, 100u, 101u, 200u, 1234u}) {
        spec.payload = Pattern(payload);
        ExpectSegments(BuildSuper(spec, 100), spec, (payload + 99) / 100);
        if (tcp) ExpectSegments(BuildSuper(spec, 100, true), spec, (payload + 99) / 100);
      }
      spec.payload.clear();
      ExpectSegments(BuildSuper(spec, 100), spec, 1);
      if (version6) {
        spec.ipOptions = Extensions(tcp ? 6 : 17);
      } else {
        spec.ipOptions = {1, 1, 1, 0};
      }
      spec.payload = Pattern(777);
      ExpectSegments(BuildSuper(spec, 250), spec, 4);
    }
  }
}

void TestFlagsBySegment() {
  PacketSpec spec;
  spec.flags = kAck | kPsh | kFin | kCwr;
  spec.payload = Pattern(300);
  const SuperPacketBytes super = BuildSuper(spec, 100, true);
  BatchMemory m(8, 1, 4096);
  EXPECT(Segment(super.header, super.packet, m.batch) == 3);
  EXPECT(m.Packet(0)[33] == (kAck | kCwr));
  EXPECT(m.Packet(1)[33] == kAck);
  EXPECT(m.Packet(2)[33] == (kAck | kPsh | kFin));
}

// The hint in the header may say anything.
void TestHeaderLengthIsNotTrusted() {
  PacketSpec spec;
  spec.payload = Pattern(500);
  SuperPacketBytes super = BuildSuper(spec, 100);
  for (const uint16_t hint : {0, 1, 39, 41, 400, 0xffff}) {
    super.header.headerLength = hint;
    ExpectSegments(super, spec, 5);
  }
}

// A UDP checksum that comes out as zero is sent as 0xffff: zero would mean "none".
void TestUdpZeroChecksum() {
  PacketSpec spec;
  spec.tcp = false;
  spec.payload = Pattern(200);
  spec.payload[0] = spec.payload[1] = 0;
  Bytes first = spec.payload;
  spec.payload.resize(100);
  const uint16_t checksum = Get16(Build(spec), 26);
  spec.payload = first;
  Put16(spec.payload, 0, checksum);
  const SuperPacketBytes super = BuildSuper(spec, 100);
  BatchMemory m(8, 2, 4096);
  EXPECT(Segment(super.header, super.packet, m.batch) == 2);
  EXPECT(Get16(m.Packet(0), 26) == 0xffff);

  spec.payload.resize(100);
  SuperPacketBytes single = BuildSuper(spec, 100);
  single.header.gsoType = kGsoNone;
  EXPECT(Segment(single.header, single.packet, m.batch) == 1);
  EXPECT(Get16(m.Packet(2), 26) == 0xffff);
}

void TestWhole() {
  for (const bool tcp : {false, true}) {
    PacketSpec spec;
    spec.tcp = tcp;
    spec.version6 = tcp;
    spec.payload = Pattern(1001);
    const Bytes complete = Build(spec);
    SuperPacketBytes partial = BuildSuper(spec, 0);
    partial.header.gsoType = kGsoNone;
    BatchMemory m(8, 8, 8192);
    EXPECT(Segment(partial.header, partial.packet, m.batch) == 1);
    ExpectRun(m, 0, {complete}, 0, 0);
    // Nothing to complete: any bytes pass as they are, behind what is there.
    const int used = m.batch.header[kCellArenaUsed];
    const Bytes odd = {0xff};
    EXPECT(Segment({}, odd, m.batch) == 1);
    ExpectRun(m, 1, {odd}, 1, used);
  }
}

void TestPaddingAndContiguity() {
  PacketSpec spec;
  spec.payload = Pattern(2 * 1369 + 700);  // segments of 1,409: padded 1,424 is more than the MTU
  const SuperPacketBytes super = BuildSuper(spec, 1369);
  const std::vector<Bytes> expected = ReferenceSegment(super.header, super.packet);
  for (const int padLimit : {0, 1300, 1409, 1410, 1420, 65455}) {
    BatchMemory m(8, 2, 16384, padLimit);
    EXPECT(Segment(super.header, super.packet, m.batch) == 3);
    ExpectRun(m, 0, expected, 0, 0);
    EXPECT(Segment(super.header, super.packet, m.batch) == 3);
    const int second = padLimit >= 1424 ? 2 * 1456 + 752 + 32 : padLimit >= 1409 ? 2 * (padLimit + 32) + 752 + 32 : -1;
    if (second > 0) EXPECT(m.batch.packetOffset[3] == second + 16);
  }
}

void TestPaddedLength() {
  EXPECT(PaddedLength(0, 1420) == 0);
  EXPECT(PaddedLength(1, 1420) == 16);
  EXPECT(PaddedLength(16, 1420) == 16);
  EXPECT(PaddedLength(17, 1420) == 32);
  EXPECT(PaddedLength(1409, 1420) == 1420);
  EXPECT(PaddedLength(1420, 1420) == 1420);
  EXPECT(PaddedLength(1421, 1420) == 1421);
  EXPECT(PaddedLength(5, 0) == 5);
}

struct Malformed {
  const char* name;
  std::function<void(SuperPacketBytes&)> spoil;
};

void TestMalformed(const PacketSpec& spec, const std::vector<Malformed>& cases) {
  for (const Malformed& c : cases) {
    caseName = c.name;
    SuperPacketBytes super = BuildSuper(spec, 100);
    c.spoil(super);
    BatchMemory m(64, 4, 65536);
    EXPECT(Segment(super.header, super.packet, m.batch) == -EINVAL);
    for (int cell = 0; cell < kCellPadLimit; cell++) EXPECT(m.batch.header[cell] == 0);
    EXPECT(m.Untouched(0, 65536));
  }
  caseName = "";
}

// Cuts the packet `n` bytes behind the start of its transport header, with an IP length that agrees.
void CutTransport(SuperPacketBytes& super, size_t n) {
  super.packet.resize(super.header.checksumStart + n);
  const bool version6 = super.packet[0] >> 4 == 6;
  Put16(super.packet, version6 ? 4 : 2, uint32_t(super.packet.size() - (version6 ? 40 : 0)));
}

const std::vector<Malformed> kMalformedHeader = {
    {"gso size 0", [](auto& s) { s.header.gsoSize = 0; }},
    {"no checksum asked for", [](auto& s) { s.header.flags = 0; }},
    {"fragmentation offload", [](auto& s) { s.header.gsoType = 3; }},
    {"ECN without a type", [](auto& s) { s.header.gsoType = kGsoEcn; }},
    {"ECN with UDP", [](auto& s) { s.header.gsoType = kGsoUdp | kGsoEcn; }},
    {"checksum start short", [](auto& s) { s.header.checksumStart -= 4; }},
    {"checksum start long", [](auto& s) { s.header.checksumStart += 4; }},
    {"checksum start outside", [](auto& s) { s.header.checksumStart = 0xffff; }},
    {"checksum offset", [](auto& s) { s.header.checksumOffset++; }},
    {"whole, checksum outside", [](auto& s) { s.header = {1, 0, 0, 0, uint16_t(s.packet.size() - 1), 0}; }},
    {"whole, offset outside", [](auto& s) { s.header = {1, 0, 0, 0, 0xffff, 0xffff}; }},
    {"version", [](auto& s) { s.packet[0] ^= 0x30; }},
    {"cut", [](auto& s) { s.packet.pop_back(); }},
    {"longer", [](auto& s) { s.packet.push_back(0); }},
    {"cut in the transport header", [](auto& s) { s.packet.resize(s.header.checksumStart + 7); }},
    {"nothing behind the IP header", [](auto& s) { CutTransport(s, 0); }},
    {"transport header of 4 bytes", [](auto& s) { CutTransport(s, 4); }},
    {"transport header of 7 bytes", [](auto& s) { CutTransport(s, 7); }},
    {"whole, too large", [](auto& s) { s.header = {}; s.packet.resize(65536); }},
    {"cut in the IP header", [](auto& s) { s.packet.resize(19); }},
    {"one byte", [](auto& s) { s.packet.resize(1); }},
    {"nothing", [](auto& s) { s.packet.clear(); }},
    {"too large", [](auto& s) { s.packet.resize(65536); }},
};

void TestMalformedByKind() {
  PacketSpec spec;
  spec.payload = Pattern(500);
  TestMalformed(spec, kMalformedHeader);
  TestMalformed(spec, {
      {"IPv6 type", [](auto& s) { s.header.gsoType = kGsoTcp6; }},
      {"UDP type", [](auto& s) { s.header.gsoType = kGsoUdp; s.header.checksumOffset = 6; }},
      {"header length 16", [](auto& s) { s.packet[0] = 0x44; }},
      {"header length 24", [](auto& s) { s.packet[0] = 0x46; }},
      {"protocol", [](auto& s) { s.packet[9] = 17; }},
      {"more fragments", [](auto& s) { s.packet[6] |= 0x20; }},
      {"fragment offset", [](auto& s) { s.packet[7] = 1; }},
      {"data offset 16", [](auto& s) { s.packet[32] = 0x40; }},
      {"TCP header of 19 bytes", [](auto& s) { CutTransport(s, 19); }},
      {"data offset beyond", [](auto& s) { s.packet.resize(50); Put16(s.packet, 2, 50); s.packet[32] = 0xf0; }},
  });
  spec.tcp = false;
  TestMalformed(spec, kMalformedHeader);
  TestMalformed(spec, {{"UDP length", [](auto& s) { s.packet[25]++; }}});
  spec.version6 = true;
  TestMalformed(spec, kMalformedHeader);
  spec.tcp = true;
  TestMalformed(spec, kMalformedHeader);
  spec.ipOptions = Extensions(6);
  TestMalformed(spec, {
      {"fragment header", [](auto& s) { s.packet[6] = 44; }},
      {"unknown header", [](auto& s) { s.packet[6] = 50; }},
      {"extension too long", [](auto& s) { s.packet[41] = 255; }},
      {"extension overshoots", [](auto& s) { s.packet[49] = 2; }},
      {"start inside an extension", [](auto& s) { s.header.checksumStart -= 4; }},
      {"odd start in an extension", [](auto& s) { s.header.checksumStart = 41; CutTransport(s, 0); }},
      {"another transport", [](auto& s) { s.packet[48] = 17; }},
  });
}

// Exactly enough room is enough; one less of anything is -ENOBUFS and changes nothing.
void TestRoom() {
  PacketSpec spec;
  spec.payload = Pattern(250);
  const SuperPacketBytes super = BuildSuper(spec, 100);
  const int need = 2 * (16 + 144 + 16) + (16 + 96 + 16);
  struct { int slots, runs, arena, expected; } cases[] = {
      {3, 1, need, 3}, {2, 1, need, -ENOBUFS}, {3, 0, need, -ENOBUFS}, {3, 1, need - 1, -ENOBUFS}};
  for (const auto& c : cases) {
    BatchMemory m(c.slots, c.runs, c.arena);
    EXPECT(Segment(super.header, super.packet, m.batch) == c.expected);
    EXPECT(m.batch.header[kCellPacketCount] == (c.expected > 0 ? 3 : 0));
    EXPECT(m.batch.header[kCellArenaUsed] == (c.expected > 0 ? need : 0));
    EXPECT(Segment(super.header, super.packet, m.batch) == -ENOBUFS);
  }
  BatchMemory m(8, 8, 4096);
  for (const int cell : {kCellPacketCount, kCellRunCount, kCellArenaUsed, kCellPadLimit}) {
    const int good = m.batch.header[cell];
    m.batch.header[cell] = -1;
    EXPECT(Segment(super.header, super.packet, m.batch) == -EINVAL);
    m.batch.header[cell] = good;
  }
}

// What the constants promise: a super-packet of the greatest size into kMaxSegments slots.
void TestGreatest() {
  PacketSpec spec;
  spec.version6 = true;
  spec.tcpOptions = Bytes(40, 1);
  const size_t payload = kMaxSuperPacketBytes - HeaderBytes(spec);
  spec.payload = Pattern(payload);
  const SuperPacketBytes super = BuildSuper(spec, uint16_t((payload + kMaxSegments - 1) / kMaxSegments));
  BatchMemory m(kMaxSegments, 1, kMaxSegmentArenaBytes);
  EXPECT(Segment(super.header, super.packet, m.batch) == kMaxSegments);
  ExpectRun(m, 0, ReferenceSegment(super.header, super.packet), 0, 0);
  spec.tcpOptions.clear();
  spec.payload = Pattern(65415);
  ExpectSegments(BuildSuper(spec, 65395), spec, 2);  // segments of 65,455
  const SuperPacketBytes tiny = BuildSuper(spec, 1);
  BatchMemory small(kMaxSegments, 1, kMaxSegmentArenaBytes);
  EXPECT(Segment(tiny.header, tiny.packet, small.batch) == -ENOBUFS);
}

void TestRandom(Random& random) {
  for (int round = 0; round < 3000; round++) {
    PacketSpec spec = RandomFlow(random);
    spec.flags = uint8_t(random());
    spec.reserved = uint8_t(random() & 15);
    spec.urgent = uint16_t(random());
    if (OneIn(random, 8)) {
      spec.ipOptions = spec.version6 ? Extensions(spec.tcp ? 6 : 17) : Bytes(Below(random, 11) * 4, 1);
    }
    const size_t gsoSize = OneIn(random, 4) ? 1 + Below(random, 20) : 1 + Below(random, 3000);
    spec.payload = RandomBytes(random, Below(random, std::min<size_t>(gsoSize * 40, 65000 - HeaderBytes(spec))));
    const SuperPacketBytes super = BuildSuper(spec, uint16_t(gsoSize), spec.tcp && OneIn(random, 2));
    ExpectSegments(super, spec, std::max<size_t>(1, (spec.payload.size() + gsoSize - 1) / gsoSize));
  }
}

}  // namespace

int main() {
  Random random(ChooseSeed());
  TestPaddedLength();
  TestKinds();
  TestFlagsBySegment();
  TestHeaderLengthIsNotTrusted();
  TestUdpZeroChecksum();
  TestWhole();
  TestPaddingAndContiguity();
  TestMalformedByKind();
  TestRoom();
  TestGreatest();
  TestRandom(random);
  return TestResult();
}
