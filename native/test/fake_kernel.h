// Stands in for the kernel's sendmmsg, sendmsg, recvmmsg and ioctl in a fuzz target, so that no datagram leaves and every
// answer of a kernel, also an unlikely one, can be had. It reads every byte that a kernel would, in instrumented code.
// Include it in one file of a program only.
#pragma once

#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <memory>

#include "expect.h"
#include "packets.h"
#include "udp_scratch.h"

namespace tuntap::test {

struct FakeKernel {
  /// What becomes of a message that is to be sent: 0, or an errno.
  std::function<int()> verdict = [] { return 0; };
  /// Fills one message that is received, or returns false: no more.
  std::function<bool(mmsghdr&)> receive = [](mmsghdr&) { return false; };
  /// What TUNGETIFF tells.
  short tunFlags = IFF_TUN | IFF_VNET_HDR;
  double datagramsSent = 0;
  volatile uint32_t read = 0;
};

inline FakeKernel fakeKernel;

inline void ReadAll(const void* from, size_t n) {
  const auto* at = static_cast<const uint8_t*>(from);
  for (size_t i = 0; i < n; i++) fakeKernel.read = fakeKernel.read + at[i];
}

/// @return the UDP_SEGMENT size among the message's control data, else 0. Checks what a kernel would.
inline size_t CheckControl(msghdr& message) {
  size_t segment = 0;
  if (message.msg_controllen == 0) return 0;
  ReadAll(message.msg_control, message.msg_controllen);
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    const size_t behind = message.msg_controllen - size_t(reinterpret_cast<uint8_t*>(c) -
                                                          static_cast<uint8_t*>(message.msg_control));
    if (!EXPECT(c->cmsg_len >= sizeof(cmsghdr) && c->cmsg_len <= behind)) break;
    if (c->cmsg_level != IPPROTO_UDP) continue;
    uint16_t value = 0;
    EXPECT(c->cmsg_type == UDP_SEGMENT && c->cmsg_len == CMSG_LEN(sizeof value));
    memcpy(&value, CMSG_DATA(c), sizeof value);
    EXPECT(value > 0);
    segment = value;
  }
  return segment;
}

/// One message as sendmsg(2) takes it. @return bytes, or -errno.
inline ssize_t TakeMessage(msghdr& message) {
  ReadAll(message.msg_name, message.msg_namelen);
  const sa_family_t family = static_cast<const sockaddr*>(message.msg_name)->sa_family;
  EXPECT(message.msg_namelen == (family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
  EXPECT(message.msg_iovlen <= 1024);
  size_t bytes = 0;
  for (size_t i = 0; i < message.msg_iovlen; i++) {
    ReadAll(message.msg_iov[i].iov_base, message.msg_iov[i].iov_len);
    bytes += message.msg_iov[i].iov_len;
  }
  const size_t segment = CheckControl(message);
  const int error = bytes > 65507 ? EMSGSIZE : fakeKernel.verdict();
  if (error != 0) return -error;
  const size_t datagrams = segment == 0 ? 1 : (bytes + segment - 1) / segment;
  EXPECT(datagrams <= 64);
  fakeKernel.datagramsSent += double(datagrams);
  return ssize_t(bytes);
}

}  // namespace tuntap::test

extern "C" {

ssize_t sendmsg(int, const msghdr* message, int) {
  const ssize_t n = tuntap::test::TakeMessage(*const_cast<msghdr*>(message));
  if (n < 0) errno = int(-n);
  return n < 0 ? -1 : n;
}

int sendmmsg(int, mmsghdr* messages, unsigned count, int) {
  for (unsigned i = 0; i < count; i++) {
    const ssize_t n = tuntap::test::TakeMessage(messages[i].msg_hdr);
    if (n < 0 && i == 0) errno = int(-n);
    if (n < 0) return i == 0 ? -1 : int(i);  // as the kernel: the error is told when the message comes first
    messages[i].msg_len = unsigned(n);
  }
  return int(count);
}

int recvmmsg(int, mmsghdr* messages, unsigned count, int, timespec*) {
  unsigned n = 0;
  while (n < count && tuntap::test::fakeKernel.receive(messages[n])) n++;
  if (n == 0) errno = EAGAIN;
  return n == 0 ? -1 : int(n);
}

// No interface is there: what would configure one succeeds, what would find one fails.
int ioctl(int, unsigned long request, ...) noexcept {
  va_list list;
  va_start(list, request);
  void* argument = va_arg(list, void*);
  va_end(list);
  switch (request) {
    case TUNGETIFF: {
      auto* answer = static_cast<ifreq*>(argument);
      memset(answer->ifr_name, 0, sizeof answer->ifr_name);
      answer->ifr_name[0] = 'f';
      answer->ifr_flags = tuntap::test::fakeKernel.tunFlags;
      return 0;
    }
    case TUNSETVNETHDRSZ:
    case TUNSETOFFLOAD:
      return 0;
    default:
      errno = ENOTTY;
      return -1;
  }
}

}  // extern "C"

namespace tuntap::test {

/// A socket whose traffic goes through the fake kernel.
struct FakeSocket {
  explicit FakeSocket(int family) {
    UdpOptions options = {};
    options.family = family;
    options.address[family == AF_INET ? 0 : 15] = family == AF_INET ? 127 : 1;
    if (family == AF_INET) options.address[3] = 1;
    options.offloads = true;
    EXPECT(!UdpSocket::Open(options, stats.get(), socket).failed());
  }
  std::unique_ptr<double[]> stats{new double[kUdpStatCount]()};
  std::unique_ptr<UdpSocket> socket;
};

}  // namespace tuntap::test
