// Splits one packet or super-packet of a TUN read into the packets of one run, straight into the batch's arena.
// Bytes in, bytes out: no system calls, no allocation. It must not know of peers or keys.
// Source: virtio 1.2, 5.1.6.2; what Linux does in tcp_gso_segment, __udp_gso_segment and inet_gso_segment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "layout.h"
#include "virtio_net.h"

namespace tuntap {

constexpr size_t kMaxSuperPacketBytes = 65535;

/// Slots to keep free before a TUN read. Covers every UDP super-packet (UDP_MAX_SEGMENTS) and TCP with an MSS of 512 or
/// more. A smaller MSS can need more slots: then SegmentSuperPacket returns -ENOBUFS, leaves the batch as it was, and
/// the caller offers the same bytes to an emptier batch.
constexpr int kMaxSegments = 128;

/// Arena bytes to keep free before a TUN read: the super-packet, and for each segment headroom, padding, tag and a copy
/// of the longest IPv6 + TCP header without extension headers.
constexpr int kMaxSegmentArenaBytes =
    int(kMaxSuperPacketBytes + kMaxSegments * (kHeadroomBytes + (kPadToBytes - 1) + kTagBytes + 40 + 60));

/// Appends one run of kind Data with its packets, and moves the batch's header cells. Slot k's plaintext starts
/// kHeadroomBytes after the end of slot k-1 (padding and tag included), so that sealed datagrams are contiguous.
/// Run columns that JavaScript decides are set to "undecided": runKey kNoKey, runEndpoint kNoEndpoint, the rest 0.
/// @param header  as read; only flags, gsoType, gsoSize and the checksum fields count, and none is trusted.
/// @param packet  bare IP, outside the arena or in its unused part behind the room this run takes.
/// @param length  bytes at `packet`.
/// @return packets appended, >= 1; -EINVAL: malformed or of a type never asked for; -ENOBUFS: slots, runs or arena do
///         not suffice. On failure the batch is unchanged. Allocates nothing.
int SegmentSuperPacket(const VirtioNetHeader& header, const uint8_t* packet, size_t length, Batch& batch);

}  // namespace tuntap
