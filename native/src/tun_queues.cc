// HOT PATH: see tun_queues.h.
#include "tun_queues.h"

#include <sys/syscall.h>

#include <cerrno>

namespace tuntap {
namespace {

// A turn takes so much of a queue, as deficit round robin has it: one super-packet, or some small packets.
constexpr long kQuantumBytes = 16 << 10;
// What the smallest packet counts: work for a packet is not only for its bytes.
constexpr long kPacketBytesMin = 1 << 10;

}  // namespace

bool TunQueues::Add(UniqueFd fd) {
  if (count_ == kMaxTunQueues) return false;
  polls_[count_] = {fd.get(), POLLIN, 0};
  fds_[count_++] = static_cast<UniqueFd&&>(fd);
  return true;
}

void TunQueues::Look() {
  read_ = 0;
  if (count_ == 1) {
    ready_ = 1;  // reading tells as much as asking, for the same price
    return;
  }
  if (poll(polls_, nfds_t(count_), 0) <= 0) return;
  // An error counts as ready: the read names it.
  for (int queue = 0; queue < count_; ++queue) ready_ |= uint32_t(polls_[queue].revents != 0) << queue;
}

bool TunQueues::BulkIsNext() const {
  return read_ != 0 && (read_ & bulk_) == 0 && ready_ != 0 && (ready_ & ~bulk_) == 0;
}

// To the next queue that has something, bulk last. Returns whether there is one.
bool TunQueues::PassTurn() {
  const uint32_t small = ready_ & ~bulk_;
  const uint32_t among = small != 0 ? small : ready_;
  left_ = kQuantumBytes;
  for (int i = 0; i < count_; ++i) {
    turn_ = turn_ + 1 == count_ ? 0 : turn_ + 1;
    if ((among >> turn_ & 1) != 0) return true;
  }
  return false;
}

// Whether the queue whose turn it is goes on.
bool TunQueues::KeepsTurn() {
  const uint32_t mine = uint32_t(1) << turn_;
  if ((ready_ & mine) == 0) return false;
  if (left_ <= 0) {
    bulk_ |= mine;
    return false;
  }
  return (bulk_ & mine) == 0 || (ready_ & ~bulk_) == 0;
}

long TunQueues::Read(void* into, size_t bytes, bool beforeBulk) {
  if (ready_ == 0 && !beforeBulk) Look();
  for (;;) {
    if (!KeepsTurn()) {
      if (beforeBulk && BulkIsNext()) return -EAGAIN;
      if (!PassTurn()) return -EAGAIN;
    }
    const uint32_t mine = uint32_t(1) << turn_;
    // Not read(): its cancellation handling costs 3 % of a run of small packets.
    const long n = syscall(SYS_read, fds_[turn_].get(), into, bytes);
    if (n >= 0) {
      left_ -= n > kPacketBytesMin ? n : kPacketBytesMin;
      read_ |= mine;
      return n;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    ready_ &= ~mine;
    bulk_ &= ~mine;
  }
}

}  // namespace tuntap
