// Reads and writes that pass a super-packet on whole, virtio header and all: for programs that forward, not terminate.
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "tun.h"

namespace tuntap {

int Tun::ReadFrame(uint8_t* into, size_t capacity) {
  if (capacity < kFrameBytesMax) return -ENOBUFS;  // the kernel would cut the frame without a word
  const size_t skip = vnetHeader_ ? sizeof(VirtioNetHeader) : 0;
  for (;;) {
    const ssize_t n = read(fd(), into, capacity);
    if (n < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    if (size_t(n) <= skip) {
      stats_[kTunMalformed] += 1;
      continue;
    }
    stats_[kTunReads] += 1;
    stats_[kTunReadBytes] += double(size_t(n) - skip);
    if (skip != 0 && into[offsetof(VirtioNetHeader, gsoType)] != kGsoNone) stats_[kTunSuperPackets] += 1;
    return int(n);
  }
}

int Tun::WriteFrame(const uint8_t* head, size_t headBytes, const uint8_t* body, size_t bodyBytes) {
  // writev takes no const: it only reads.
  const iovec pieces[2] = {{const_cast<uint8_t*>(head), headBytes}, {const_cast<uint8_t*>(body), bodyBytes}};
  const size_t skip = vnetHeader_ ? sizeof(VirtioNetHeader) : 0;
  ssize_t n;
  do {
    n = writev(fd(), pieces, 2);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    const int error = errno;
    stats_[kTunWriteFailures] += 1;
    return -error;
  }
  stats_[kTunWrites] += 1;
  stats_[kTunWriteBytes] += double(size_t(n) - skip);
  return int(n);
}

}  // namespace tuntap
