// See segment.h. Checksums are completed as the kernel does it: the field of the super-packet holds the pseudo-header
// sum with the whole length in it, so each segment needs its own length exchanged and its own bytes added.
#include "segment.h"

#include <cerrno>
#include <cstring>

#include "checksum.h"
#include "ip_header.h"

namespace tuntap {

namespace {

// One super-packet, its header fields checked against its bytes.
struct SuperPacket {
  const uint8_t* bytes;
  size_t length;
  size_t transportAt;
  size_t headerLength;   // all headers
  size_t segmentBytes;   // payload of each segment but the last
  size_t segmentCount;
  bool version4;
  bool tcp;
};

// Room that the run takes in the batch, checked to be there.
struct Room {
  size_t padLimit;
  size_t arenaAt;
  int slot;
};

size_t SlotBytes(size_t packetLength, size_t padLimit) {
  return kHeadroomBytes + PaddedLength(packetLength, padLimit) + kTagBytes;
}

// Walks IPv6 extension headers from the fixed header; true if `protocol` begins exactly at transportAt. Refuses
// fragments and headers that have no business before a TCP or UDP super-packet.
bool ExtensionsReach(const uint8_t* packet, size_t transportAt, uint8_t protocol) {
  uint8_t next = packet[kIp6NextHeader];
  size_t at = kIp6HeaderBytes;
  while (at < transportAt) {
    if (next != kIp6HopByHop && next != kIp6Routing && next != kIp6DestinationOptions) return false;
    if (transportAt - at < 8) return false;
    next = packet[at];
    at += (size_t(packet[at + 1]) + 1) * 8;
  }
  return at == transportAt && next == protocol;
}

bool CheckIp4(const uint8_t* packet, size_t length, size_t transportAt, uint8_t protocol) {
  if (length < kIp4HeaderBytes || packet[0] >> 4 != 4) return false;
  const size_t headerBytes = size_t(packet[0] & 15) * 4;
  if (headerBytes < kIp4HeaderBytes || headerBytes != transportAt) return false;
  if (packet[kIp4Protocol] != protocol || LoadBig16(packet + kIp4TotalLength) != length) return false;
  return (LoadBig16(packet + kIp4Fragment) & kIp4FragmentMask) == 0;
}

bool CheckIp6(const uint8_t* packet, size_t length, size_t transportAt, uint8_t protocol) {
  if (length < kIp6HeaderBytes || packet[0] >> 4 != 6) return false;
  if (LoadBig16(packet + kIp6PayloadLength) + kIp6HeaderBytes != length) return false;
  if (transportAt < kIp6HeaderBytes || transportAt > length) return false;
  return ExtensionsReach(packet, transportAt, protocol);
}

// Fills `out`, or returns -EINVAL. Every later access stays inside `length` because of what is checked here.
int Parse(const VirtioNetHeader& header, const uint8_t* packet, size_t length, SuperPacket& out) {
  const uint8_t type = header.gsoType;
  out.tcp = type == kGsoTcp4 || type == kGsoTcp6 || type == (kGsoTcp4 | kGsoEcn) || type == (kGsoTcp6 | kGsoEcn);
  if (!out.tcp && type != kGsoUdp) return -EINVAL;
  if (!(header.flags & kVirtioNeedsChecksum) || header.gsoSize == 0) return -EINVAL;
  if (header.checksumOffset != (out.tcp ? kTcpChecksum : kUdpChecksum)) return -EINVAL;

  const size_t at = header.checksumStart;
  const uint8_t protocol = out.tcp ? kProtocolTcp : kProtocolUdp;
  out.version4 = out.tcp ? (type & ~kGsoEcn) == kGsoTcp4 : packet[0] >> 4 == 4;
  if (out.version4 ? !CheckIp4(packet, length, at, protocol) : !CheckIp6(packet, length, at, protocol)) return -EINVAL;

  const size_t behind = length - at;
  size_t transportBytes = kUdpHeaderBytes;
  if (out.tcp) {
    if (behind < kTcpHeaderBytes) return -EINVAL;
    transportBytes = size_t(packet[at + kTcpDataOffset] >> 4) * 4;
    if (transportBytes < kTcpHeaderBytes || transportBytes > behind) return -EINVAL;
  } else if (behind < kUdpHeaderBytes || LoadBig16(packet + at + kUdpLength) != behind) {
    return -EINVAL;
  }
  out.bytes = packet;
  out.length = length;
  out.transportAt = at;
  out.headerLength = at + transportBytes;
  out.segmentBytes = header.gsoSize;
  const size_t payload = length - out.headerLength;
  out.segmentCount = payload == 0 ? 1 : (payload + header.gsoSize - 1) / header.gsoSize;
  return 0;
}

// Room for `count` packets of `full` bytes, the last of them of `last` bytes. 0, or -ENOBUFS, or -EINVAL for header
// cells that cannot be.
int FindRoom(const Batch& batch, size_t count, size_t full, size_t last, Room& out) {
  const int32_t slot = batch.header[kCellPacketCount];
  const int32_t run = batch.header[kCellRunCount];
  const int32_t used = batch.header[kCellArenaUsed];
  const int32_t padLimit = batch.header[kCellPadLimit];
  if (slot < 0 || slot > batch.slots || run < 0 || used < 0 || used > batch.arenaBytes || padLimit < 0) return -EINVAL;
  if (run >= batch.runs || count > size_t(batch.slots - slot)) return -ENOBUFS;
  const size_t need = (count - 1) * SlotBytes(full, size_t(padLimit)) + SlotBytes(last, size_t(padLimit));
  if (need > size_t(batch.arenaBytes - used)) return -ENOBUFS;
  out = {size_t(padLimit), size_t(used), slot};
  return 0;
}

void AppendPacket(Batch& batch, Room& room, size_t length) {
  batch.packetOffset[room.slot] = int32_t(room.arenaAt + kHeadroomBytes);
  batch.packetLength[room.slot] = int32_t(length);
  batch.packetStatus[room.slot] = 0;
  room.arenaAt += SlotBytes(length, room.padLimit);
  room.slot++;
}

int AppendRun(Batch& batch, const Room& room) {
  const int32_t first = batch.header[kCellPacketCount];
  const int32_t run = batch.header[kCellRunCount];
  batch.runFirst[run] = first;
  batch.runCount[run] = room.slot - first;
  batch.runKind[run] = kRunData;
  batch.runReceiver[run] = 0;
  batch.runKey[run] = kNoKey;
  batch.runEndpoint[run] = kNoEndpoint;
  batch.runTos[run] = 0;
  batch.runCounter[run] = 0;
  batch.header[kCellPacketCount] = room.slot;
  batch.header[kCellRunCount] = run + 1;
  batch.header[kCellArenaUsed] = int32_t(room.arenaAt);
  return room.slot - first;
}

// What goes into every segment's sums: the headers' words without those that differ from segment to segment.
struct HeaderSums {
  uint64_t network;
  uint64_t transport;
};

HeaderSums SumHeaders(const SuperPacket& super) {
  const uint8_t* ip = super.bytes;
  const uint8_t* transport = ip + super.transportAt;
  HeaderSums sums{0, SumBytes(transport, super.headerLength - super.transportAt)};
  sums.transport = WithoutWord(sums.transport, BigWord(uint16_t(super.length - super.transportAt)));
  if (super.tcp) {
    sums.transport = WithoutWord(sums.transport, LoadWord(transport + kTcpSequence));
    sums.transport = WithoutWord(sums.transport, LoadWord(transport + kTcpSequence + 2));
    sums.transport = WithoutWord(sums.transport, LoadWord(transport + kTcpDataOffset));
  } else {
    sums.transport = WithoutWord(sums.transport, LoadWord(transport + kUdpLength));
  }
  if (super.version4) {
    sums.network = SumBytes(ip, super.transportAt);
    sums.network = WithoutWord(sums.network, LoadWord(ip + kIp4TotalLength));
    sums.network = WithoutWord(sums.network, LoadWord(ip + kIp4Id));
    sums.network = WithoutWord(sums.network, LoadWord(ip + kIp4Checksum));
  }
  return sums;
}

void PatchNetwork(const SuperPacket& super, uint64_t sum, size_t index, size_t length, uint8_t* ip) {
  if (!super.version4) {
    StoreBig16(ip + kIp6PayloadLength, uint16_t(length - kIp6HeaderBytes));
    return;
  }
  StoreBig16(ip + kIp4TotalLength, uint16_t(length));
  StoreBig16(ip + kIp4Id, uint16_t(LoadBig16(ip + kIp4Id) + index));
  sum += LoadWord(ip + kIp4TotalLength);
  sum += LoadWord(ip + kIp4Id);
  StoreWord(ip + kIp4Checksum, uint16_t(~FoldSum(sum)));
}

// FIN and PSH belong to the stream's end, so to the last segment; CWR answers one ECE, so it goes out once, first.
void PatchTcp(const SuperPacket& super, uint64_t sum, size_t index, uint8_t* tcp) {
  StoreBig32(tcp + kTcpSequence, LoadBig32(tcp + kTcpSequence) + uint32_t(index * super.segmentBytes));
  if (index != 0) tcp[kTcpFlags] &= uint8_t(~kTcpCwr);
  if (index + 1 != super.segmentCount) tcp[kTcpFlags] &= uint8_t(~(kTcpFin | kTcpPsh));
  sum += LoadWord(tcp + kTcpSequence);
  sum += LoadWord(tcp + kTcpSequence + 2);
  sum += LoadWord(tcp + kTcpDataOffset);
  StoreWord(tcp + kTcpChecksum, uint16_t(~FoldSum(sum)));
}

void PatchUdp(uint64_t sum, size_t transportLength, uint8_t* udp) {
  StoreBig16(udp + kUdpLength, uint16_t(transportLength));
  const uint16_t checksum = uint16_t(~FoldSum(sum + LoadWord(udp + kUdpLength)));
  StoreWord(udp + kUdpChecksum, checksum == 0 ? 0xffff : checksum);  // 0 would say "none"
}

int Split(const SuperPacket& super, Batch& batch) {
  const size_t full = super.headerLength + super.segmentBytes;
  const size_t last = super.length - (super.segmentCount - 1) * super.segmentBytes;
  Room room;
  const int refused = FindRoom(batch, super.segmentCount, full, last, room);
  if (refused != 0) return refused;

  const HeaderSums sums = SumHeaders(super);
  const uint8_t* payload = super.bytes + super.headerLength;
  for (size_t index = 0; index < super.segmentCount; index++) {
    const size_t length = index + 1 == super.segmentCount ? last : full;
    const size_t payloadLength = length - super.headerLength;
    const size_t transportLength = length - super.transportAt;
    uint8_t* out = batch.arena + room.arenaAt + kHeadroomBytes;
    memcpy(out, super.bytes, super.headerLength);
    uint64_t sum = sums.transport + CopyAndSum(out + super.headerLength, payload, payloadLength);
    sum += BigWord(uint16_t(transportLength));
    PatchNetwork(super, sums.network, index, length, out);
    if (super.tcp) {
      PatchTcp(super, sum, index, out + super.transportAt);
    } else {
      PatchUdp(sum, transportLength, out + super.transportAt);
    }
    AppendPacket(batch, room, length);
    payload += payloadLength;
  }
  return AppendRun(batch, room);
}

int PlaceWhole(const VirtioNetHeader& header, const uint8_t* packet, size_t length, Batch& batch) {
  const bool complete = !(header.flags & kVirtioNeedsChecksum);
  const size_t start = header.checksumStart;
  const size_t field = start + header.checksumOffset;
  if (!complete && field + 2 > length) return -EINVAL;
  Room room;
  const int refused = FindRoom(batch, 1, length, length, room);
  if (refused != 0) return refused;

  uint8_t* out = batch.arena + room.arenaAt + kHeadroomBytes;
  if (complete) {
    memcpy(out, packet, length);
  } else {
    memcpy(out, packet, start);
    const uint16_t checksum = uint16_t(~FoldSum(CopyAndSum(out + start, packet + start, length - start)));
    StoreWord(out + field, checksum == 0 ? 0xffff : checksum);  // equal for TCP, and UDP's 0 would say "none"
  }
  AppendPacket(batch, room, length);
  return AppendRun(batch, room);
}

}  // namespace

int SegmentSuperPacket(const VirtioNetHeader& header, const uint8_t* packet, size_t length, Batch& batch) {
  if (length == 0 || length > kMaxSuperPacketBytes) return -EINVAL;
  if (header.gsoType == kGsoNone) return PlaceWhole(header, packet, length, batch);
  SuperPacket super;
  const int malformed = Parse(header, packet, length, super);
  return malformed != 0 ? malformed : Split(super, batch);
}

}  // namespace tuntap
