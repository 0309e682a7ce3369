// Preloaded into a daemon: system calls that fail when a test says so, and a boot-time clock that jumps as after a suspend. Orders
// stand in a file of the daemon's host that both sides map; faulty-calls.ts has the same cells. Without the file nothing changes.
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>

namespace {

struct Fault {
  std::atomic<int32_t> error;  // errno; 0: the call works
  std::atomic<int32_t> left;   // calls that still fail
  std::atomic<int32_t> hits;   // calls that failed
  int32_t unused;
};

struct Orders {
  Fault udpSend;
  Fault tunWrite;
  Fault udpReceive;
  Fault tunRead;
  std::atomic<int64_t> bootAheadMs;
};

constexpr char kPath[] = "/run/faulty-calls";
constexpr int kFdsMax = 1024;
constexpr int kLookUs = 5'000;

Orders* orders = nullptr;
itimerspec armed[kFdsMax];          // as the daemon asked for, in its own time
std::atomic<bool> isBootTimer[kFdsMax];
pthread_mutex_t timers = PTHREAD_MUTEX_INITIALIZER;

template <class Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool IsUdp(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
  return type == SOCK_DGRAM && (domain == AF_INET || domain == AF_INET6);
}

bool IsTun(int fd) {
  struct stat file = {};
  return fstat(fd, &file) == 0 && S_ISCHR(file.st_mode) && file.st_rdev == makedev(10, 200);
}

// Whether this call is to fail; errno is set then.
bool Fails(Fault* fault, bool isOurs) {
  if (fault == nullptr || !isOurs) return false;
  const int error = fault->error.load();
  if (error == 0 || fault->left.load() <= 0) return false;
  fault->left.fetch_sub(1);
  fault->hits.fetch_add(1);
  errno = error;
  return true;
}

int64_t AheadMs() { return orders == nullptr ? 0 : orders->bootAheadMs.load(); }

timespec Shifted(timespec time, int64_t ms) {
  int64_t ns = time.tv_nsec + (ms % 1000) * 1'000'000;
  time.tv_sec += ms / 1000;
  if (ns < 0) {
    ns += 1'000'000'000;
    time.tv_sec -= 1;
  } else if (ns >= 1'000'000'000) {
    ns -= 1'000'000'000;
    time.tv_sec += 1;
  }
  time.tv_nsec = long(ns);
  return time;
}

int Arm(int fd, int64_t aheadMs) {
  static auto* next = Next<int(int, int, const itimerspec*, itimerspec*)>("timerfd_settime");
  itimerspec when = armed[fd];
  if (when.it_value.tv_sec != 0 || when.it_value.tv_nsec != 0) {
    when.it_value = Shifted(when.it_value, -aheadMs);
    if (when.it_value.tv_sec < 0) when.it_value = {0, 1};  // it was due while the machine slept
  }
  return next(fd, TFD_TIMER_ABSTIME, &when, nullptr);
}

// A machine that wakes up fires the timers that came due meanwhile.
void* FollowClock(void*) {
  for (int64_t lastMs = AheadMs();; usleep(kLookUs)) {
    const int64_t nowMs = AheadMs();
    if (nowMs == lastMs) continue;
    lastMs = nowMs;
    pthread_mutex_lock(&timers);
    for (int fd = 0; fd < kFdsMax; ++fd) {
      if (isBootTimer[fd]) Arm(fd, nowMs);
    }
    pthread_mutex_unlock(&timers);
  }
  return nullptr;
}

__attribute__((constructor)) void MapOrders() {
  const int fd = open(kPath, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* memory = mmap(nullptr, sizeof(Orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return;
  orders = static_cast<Orders*>(memory);
  pthread_t thread;
  pthread_create(&thread, nullptr, FollowClock, nullptr);
}

}  // namespace

extern "C" {

int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  static auto* next = Next<int(int, mmsghdr*, unsigned, int)>("sendmmsg");
  return Fails(orders ? &orders->udpSend : nullptr, IsUdp(fd)) ? -1 : next(fd, messages, count, flags);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static auto* next = Next<ssize_t(int, const msghdr*, int)>("sendmsg");
  return Fails(orders ? &orders->udpSend : nullptr, IsUdp(fd)) ? -1 : next(fd, message, flags);
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  static auto* next = Next<int(int, mmsghdr*, unsigned, int, timespec*)>("recvmmsg");
  return Fails(orders ? &orders->udpReceive : nullptr, IsUdp(fd)) ? -1 : next(fd, messages, count, flags, timeout);
}

ssize_t writev(int fd, const iovec* pieces, int count) {
  static auto* next = Next<ssize_t(int, const iovec*, int)>("writev");
  return Fails(orders ? &orders->tunWrite : nullptr, IsTun(fd)) ? -1 : next(fd, pieces, count);
}

// The daemon reads its TUN by number.
long syscall(long number, ...) {
  static auto* next = Next<long(long, ...)>("syscall");
  long a[6];
  va_list list;
  va_start(list, number);
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const bool mayFail = number == SYS_read && orders != nullptr && orders->tunRead.error.load() != 0;
  if (mayFail && Fails(&orders->tunRead, IsTun(int(a[0])))) return -1;
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int clock_gettime(clockid_t clock, timespec* time) {
  static auto* next = Next<int(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, time);
  if (result == 0 && clock == CLOCK_BOOTTIME) *time = Shifted(*time, AheadMs());
  return result;
}

int timerfd_create(int clock, int flags) {
  static auto* next = Next<int(int, int)>("timerfd_create");
  const int fd = next(clock, flags);
  if (fd >= 0 && fd < kFdsMax) isBootTimer[fd] = clock == CLOCK_BOOTTIME;
  return fd;
}

int timerfd_settime(int fd, int flags, const itimerspec* when, itimerspec* old) {
  static auto* next = Next<int(int, int, const itimerspec*, itimerspec*)>("timerfd_settime");
  if (fd < 0 || fd >= kFdsMax || !isBootTimer[fd] || (flags & TFD_TIMER_ABSTIME) == 0) return next(fd, flags, when, old);
  pthread_mutex_lock(&timers);
  armed[fd] = *when;
  const int result = Arm(fd, AheadMs());
  pthread_mutex_unlock(&timers);
  return result;
}

}  // extern "C"
