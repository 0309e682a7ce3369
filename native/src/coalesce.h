// Merges the deliverable packets of a batch into TCP and UDP super-packets that a TUN with IFF_VNET_HDR accepts.
// Payloads stay where they are in the arena; only the first header of a merged group is copied and patched.
// No system calls; all storage is preallocated. It must not know of peers or keys.
// Source of the rules: Linux GRO (tcp_gro_receive, udp_gro_receive_segment, inet_gro_receive, ipv6_gro_receive).
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "layout.h"
#include "virtio_net.h"

namespace tuntap {

/// What the device may be given.
struct CoalesceOptions {
  bool tcp;  // device has TUN_F_TSO4 | TUN_F_TSO6
  bool udp;  // device has TUN_F_USO4 | TUN_F_USO6
};

/// One write to the device. Points into the Coalescer and the arena; valid until the next call of Write or Plan.
struct CoalescedWrite {
  VirtioNetHeader header;  // also what pieces[0] points at; all zero for a plain packet
  const iovec* pieces;     // for writev: [0] the virtio header, [1] ... the packet. Without IFF_VNET_HDR start at [1]
  int pieceCount;          // at most kMaxWritePieces
  int firstSlot;           // the packets inside: firstSlot, then NextSlot until -1
  int packetCount;         // 1: a plain packet, untouched
  uint32_t flow;           // equal for packets of one flow; of Write only
  size_t bytes;            // sum of the pieces, virtio header included: what a complete writev returns
};

constexpr int kMaxTcpMerge = 128;  // packets in one TCP super-packet
constexpr int kMaxUdpMerge = 64;   // UDP_MAX_SEGMENTS of older kernels
constexpr int kMaxWritePieces = kMaxTcpMerge + 2;

class Coalescer {
 public:
  /// @param slots  of the largest batch that will be planned. The only allocation.
  explicit Coalescer(int slots);
  ~Coalescer();
  Coalescer(const Coalescer&) = delete;
  Coalescer& operator=(const Coalescer&) = delete;

  /// Sorts every packet with runKind Data, runKey >= 0, packetStatus 0 and packetLength > 0 into writes. Flows may be
  /// interleaved; inside a flow the order is kept. A slot whose bytes lie outside the arena gets packetStatus -EINVAL.
  /// @param batch  borrowed until the writes are done; packets are bare IP. Not modified but for that status.
  /// @return writes, >= 0; -EINVAL: the batch has more slots than this Coalescer, or a run lies outside the batch or
  ///         not behind the run before it. Allocates nothing.
  int Plan(Batch& batch, const CoalesceOptions& options);

  /// @param index  in [0, what Plan returned). @return valid until the next call of Write, WriteSlot or Plan.
  const CoalescedWrite& Write(int index);

  /// One packet of the plan, plain and unmerged: for another try after the device refused a merged write.
  const CoalescedWrite& WriteSlot(int slot);

  /// The packet behind `slot` in its write, or -1.
  int NextSlot(int slot) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tuntap
