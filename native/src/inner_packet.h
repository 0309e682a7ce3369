// What coalescing needs to know of one bare IP packet: which flow it belongs to and whether it could ever be merged.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tuntap {

enum class PacketClass : uint8_t {
  Opaque,    // not IP, or shorter than its header
  Address,   // only the addresses are relied on: fragments, options, extension headers, other protocols, and whatever
             // has lengths that do not agree or a bad IPv4 header checksum
  Flow,      // TCP or UDP that is never merged: SYN, FIN, RST, URG, CWR, no payload, no UDP checksum
  Mergeable, // TCP data or a UDP datagram with payload
};

struct InnerPacket {
  const uint8_t* bytes;
  uint32_t length;
  uint16_t transportAt;
  uint16_t headerLength;  // all headers
  PacketClass packetClass;
  bool version4;
  bool tcp;
};

/// Reads the headers of a packet; never past its length. Checks the IPv4 header checksum, not the transport checksum.
/// @param length  in [1, 2^31)
InnerPacket ReadInnerPacket(const uint8_t* bytes, uint32_t length);

/// A hash over addresses, ports and protocol. Only of class Flow or Mergeable.
uint32_t HashFlow(const InnerPacket& packet);

/// A hash for choosing a queue, of any class: over what HashFlow takes, else over the addresses.
uint32_t HashQueue(const InnerPacket& packet);

/// Same addresses, ports and protocol. Only of class Flow or Mergeable.
bool SameFlow(const InnerPacket& a, const InnerPacket& b);

/// Same version, source and destination. Of any class but Opaque.
bool SameAddresses(const InnerPacket& a, const InnerPacket& b);

/// Sum of the pseudo-header: addresses, protocol, and the transport's length.
uint64_t PseudoHeaderSum(const InnerPacket& packet, size_t transportLength);

/// Verifies the TCP or UDP checksum. Only of class Mergeable.
bool TransportChecksumGood(const InnerPacket& packet);

}  // namespace tuntap
