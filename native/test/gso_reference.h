// What a kernel does with a super-packet, written plainly from Linux's sources (virtio_net_hdr_to_skb, tun_get_user,
// tcp_gso_segment, __udp_gso_segment): whether it accepts one, and the packets it makes of it. Slow and independent of
// the code under test but for VirtioNetHeader.
#pragma once

#include <string>
#include <vector>

#include "packets.h"
#include "virtio_net.h"

namespace tuntap::test {

/// Makes the super-packet of a spec as a kernel hands it over: the checksum field holds the pseudo-header sum.
struct SuperPacketBytes {
  VirtioNetHeader header;
  Bytes packet;
};

inline SuperPacketBytes BuildSuper(const PacketSpec& spec, uint16_t gsoSize, bool ecn = false) {
  SuperPacketBytes out;
  out.packet = Build(spec);
  const size_t at = TransportAt(spec);
  const uint16_t offset = spec.tcp ? 16 : 6;
  Put16(out.packet, at + offset, ReferencePseudoSum(out.packet, at, spec.tcp));
  uint8_t type = spec.tcp ? (spec.version6 ? kGsoTcp6 : kGsoTcp4) : kGsoUdp;
  if (ecn) type |= kGsoEcn;
  out.header = {kVirtioNeedsChecksum, type, uint16_t(HeaderBytes(spec)), gsoSize, uint16_t(at), offset};
  return out;
}

/// Why a kernel would refuse this write, or make something else of it than a super-packet; "" if it is good.
inline std::string WhyRefused(const VirtioNetHeader& h, const Bytes& packet) {
  const size_t length = packet.size();
  if (length > 65535) return "longer than 65,535";
  if (h.flags != kVirtioNeedsChecksum) return "flags";
  if (size_t(h.checksumStart) + h.checksumOffset + 2 > length) return "checksum field outside";
  if (h.headerLength > length) return "header length outside";
  const uint8_t version = packet[0] >> 4;
  const bool tcp = h.gsoType == kGsoTcp4 || h.gsoType == kGsoTcp6;
  if (!tcp && h.gsoType != kGsoUdp) return "gso type";
  if (tcp && version != (h.gsoType == kGsoTcp4 ? 4 : 6)) return "gso type does not suit the IP version";
  const size_t at = version == 4 ? 20 : 40;
  if (version == 4) {
    if (packet[0] != 0x45) return "IPv4 options";
    if (packet[9] != (tcp ? 6 : 17)) return "protocol";
    if ((Get16(packet, 6) & 0x3fff) != 0) return "fragment";
    if (Get16(packet, 2) != length) return "IPv4 total length";
    if (ReferenceSum(packet.data(), 20) != 0xffff) return "IPv4 header checksum";
  } else {
    if (packet[6] != (tcp ? 6 : 17)) return "next header";
    if (Get16(packet, 4) + 40u != length) return "IPv6 payload length";
  }
  if (h.checksumStart != at) return "checksum start";
  if (h.checksumOffset != (tcp ? 16 : 6)) return "checksum offset";
  const size_t headerBytes = at + (tcp ? size_t(packet[at + 12] >> 4) * 4 : 8);
  if (tcp && headerBytes < at + 20) return "data offset";
  if (headerBytes != h.headerLength) return "header length";
  if (h.gsoSize == 0 || h.gsoSize == 0xffff) return "gso size";
  if (headerBytes + h.gsoSize >= length) return "one segment only";
  if (!tcp && Get16(packet, at + 4) != length - at) return "UDP length";
  if (!tcp && (length - headerBytes + h.gsoSize - 1) / h.gsoSize > 64) return "more than 64 datagrams";
  if (Get16(packet, at + h.checksumOffset) != ReferencePseudoSum(packet, at, tcp)) return "pseudo-header sum";
  return "";
}

/// The packets that software segmentation makes; the IPv4 id rises from one to the next.
inline std::vector<Bytes> ReferenceSegment(const VirtioNetHeader& h, const Bytes& packet) {
  const bool tcp = (h.gsoType & ~kGsoEcn) != kGsoUdp;
  const size_t at = h.checksumStart;
  const size_t headerBytes = at + (tcp ? size_t(packet[at + 12] >> 4) * 4 : 8);
  std::vector<Bytes> out;
  for (size_t from = headerBytes; from < packet.size() || out.empty(); from += h.gsoSize) {
    const size_t end = std::min(packet.size(), from + h.gsoSize);
    Bytes segment(packet.begin(), packet.begin() + long(headerBytes));
    segment.insert(segment.end(), packet.begin() + long(from), packet.begin() + long(end));
    if (packet[0] >> 4 == 4) {
      Put16(segment, 2, uint32_t(segment.size()));
      Put16(segment, 4, uint32_t(Get16(packet, 4) + out.size()));
      CompleteIp4Checksum(segment);
    } else {
      Put16(segment, 4, uint32_t(segment.size() - 40));
    }
    if (tcp) {
      const uint32_t sequence = Get32(packet, at + 4) + uint32_t(from - headerBytes);
      Put16(segment, at + 4, sequence >> 16);
      Put16(segment, at + 6, sequence & 0xffff);
      if (!out.empty()) segment[at + 13] &= uint8_t(~kCwr);
      if (end < packet.size()) segment[at + 13] &= uint8_t(~(kFin | kPsh));
    } else {
      Put16(segment, at + 4, uint32_t(segment.size() - at));
    }
    CompleteChecksum(segment, at, tcp);
    out.push_back(segment);
  }
  return out;
}

}  // namespace tuntap::test
