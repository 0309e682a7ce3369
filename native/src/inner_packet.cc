// See inner_packet.h.
#include "inner_packet.h"

#include <cstring>

#include "checksum.h"
#include "ip_header.h"

namespace tuntap {

namespace {

uint64_t Load64(const uint8_t* at) {
  uint64_t v;
  memcpy(&v, at, sizeof v);
  return v;
}

uint32_t Load32(const uint8_t* at) {
  uint32_t v;
  memcpy(&v, at, sizeof v);
  return v;
}

// Same ECE on every segment is fine; whatever else changes the connection's state is not merged. The low bits of the
// data-offset byte (reserved, AccECN's AE) must be zero.
bool TcpFlagsMergeable(const uint8_t* tcp) {
  if ((tcp[kTcpDataOffset] & 15) != 0) return false;
  return (tcp[kTcpFlags] & ~(kTcpPsh | kTcpEce)) == kTcpAck;
}

PacketClass ReadTcp(InnerPacket& packet) {
  const uint8_t* tcp = packet.bytes + packet.transportAt;
  const uint32_t length = packet.length - packet.transportAt;
  if (length < kTcpHeaderBytes) return PacketClass::Address;
  const uint32_t headerBytes = uint32_t(tcp[kTcpDataOffset] >> 4) * 4;
  if (headerBytes < kTcpHeaderBytes || headerBytes > length) return PacketClass::Address;
  packet.tcp = true;
  packet.headerLength = uint16_t(packet.transportAt + headerBytes);
  return headerBytes < length && TcpFlagsMergeable(tcp) ? PacketClass::Mergeable : PacketClass::Flow;
}

PacketClass ReadUdp(InnerPacket& packet) {
  const uint8_t* udp = packet.bytes + packet.transportAt;
  const uint32_t length = packet.length - packet.transportAt;
  if (length < kUdpHeaderBytes) return PacketClass::Address;
  packet.headerLength = uint16_t(packet.transportAt + kUdpHeaderBytes);
  const bool whole = LoadBig16(udp + kUdpLength) == length && length > kUdpHeaderBytes;
  return whole && LoadWord(udp + kUdpChecksum) != 0 ? PacketClass::Mergeable : PacketClass::Flow;
}

PacketClass ReadTransport(InnerPacket& packet, uint8_t protocol) {
  if (protocol == kProtocolTcp) return ReadTcp(packet);
  if (protocol == kProtocolUdp) return ReadUdp(packet);
  return PacketClass::Address;
}

PacketClass ReadIp4(InnerPacket& packet) {
  const uint8_t* ip = packet.bytes;
  if (packet.length < kIp4HeaderBytes) return PacketClass::Opaque;
  packet.version4 = true;
  packet.transportAt = kIp4HeaderBytes;
  const bool plain = ip[0] == 0x45 && (LoadBig16(ip + kIp4Fragment) & kIp4FragmentMask) == 0;
  if (!plain || LoadBig16(ip + kIp4TotalLength) != packet.length) return PacketClass::Address;
  if (FoldSum(SumFixed<kIp4HeaderBytes>(ip)) != 0xffff) return PacketClass::Address;
  return ReadTransport(packet, ip[kIp4Protocol]);
}

PacketClass ReadIp6(InnerPacket& packet) {
  const uint8_t* ip = packet.bytes;
  if (packet.length < kIp6HeaderBytes) return PacketClass::Opaque;
  packet.transportAt = kIp6HeaderBytes;
  if (LoadBig16(ip + kIp6PayloadLength) + kIp6HeaderBytes != packet.length) return PacketClass::Address;
  return ReadTransport(packet, ip[kIp6NextHeader]);
}

}  // namespace

InnerPacket ReadInnerPacket(const uint8_t* bytes, uint32_t length) {
  InnerPacket packet{bytes, length, 0, 0, PacketClass::Opaque, false, false};
  const int version = bytes[0] >> 4;
  if (version == 4) packet.packetClass = ReadIp4(packet);
  if (version == 6) packet.packetClass = ReadIp6(packet);
  return packet;
}

namespace {

// Goes on from `h` over both addresses.
uint32_t HashAddresses(const InnerPacket& packet, uint64_t h) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  if (packet.version4) {
    h = (h * kOdd) ^ Load64(packet.bytes + kIp4Addresses);
  } else {
    const uint8_t* at = packet.bytes + kIp6Addresses;
    h = (h * kOdd) ^ Load64(at);
    h = (h * kOdd) ^ Load64(at + 8);
    h = (h * kOdd) ^ Load64(at + 16);
    h = (h * kOdd) ^ Load64(at + 24);
  }
  return uint32_t((h * kOdd) >> 32);
}

}  // namespace

uint32_t HashFlow(const InnerPacket& packet) {
  return HashAddresses(packet,
                       Load32(packet.bytes + packet.transportAt) ^ (packet.tcp ? uint64_t(1) << 32 : 0));
}

uint32_t HashQueue(const InnerPacket& packet) {
  switch (packet.packetClass) {
    case PacketClass::Opaque:
      return 0;
    case PacketClass::Address:
      return HashAddresses(packet, 0);
    default:
      return HashFlow(packet);
  }
}

bool SameAddresses(const InnerPacket& a, const InnerPacket& b) {
  if (a.version4 != b.version4) return false;
  if (a.version4) return Load64(a.bytes + kIp4Addresses) == Load64(b.bytes + kIp4Addresses);
  return memcmp(a.bytes + kIp6Addresses, b.bytes + kIp6Addresses, kIp6AddressesBytes) == 0;
}

bool SameFlow(const InnerPacket& a, const InnerPacket& b) {
  if (a.tcp != b.tcp || !SameAddresses(a, b)) return false;
  return Load32(a.bytes + a.transportAt) == Load32(b.bytes + b.transportAt);
}

uint64_t PseudoHeaderSum(const InnerPacket& packet, size_t transportLength) {
  const uint64_t addresses = packet.version4 ? SumFixed<kIp4AddressesBytes>(packet.bytes + kIp4Addresses)
                                             : SumFixed<kIp6AddressesBytes>(packet.bytes + kIp6Addresses);
  return addresses + BigWord(packet.tcp ? kProtocolTcp : kProtocolUdp) + BigWord(uint16_t(transportLength));
}

bool TransportChecksumGood(const InnerPacket& packet) {
  const size_t length = packet.length - packet.transportAt;
  const uint64_t sum = PseudoHeaderSum(packet, length) + SumBytes(packet.bytes + packet.transportAt, length);
  return FoldSum(sum) == 0xffff;
}

}  // namespace tuntap
