// Packets for the tests: a description of one inner packet, and its bytes with every checksum right. Written apart from
// the code under test: nothing here includes checksum.h or ip_header.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace tuntap::test {

using Bytes = std::vector<uint8_t>;
using Random = std::mt19937_64;

enum TcpFlag : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32, kEce = 64, kCwr = 128 };

struct PacketSpec {
  bool version6 = false;
  bool tcp = true;
  uint8_t source[16] = {10, 0, 0, 1};
  uint8_t destination[16] = {10, 0, 0, 2};
  uint16_t sourcePort = 4000;
  uint16_t destinationPort = 5001;
  uint8_t tos = 0;  // traffic class
  uint32_t flowLabel = 0;
  uint8_t ttl = 64;
  uint16_t id = 0x1234;
  uint16_t fragment = 0x4000;  // flags and offset; DF
  Bytes ipOptions;             // IPv4 options (multiple of 4), or IPv6 extension headers as they stand
  uint8_t firstExtension = 0;  // IPv6: protocol number of ipOptions' first header; its last names the transport
  uint32_t sequence = 1000;
  uint32_t acknowledgement = 77;
  uint8_t flags = kAck;
  uint8_t reserved = 0;  // low nibble of the data-offset byte
  uint16_t window = 500;
  uint16_t urgent = 0;
  Bytes tcpOptions;  // multiple of 4
  bool noUdpChecksum = false;
  Bytes payload;
};

inline uint16_t Get16(const Bytes& b, size_t at) { return uint16_t(b[at] << 8 | b[at + 1]); }
inline uint32_t Get32(const Bytes& b, size_t at) { return uint32_t(Get16(b, at)) << 16 | Get16(b, at + 2); }
inline void Put16(Bytes& b, size_t at, uint32_t v) {
  b[at] = uint8_t(v >> 8);
  b[at + 1] = uint8_t(v);
}
inline void Append16(Bytes& b, uint32_t v) {
  b.push_back(uint8_t(v >> 8));
  b.push_back(uint8_t(v));
}
inline void Append32(Bytes& b, uint32_t v) {
  Append16(b, v >> 16);
  Append16(b, v & 0xffff);
}
inline void AppendAll(Bytes& b, const Bytes& more) { b.insert(b.end(), more.begin(), more.end()); }

inline size_t TransportAt(const PacketSpec& spec) { return (spec.version6 ? 40 : 20) + spec.ipOptions.size(); }
inline size_t HeaderBytes(const PacketSpec& spec) {
  return TransportAt(spec) + (spec.tcp ? 20 + spec.tcpOptions.size() : 8);
}

/// Sum over 16-bit big-endian words, folded at every step: the definition in RFC 1071 taken literally.
inline uint16_t ReferenceSum(const uint8_t* data, size_t n, uint32_t sum = 0) {
  for (size_t i = 0; i < n; i += 2) {
    sum += uint32_t(data[i] << 8 | (i + 1 < n ? data[i + 1] : 0));
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return uint16_t(sum);
}

/// Pseudo-header sum of a packet whose transport starts at transportAt. Destination as in the fixed header.
inline uint16_t ReferencePseudoSum(const Bytes& packet, size_t transportAt, bool tcp) {
  const bool version6 = packet[0] >> 4 == 6;
  uint16_t sum = version6 ? ReferenceSum(&packet[8], 32) : ReferenceSum(&packet[12], 8);
  const uint8_t tail[4] = {0, uint8_t(tcp ? 6 : 17), uint8_t((packet.size() - transportAt) >> 8),
                           uint8_t(packet.size() - transportAt)};
  return ReferenceSum(tail, 4, sum);
}

/// Writes the transport checksum in full.
inline void CompleteChecksum(Bytes& packet, size_t transportAt, bool tcp) {
  const size_t field = transportAt + (tcp ? 16 : 6);
  Put16(packet, field, 0);
  const uint16_t pseudo = ReferencePseudoSum(packet, transportAt, tcp);
  const uint16_t sum = uint16_t(~ReferenceSum(&packet[transportAt], packet.size() - transportAt, pseudo));
  Put16(packet, field, sum == 0 && !tcp ? 0xffff : sum);
}

inline void CompleteIp4Checksum(Bytes& packet) {
  Put16(packet, 10, 0);
  Put16(packet, 10, uint16_t(~ReferenceSum(packet.data(), size_t(packet[0] & 15) * 4)));
}

inline void AppendNetwork(Bytes& out, const PacketSpec& spec, size_t behind) {
  const uint8_t protocol = spec.tcp ? 6 : 17;
  const size_t optionBytes = spec.ipOptions.size();
  if (spec.version6) {
    Append32(out, 6u << 28 | uint32_t(spec.tos) << 20 | spec.flowLabel);
    Append16(out, uint32_t(optionBytes + behind));
    out.push_back(optionBytes != 0 ? spec.firstExtension : protocol);
    out.push_back(spec.ttl);
    out.insert(out.end(), spec.source, spec.source + 16);
    out.insert(out.end(), spec.destination, spec.destination + 16);
    AppendAll(out, spec.ipOptions);
    return;
  }
  out.push_back(uint8_t(0x40 | (5 + optionBytes / 4)));
  out.push_back(spec.tos);
  Append16(out, uint32_t(20 + optionBytes + behind));
  Append16(out, spec.id);
  Append16(out, spec.fragment);
  out.push_back(spec.ttl);
  out.push_back(protocol);
  Append16(out, 0);
  out.insert(out.end(), spec.source, spec.source + 4);
  out.insert(out.end(), spec.destination, spec.destination + 4);
  AppendAll(out, spec.ipOptions);
  CompleteIp4Checksum(out);
}

/// The packet as it is on a wire.
inline Bytes Build(const PacketSpec& spec) {
  const size_t transportAt = TransportAt(spec);
  const size_t behind = HeaderBytes(spec) - transportAt + spec.payload.size();
  Bytes out;
  AppendNetwork(out, spec, behind);
  Append16(out, spec.sourcePort);
  Append16(out, spec.destinationPort);
  if (spec.tcp) {
    Append32(out, spec.sequence);
    Append32(out, spec.acknowledgement);
    out.push_back(uint8_t((5 + spec.tcpOptions.size() / 4) << 4 | spec.reserved));
    out.push_back(spec.flags);
    Append16(out, spec.window);
    Append16(out, 0);
    Append16(out, spec.urgent);
    AppendAll(out, spec.tcpOptions);
  } else {
    Append16(out, uint32_t(behind));
    Append16(out, 0);
  }
  AppendAll(out, spec.payload);
  if (spec.tcp || !spec.noUdpChecksum) CompleteChecksum(out, transportAt, spec.tcp);
  return out;
}

/// Payload whose bytes tell their position, so that a misplaced one shows.
inline Bytes Pattern(size_t n, uint32_t start = 0) {
  Bytes out(n);
  for (size_t i = 0; i < n; i++) out[i] = uint8_t((start + i) * 167 + ((start + i) >> 8));
  return out;
}

inline size_t Below(Random& random, size_t n) { return size_t(random() % n); }
inline bool OneIn(Random& random, size_t n) { return Below(random, n) == 0; }

inline Bytes RandomBytes(Random& random, size_t n) {
  Bytes out(n);
  for (auto& b : out) b = uint8_t(random());
  return out;
}

/// A flow with random addresses, fields and TCP options; no IP options, payload empty.
inline PacketSpec RandomFlow(Random& random) {
  PacketSpec spec;
  spec.version6 = OneIn(random, 2);
  spec.tcp = OneIn(random, 2);
  for (auto& b : spec.source) b = uint8_t(random());
  for (auto& b : spec.destination) b = uint8_t(random());
  spec.sourcePort = uint16_t(random());
  spec.destinationPort = uint16_t(random());
  spec.tos = uint8_t(random());
  spec.flowLabel = uint32_t(random() & 0xfffff);
  spec.ttl = uint8_t(random());
  spec.id = uint16_t(random());
  spec.fragment = OneIn(random, 2) ? 0x4000 : 0;
  spec.sequence = uint32_t(random());
  spec.acknowledgement = uint32_t(random());
  spec.window = uint16_t(random());
  spec.tcpOptions = RandomBytes(random, Below(random, 11) * 4);
  return spec;
}

/// Why a receiver would refuse this packet (length, IPv4 or transport checksum), or "" if it would not.
inline std::string WhyInvalid(const Bytes& packet, size_t transportAt, bool tcp) {
  if (packet.size() < transportAt + 8) return "short";
  if (packet[0] >> 4 == 4) {
    if (Get16(packet, 2) != packet.size()) return "IPv4 total length";
    if (ReferenceSum(packet.data(), size_t(packet[0] & 15) * 4) != 0xffff) return "IPv4 header checksum";
  } else if (Get16(packet, 4) + 40u != packet.size()) {
    return "IPv6 payload length";
  }
  if (!tcp && Get16(packet, transportAt + 4) != packet.size() - transportAt) return "UDP length";
  if (!tcp && Get16(packet, transportAt + 6) == 0) return "UDP checksum absent";
  const uint16_t pseudo = ReferencePseudoSum(packet, transportAt, tcp);
  const uint16_t sum = ReferenceSum(&packet[transportAt], packet.size() - transportAt, pseudo);
  return sum == 0xffff ? "" : "transport checksum";
}

/// Seed from the environment (SEED) or the clock; printed, so that a failure can be replayed.
inline uint64_t ChooseSeed() {
  const char* given = std::getenv("SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : uint64_t(std::time(nullptr));
  std::printf("SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

}  // namespace tuntap::test
