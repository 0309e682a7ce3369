#include "udp_steering.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace tuntap {
namespace {

// First four bytes of transport data, as BPF loads them. [W] 5.4.6.
constexpr uint32_t kDataType = 0x04000000;
constexpr uint32_t kReceiverAt = 4;
constexpr uint32_t kKeepaliveBytes = 32;
constexpr uint32_t kStepBytes = 16;  // padded datagrams differ by as much
// Sockets in the order in which they joined the group.
constexpr uint32_t kToBound = 0;
constexpr uint32_t kToSmall = 1;

class Program {
 public:
  void Add(int code, uint32_t k, int ifTrue = 0, int ifFalse = 0) {
    code_[length_++] = sock_filter{uint16_t(code), uint8_t(ifTrue), uint8_t(ifFalse), k};
  }
  void Load(uint32_t offset) { Add(BPF_LD | BPF_W | BPF_ABS, offset); }
  void Return(uint32_t socket) { Add(BPF_RET | BPF_K, socket); }
  sock_fprog get() { return sock_fprog{length_, code_}; }

 private:
  sock_filter code_[96];
  uint16_t length_ = 0;
};

// UDP_GRO may have merged several small datagrams: then another of the same receiver begins where the first ends. Bulk looks so
// by chance once in 2^64. A load behind the end of the datagram returns 0, which is the bound socket.
Program SmallOrNot() {
  Program p;
  p.Load(0);
  p.Add(BPF_JMP | BPF_JEQ | BPF_K, kDataType, 1, 0);
  p.Return(kToBound);
  p.Add(BPF_LD | BPF_W | BPF_LEN, 0);
  p.Add(BPF_JMP | BPF_JGT | BPF_K, kSmallDatagramBytes, 1, 0);
  p.Return(kToSmall);
  p.Load(kReceiverAt);
  p.Add(BPF_MISC | BPF_TAX, 0);
  for (uint32_t bytes = kKeepaliveBytes; bytes <= kSmallDatagramBytes; bytes += kStepBytes) {
    p.Load(bytes);
    p.Add(BPF_JMP | BPF_JEQ | BPF_K, kDataType, 0, 3);
    p.Load(bytes + kReceiverAt);
    p.Add(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1);
    p.Return(kToSmall);
  }
  p.Return(kToBound);
  return p;
}

int Share(int fd) {
  const int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

}  // namespace

Outcome SteerSmall(int bound, int small) {
  sockaddr_in6 address = {};
  socklen_t size = sizeof address;
  if (getsockname(bound, reinterpret_cast<sockaddr*>(&address), &size) != 0) return Failed("getsockname");
  if (Share(bound) != 0 || Share(small) != 0) return Failed("setsockopt(SO_REUSEPORT)");
  if (bind(small, reinterpret_cast<sockaddr*>(&address), size) != 0) return Failed("bind");
  // Only now is there a group to attach to. What the kernel sorts by hash until then is received all the same.
  Program program = SmallOrNot();
  const sock_fprog code = program.get();
  return setsockopt(bound, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &code, sizeof code) == 0
             ? Succeeded()
             : Failed("setsockopt(SO_ATTACH_REUSEPORT_CBPF)");
}

}  // namespace tuntap
