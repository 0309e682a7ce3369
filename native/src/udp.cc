// Opening and configuring; datagrams are in udp_receive.cc and udp_send.cc.
#include "udp.h"

#include <fcntl.h>
#include <linux/sock_diag.h>

#include <cstring>

#include "udp_scratch.h"
#include "udp_steering.h"

namespace tuntap {
namespace {

int SetInt(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

int GetInt(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, option, &value, &size) == 0 ? value : -1;
}

// Past the system's limit where CAP_NET_ADMIN allows it, up to the limit otherwise.
void ForceBuffer(int fd, int forced, int plain, int bytes) {
  if (bytes <= 0) return;
  // The kernel doubles what it is given, for its own bookkeeping.
  if (SetInt(fd, SOL_SOCKET, forced, bytes / 2) != 0) SetInt(fd, SOL_SOCKET, plain, bytes / 2);
}

Outcome Mark(int fd, uint32_t mark) {
  return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0 ? Succeeded() : Failed("setsockopt(SO_MARK)");
}

// Whether an inherited descriptor is a UDP socket of the family; makes it non-blocking and keeps it from children.
Outcome Inspect(int fd, int family) {
  int protocol = 0;
  socklen_t size = sizeof protocol;
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0) return Failed("getsockopt(SO_PROTOCOL)");
  if (protocol != IPPROTO_UDP || GetInt(fd, SOL_SOCKET, SO_DOMAIN) != family) {
    return FailedWith(EPROTOTYPE, "inherited UDP socket");
  }
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return Failed("fcntl(F_SETFL)");
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? Succeeded() : Failed("fcntl(F_SETFD)");
}

}  // namespace

UdpSocket::UdpSocket(UniqueFd fd, int family, double* stats)
    : main_{std::move(fd)}, family_(family), stats_(stats), receive_(new Receive()), send_(new Send()) {}

UdpSocket::~UdpSocket() = default;

Outcome UdpSocket::Open(const UdpOptions& options, double* stats, std::unique_ptr<UdpSocket>& out) {
  const bool inherited = options.fd >= 0;
  if (inherited) {
    const Outcome fits = Inspect(options.fd, options.family);
    if (fits.failed()) return fits;
  }
  UniqueFd fd(inherited ? options.fd : socket(options.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return Failed(options.family == AF_INET ? "socket(AF_INET)" : "socket(AF_INET6)");
  out.reset(new UdpSocket(std::move(fd), options.family, stats));
  Outcome outcome = out->Configure(out->fd(), options);
  if (!outcome.failed()) outcome = inherited ? out->ReadPort() : out->Bind(options);
  if (!outcome.failed() && inherited) {
    // What the socket dropped for its last owner is not this one's loss.
    out->RefreshOverflow();
    stats[kUdpRxOverflow] = 0;
  }
  if (outcome.failed()) {
    if (inherited) out->main_.fd.release();
    out.reset();
    return outcome;
  }
  if (options.splitSmall) out->OpenSmall(options);
  return outcome;
}

Outcome UdpSocket::Configure(int fd, const UdpOptions& options) {
  if (family_ == AF_INET) {
    if (SetInt(fd, IPPROTO_IP, IP_PKTINFO, 1) != 0) return Failed("setsockopt(IP_PKTINFO)");
    if (SetInt(fd, IPPROTO_IP, IP_RECVTOS, 1) != 0) return Failed("setsockopt(IP_RECVTOS)");
    // An outer packet larger than the path is fragmented rather than lost: the inner MTU is the administrator's.
    if (SetInt(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT) != 0) return Failed("setsockopt(IP_MTU_DISCOVER)");
  } else {
    if (SetInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0) return Failed("setsockopt(IPV6_V6ONLY)");
    if (SetInt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) != 0) return Failed("setsockopt(IPV6_RECVPKTINFO)");
    if (SetInt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) != 0) return Failed("setsockopt(IPV6_RECVTCLASS)");
    if (SetInt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT) != 0) {
      return Failed("setsockopt(IPV6_MTU_DISCOVER)");
    }
  }
  if (SetInt(fd, SOL_SOCKET, SO_RXQ_OVFL, 1) != 0) return Failed("setsockopt(SO_RXQ_OVFL)");
  ForceBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receiveBufferBytes);
  ForceBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.sendBufferBytes);
  if (options.offloads) {
    segment_ = GetInt(fd, IPPROTO_UDP, UDP_SEGMENT) >= 0;
    // Reading the option back works from Linux 5.12, which is where UDP_GRO can be relied on.
    gro_ = SetInt(fd, IPPROTO_UDP, UDP_GRO, 1) == 0 && GetInt(fd, IPPROTO_UDP, UDP_GRO) == 1;
  }
  // An inherited socket may have a mark of its own.
  return uint32_t(GetInt(fd, SOL_SOCKET, SO_MARK)) == options.mark ? Succeeded() : Mark(fd, options.mark);
}

Outcome UdpSocket::Bind(const UdpOptions& options) {
  sockaddr_in6 address = {};
  socklen_t size = sizeof address;
  if (family_ == AF_INET) {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(uint16_t(options.port));
    memcpy(&v4.sin_addr, options.address, sizeof v4.sin_addr);
    memcpy(&address, &v4, sizeof v4);
    size = sizeof v4;
  } else {
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(uint16_t(options.port));
    memcpy(&address.sin6_addr, options.address, sizeof address.sin6_addr);
  }
  if (bind(fd(), reinterpret_cast<sockaddr*>(&address), size) != 0) return Failed("bind");
  return ReadPort();
}

Outcome UdpSocket::ReadPort() {
  sockaddr_in6 address = {};
  socklen_t size = sizeof address;
  if (getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return Failed("getsockname");
  // The port stands at the same place in both address families.
  port_ = ntohs(address.sin6_port);
  return Succeeded();
}

// Without one, all datagrams come by the first socket: nothing is lost but the order of service.
void UdpSocket::OpenSmall(UdpOptions options) {
  // What waits here is small, and is taken first.
  options.receiveBufferBytes /= 2;
  UniqueFd fd(socket(family_, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() || Configure(fd.get(), options).failed()) return;
  if (!SteerSmall(main_.fd.get(), fd.get()).failed()) small_.fd = std::move(fd);
}

int UdpSocket::receiveBufferBytes() const { return GetInt(fd(), SOL_SOCKET, SO_RCVBUF); }

int UdpSocket::sendBufferBytes() const { return GetInt(fd(), SOL_SOCKET, SO_SNDBUF); }

Outcome UdpSocket::SetMark(uint32_t mark) { return Mark(fd(), mark); }

void UdpSocket::SetEndpoints(EndpointRecord* table, int rows) {
  endpoints_ = table;
  endpointRows_ = rows;
}

int UdpSocket::RefreshOverflow() {
  const int result = RefreshOverflow(main_);
  return result == 0 && small_.fd.valid() ? RefreshOverflow(small_) : result;
}

int UdpSocket::RefreshOverflow(Inlet& inlet) {
  uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof memory;
  if (getsockopt(inlet.fd.get(), SOL_SOCKET, SO_MEMINFO, memory, &size) != 0) return -errno;
  NoteOverflow(inlet, memory[SK_MEMINFO_DROPS]);
  return 0;
}

}  // namespace tuntap
