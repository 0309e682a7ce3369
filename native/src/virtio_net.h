// The 10-byte header that a TUN with IFF_VNET_HDR puts before every packet, in host order (the TUN default).
// Source: virtio 1.2, 5.1.6; linux/virtio_net.h.
#pragma once

#include <cstdint>

namespace tuntap {

struct VirtioNetHeader {
  uint8_t flags;
  uint8_t gsoType;
  uint16_t headerLength;    // a hint: bytes before the payload
  uint16_t gsoSize;         // payload bytes of each segment but the last
  uint16_t checksumStart;   // the sum runs from here to the end of the packet
  uint16_t checksumOffset;  // and goes here, counted from checksumStart
};
static_assert(sizeof(VirtioNetHeader) == 10, "wire size");

constexpr uint8_t kVirtioNeedsChecksum = 1;  // flags: the field holds the pseudo-header sum only

// gsoType
constexpr uint8_t kGsoNone = 0;
constexpr uint8_t kGsoTcp4 = 1;
constexpr uint8_t kGsoTcp6 = 4;
constexpr uint8_t kGsoUdp = 5;      // UDP_L4: whole datagrams, not fragments; IPv4 and IPv6
constexpr uint8_t kGsoEcn = 0x80;   // added to a TCP type: CWR may be set, on the first segment only

}  // namespace tuntap
