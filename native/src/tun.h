// A TUN or TAP device: open, attach, configure; packets in batches and one by one.
// It must not know what a packet is for. Sources: Linux Documentation/networking/tuntap.rst, drivers/net/tun.c.
#pragma once

#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "coalesce.h"
#include "layout.h"
#include "link_losses.h"
#include "netns_socket.h"
#include "segment.h"
#include "syscall_error.h"
#include "tun_queues.h"
#include "unique_fd.h"

namespace tuntap {

/// Cells of a device's statistics, doubles that JavaScript reads directly. tun.ts has the same list; a test compares.
enum TunStat : int {
  kTunReads = 0,             // read calls that gave a packet or super-packet
  kTunReadBytes,             // bytes of them, without virtio headers
  kTunSuperPackets,          // reads that were split
  kTunSegments,              // packets placed in batches
  kTunMalformed,             // reads dropped: not what the virtio header promised
  kTunTooLarge,              // reads dropped: did not fit even an empty batch
  kTunWrites,                // write calls that the device took
  kTunWriteBytes,            // bytes of them, without virtio headers
  kTunCoalescedWrites,       // writes that carried several packets
  kTunWrittenPackets,        // packets delivered
  kTunWriteFailures,         // packets that the device refused
  kTunRetriedUncoalesced,    // merged writes refused with EINVAL and sent again singly
  kTunQueueDropped,          // (super-)packets that the interface dropped before a read: its queue was full (tx_dropped)
  kTunKernelDropped,         // packets dropped behind a write, those that it refused included (rx_dropped)
  kTunStatCount,
};

/// Memory that one ReadFrame may fill: virtio header, Ethernet header with a VLAN tag, the largest packet.
constexpr size_t kFrameBytesMax = sizeof(VirtioNetHeader) + 18 + kMaxSuperPacketBytes;

enum class TunMode : int { kTun = 0, kTap = 1 };

struct TunOptions {
  char name[IFNAMSIZ];  // exact, or with one %d; empty: the kernel chooses
  TunMode mode;
  bool vnetHeader;
  bool persist;
  int queues;  // 1 to kMaxTunQueues: how many to ask for; an older interface, or another's descriptor, may have one
  int fd;      // an already attached descriptor to take over, or -1
  const int32_t* moreFds;  // the other queues of the same interface to take over with it, borrowed
  int moreFdCount;
};

/// linkState cells.
enum LinkCell : int { kLinkIfindex = 0, kLinkMtu = 1, kLinkUp = 2, kLinkCells = 3 };

class Tun {
 public:
  /// @param stats  kTunStatCount doubles, borrowed for the object's life.
  /// @return the device in `out`, or the call that failed. Descriptors passed in stay the caller's on failure.
  static Outcome Open(const TunOptions& options, double* stats, std::unique_ptr<Tun>& out);

  int fd() const { return queues_.fd(0); }
  const TunQueues& queues() const { return queues_; }
  TunMode mode() const { return mode_; }
  const char* openedName() const { return openedName_; }
  bool vnetHeader() const { return vnetHeader_; }
  bool tso() const { return offloads_.tcp; }
  bool uso() const { return offloads_.udp; }

  /// Switches segmentation offloads; what the kernel refuses stays off, see tso() and uso().
  Outcome SetOffloads(bool tso, bool uso);
  /// The same for a TAP with a virtio header whose frames are read whole (ReadFrame): ReadBatch does not split them.
  /// @return 1 if TSO is on, plus 2 if USO is.
  Outcome SetFrameOffloads(bool tso, bool uso);
  Outcome SetPersist(bool persist);
  Outcome SetMtu(int mtu);
  Outcome SetUp(bool up);
  Outcome SetTxQueueLength(int packets);
  /// Name now, which a rename changes. @param name  IFNAMSIZ bytes.
  Outcome CurrentName(char* name) const;
  /// Fills kLinkCells cells, wherever the interface lives now. @return 0, or -errno when it is gone (-EBADFD).
  int LinkState(int32_t* cells);
  /// Brings kTunQueueDropped and kTunKernelDropped up to date; what the interface lost before Open does not count.
  /// @return 0 or -errno.
  int RefreshLosses();
  /// As LinkState, but names the failed call.
  Outcome ReadLink(int32_t* cells);

  /// Appends packets to the batch until it has no room for another read, some hundreds are there, or the device has
  /// nothing: kCellMore tells. May keep one packet that did not fit for the next call: call until nothing is left.
  /// @return runs appended; -errno when none was. Allocates nothing.
  int ReadBatch(Batch& batch);
  /// Writes every deliverable packet, merged where the device allows it. A refused packet gets packetStatus -errno.
  /// @return packets delivered. Allocates nothing, but once for a batch larger than all before.
  int WriteBatch(Batch& batch);
  /// One packet. @return its length; -EAGAIN none; -EMSGSIZE: `capacity` is too small and the packet is lost.
  int ReadPacket(uint8_t* into, size_t capacity);
  /// One packet, bare IP or an Ethernet frame. @return its length, or -errno.
  int WritePacket(const uint8_t* packet, size_t length);
  /// One read as it comes: virtio header if the device has one, then the packet or frame, super-packets unsplit.
  /// @param capacity  at least kFrameBytesMax, or nothing is read (-ENOBUFS). @return bytes, or -errno.
  int ReadFrame(uint8_t* into, size_t capacity);
  /// One write of two pieces, headers and body, laid out as ReadFrame gives them. @return bytes, or -errno.
  int WriteFrame(const uint8_t* head, size_t headBytes, const uint8_t* body, size_t bodyBytes);

 private:
  Tun(TunQueues queues, TunMode mode, bool vnetHeader, double* stats);

  Outcome ApplyOffloads(unsigned long checksum, bool tso, bool uso, CoalesceOptions& applied);
  Outcome SetLink(unsigned long request, const char* call, int value);
  /// A socket of the namespace that the interface is in now.
  Outcome LinkSocket();
  int Fill(bool beforeBulk);
  int Append(Batch& batch);
  int AppendPlain(const uint8_t* packet, size_t length, Batch& batch);
  bool HasRoom(const Batch& batch) const;
  int WritePlanned(const CoalescedWrite& write, Batch& batch);
  int WritePieces(const CoalescedWrite& write, int fd);
  int WriteFrames(Batch& batch);

  TunQueues queues_;
  TunMode mode_;
  bool vnetHeader_;
  CoalesceOptions offloads_{false, false};
  char openedName_[IFNAMSIZ] = {};
  double* stats_;
  NetnsSocket linkSocket_{AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0};
  NetnsSocket statsSocket_{AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE};
  LinkLosses lossesSeen_{};
  uint32_t lossesAsked_ = 0;
  std::unique_ptr<uint8_t[]> scratch_;  // one read, virtio header included
  size_t held_ = 0;                     // bytes in scratch_ not yet placed in a batch
  int plannedSlots_ = 0;
  std::unique_ptr<Coalescer> coalescer_;
  // ReadPacket on a device with offloads splits super-packets here and hands the packets out one by one.
  std::vector<uint8_t> singleMemory_;
  Batch single_{};
  int singleNext_ = 0;
};

}  // namespace tuntap
