// Descriptors and one absolute timer a watcher behind a single epoll descriptor. It knows neither libuv nor JavaScript.
// Sources: epoll(7), timerfd_create(2).
#pragma once

#include <cstdint>
#include <memory>

#include "syscall_error.h"
#include "unique_fd.h"

namespace tuntap {

constexpr uint32_t kTimerBit = 1U << 30;

/// What a descriptor reports when it is readable, hung up or broken.
struct PollTag {
  uint32_t watcher;
  uint32_t bit;
};

class PollSet {
 public:
  static constexpr int kReadyMax = 32;

  static Outcome Open(std::unique_ptr<PollSet>& out);

  /// Watches a borrowed descriptor for input, level-triggered.
  Outcome Add(int fd, PollTag tag);
  /// No error for a descriptor that is not watched.
  Outcome Remove(int fd);
  /// @param timeoutMs  0: does not block; -1: for ever. @param ready  kReadyMax cells.
  /// @return how many are ready; 0 also after a signal. Allocates nothing.
  int Wait(int timeoutMs, PollTag* ready);

 private:
  explicit PollSet(UniqueFd epoll);

  UniqueFd epoll_;
};

/// A timer for a PollSet.
class PollTimer {
 public:
  static Outcome Open(std::unique_ptr<PollTimer>& out);

  int fd() const { return timer_.get(); }
  /// @param deadlineMs  CLOCK_BOOTTIME; a past one fires at once; 0 disarms.
  Outcome Set(double deadlineMs);
  /// Makes it unreadable again. @return false if it had not expired after all.
  bool Drain();

 private:
  explicit PollTimer(UniqueFd timer);

  UniqueFd timer_;
};

}  // namespace tuntap
