// HOT PATH: the queues of one TUN or TAP device (IFF_MULTI_QUEUE). The kernel sorts flows onto queues, so that a small
// packet need not stand behind another flow's bulk; reads take turns. It must not know packets, only how long they are.
// Source: Linux drivers/net/tun.c (tun_automq_select_queue, tun_flow_update).
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>

#include "unique_fd.h"

namespace tuntap {

constexpr int kMaxTunQueues = 8;

class TunQueues {
 public:
  /// @param first  the descriptor that the device was opened with; non-blocking.
  explicit TunQueues(UniqueFd first) { Add(static_cast<UniqueFd&&>(first)); }

  /// @param fd  another queue of the same device; non-blocking. @return whether there was room for it.
  bool Add(UniqueFd fd);

  int count() const { return count_; }
  int fd(int queue) const { return fds_[queue].get(); }
  /// The queue that a flow's packets are written to. The kernel sends the flow's answers to the same one.
  int fdOf(uint32_t flow) const { return fds_[flow % unsigned(count_)].get(); }

  /// Notes which queues have something, in one call for all of them. Reads find new arrivals only after it.
  void Look();
  /// One packet of the queue whose turn it is: first of those that ran dry within their last turn, then of bulk.
  /// @param beforeBulk  as in a batch: the caller has looked, and it is -EAGAIN too once BulkIsNext().
  /// @return bytes; -EAGAIN: all that were seen to have something are empty; another -errno. Allocates nothing.
  long Read(void* into, size_t bytes, bool beforeBulk = false);
  /// Whether something was read since the last look, all of it from queues that are empty now, and others wait with bulk:
  /// the moment to hand on what was read, so that it need not wait for the work on the bulk.
  bool BulkIsNext() const;

 private:
  bool PassTurn();
  bool KeepsTurn();

  UniqueFd fds_[kMaxTunQueues];
  pollfd polls_[kMaxTunQueues] = {};
  int count_ = 0;
  uint32_t ready_ = 0;  // a bit a queue, as in the next two
  uint32_t bulk_ = 0;   // had more than a turn takes, and have not been seen empty since
  uint32_t read_ = 0;   // were read since the last look
  int turn_ = 0;
  long left_ = 0;       // bytes until the turn passes
};

}  // namespace tuntap
