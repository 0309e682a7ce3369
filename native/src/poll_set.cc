#include "poll_set.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include <cmath>
#include <utility>

namespace tuntap {

namespace {

constexpr double kFarMs = 1e15;  // a deadline that no machine lives to see, and still a time_t

}  // namespace

PollSet::PollSet(UniqueFd epoll) : epoll_(std::move(epoll)) {}

Outcome PollSet::Open(std::unique_ptr<PollSet>& out) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return Failed("epoll_create1");
  out.reset(new PollSet(std::move(epoll)));
  return Succeeded();
}

Outcome PollSet::Add(int fd, PollTag tag) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = uint64_t(tag.watcher) << 32 | tag.bit;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? Succeeded() : Failed("epoll_ctl(EPOLL_CTL_ADD)");
}

Outcome PollSet::Remove(int fd) {
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) == 0 || errno == ENOENT || errno == EBADF) return Succeeded();
  return Failed("epoll_ctl(EPOLL_CTL_DEL)");
}

int PollSet::Wait(int timeoutMs, PollTag* ready) {
  epoll_event events[kReadyMax];
  const int n = epoll_wait(epoll_.get(), events, kReadyMax, timeoutMs);
  for (int i = 0; i < n; ++i) ready[i] = PollTag{uint32_t(events[i].data.u64 >> 32), uint32_t(events[i].data.u64)};
  return n < 0 ? 0 : n;
}

PollTimer::PollTimer(UniqueFd timer) : timer_(std::move(timer)) {}

Outcome PollTimer::Open(std::unique_ptr<PollTimer>& out) {
  UniqueFd timer(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return Failed("timerfd_create");
  out.reset(new PollTimer(std::move(timer)));
  return Succeeded();
}

Outcome PollTimer::Set(double deadlineMs) {
  itimerspec when = {};
  if (deadlineMs > 0) {
    deadlineMs = std::fmin(deadlineMs, kFarMs);
    const double seconds = std::floor(deadlineMs / 1e3);
    when.it_value.tv_sec = time_t(seconds);
    when.it_value.tv_nsec = long((deadlineMs - seconds * 1e3) * 1e6);
    // All zero would disarm.
    if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0) when.it_value.tv_nsec = 1;
  }
  const bool set = timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0;
  return set ? Succeeded() : Failed("timerfd_settime");
}

bool PollTimer::Drain() {
  uint64_t expirations = 0;
  return read(timer_.get(), &expirations, sizeof expirations) > 0;
}

}  // namespace tuntap
