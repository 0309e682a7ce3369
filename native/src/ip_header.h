// Field offsets of the inner headers that segmentation and coalescing read and patch, and big-endian access to them.
// Source: RFC 791, 8200, 9293, 768.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tuntap {

constexpr uint8_t kProtocolTcp = 6;
constexpr uint8_t kProtocolUdp = 17;

// IPv4
constexpr size_t kIp4HeaderBytes = 20;  // without options
constexpr size_t kIp4Tos = 1;
constexpr size_t kIp4TotalLength = 2;
constexpr size_t kIp4Id = 4;
constexpr size_t kIp4Fragment = 6;
constexpr size_t kIp4Ttl = 8;
constexpr size_t kIp4Protocol = 9;
constexpr size_t kIp4Checksum = 10;
constexpr size_t kIp4Addresses = 12;  // source, destination
constexpr size_t kIp4AddressesBytes = 8;
constexpr uint16_t kIp4DontFragment = 0x4000;
constexpr uint16_t kIp4FragmentMask = 0x3fff;  // "more fragments" and the offset

// IPv6
constexpr size_t kIp6HeaderBytes = 40;
constexpr size_t kIp6PayloadLength = 4;
constexpr size_t kIp6NextHeader = 6;
constexpr size_t kIp6HopLimit = 7;
constexpr size_t kIp6Addresses = 8;
constexpr size_t kIp6AddressesBytes = 32;
constexpr uint8_t kIp6HopByHop = 0;
constexpr uint8_t kIp6Routing = 43;
constexpr uint8_t kIp6DestinationOptions = 60;

// TCP and UDP; ports (source, destination) are the first 4 bytes of both.
constexpr size_t kTcpHeaderBytes = 20;  // without options
constexpr size_t kTcpSequence = 4;
constexpr size_t kTcpAcknowledgement = 8;
constexpr size_t kTcpDataOffset = 12;
constexpr size_t kTcpFlags = 13;
constexpr size_t kTcpWindow = 14;
constexpr size_t kTcpChecksum = 16;
constexpr size_t kTcpUrgent = 18;
constexpr size_t kUdpHeaderBytes = 8;
constexpr size_t kUdpLength = 4;
constexpr size_t kUdpChecksum = 6;

constexpr uint8_t kTcpFin = 0x01;
constexpr uint8_t kTcpPsh = 0x08;
constexpr uint8_t kTcpAck = 0x10;
constexpr uint8_t kTcpEce = 0x40;
constexpr uint8_t kTcpCwr = 0x80;

inline uint16_t LoadBig16(const uint8_t* at) { return uint16_t(at[0] << 8 | at[1]); }
inline uint32_t LoadBig32(const uint8_t* at) { return uint32_t(LoadBig16(at)) << 16 | LoadBig16(at + 2); }
inline void StoreBig16(uint8_t* at, uint16_t v) {
  at[0] = uint8_t(v >> 8);
  at[1] = uint8_t(v);
}
inline void StoreBig32(uint8_t* at, uint32_t v) {
  StoreBig16(at, uint16_t(v >> 16));
  StoreBig16(at + 2, uint16_t(v));
}

// A number as the word that it is in memory once stored big-endian: for adding to checksum sums.
inline uint16_t BigWord(uint16_t v) {
  uint8_t bytes[2];
  StoreBig16(bytes, v);
  uint16_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}

}  // namespace tuntap
