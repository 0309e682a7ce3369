#include "system.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "unique_fd.h"

namespace tuntap {
namespace {

double Milliseconds(clockid_t clock) {
  timespec t = {};
  clock_gettime(clock, &t);
  return double(t.tv_sec) * 1e3 + double(t.tv_nsec) / 1e6;
}

}  // namespace

void ReadClock(double* cells) {
  cells[kClockBoot] = Milliseconds(CLOCK_BOOTTIME);
  cells[kClockReal] = Milliseconds(CLOCK_REALTIME);
  cells[kClockMonotonic] = Milliseconds(CLOCK_MONOTONIC);
}

uint64_t BootTimeMs() {
  timespec t = {};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return uint64_t(t.tv_sec) * 1000 + uint64_t(t.tv_nsec) / 1'000'000;
}

Outcome DisableDumps() {
  return prctl(PR_SET_DUMPABLE, 0) == 0 ? Succeeded() : Failed("prctl(PR_SET_DUMPABLE)");
}

void EndProcess(int status) { _exit(status); }

Outcome EnterNetworkNamespace(const char* path) {
  if (*path == 0) return unshare(CLONE_NEWNET) == 0 ? Succeeded() : Failed("unshare(CLONE_NEWNET)");
  const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Failed("open network namespace");
  return setns(fd.get(), CLONE_NEWNET) == 0 ? Succeeded() : Failed("setns");
}

}  // namespace tuntap
