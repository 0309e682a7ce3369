// Opening and configuring; packets are in tun_io.cc.
#include "tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

// Linux 6.2; older headers lack them.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace tuntap {
namespace {

constexpr int kVirtioHeaderBytes = sizeof(VirtioNetHeader);

Outcome SetNonBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return Failed("fcntl(F_GETFL)");
  if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return Failed("fcntl(F_SETFL)");
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return Failed("fcntl(F_SETFD)");
  return Succeeded();
}

Outcome Attach(int fd, const TunOptions& options, int flags, ifreq& request) {
  request = {};
  memcpy(request.ifr_name, options.name, IFNAMSIZ - 1);
  request.ifr_flags = short(flags | (options.mode == TunMode::kTun ? IFF_TUN : IFF_TAP) | IFF_NO_PI |
                            (options.vnetHeader ? IFF_VNET_HDR : 0));
  if (ioctl(fd, TUNSETIFF, &request) != 0) return Failed("ioctl(TUNSETIFF)");
  return Succeeded();
}

// Makes an interface or attaches to a persistent one, on a fresh descriptor. With several queues only to one that did
// not exist: the kernel would let two programs share it.
Outcome MakeOrAttach(int fd, const TunOptions& options, ifreq& request) {
  if (options.queues <= 1) return Attach(fd, options, 0, request);
  const Outcome made = Attach(fd, options, IFF_MULTI_QUEUE | IFF_TUN_EXCL, request);
  if (made.value != -EBUSY) return made;
  const Outcome attached = Attach(fd, options, 0, request);
  return attached.value == -EINVAL ? made : attached;  // it has several queues: somebody's
}

// What an inherited descriptor is attached to. Whether it has IFF_NO_PI cannot be seen: TUNGETIFF uses the same bit for
// something else. Packets of one without it are counted as malformed.
Outcome Inspect(int fd, ifreq& request) {
  request = {};
  if (ioctl(fd, TUNGETIFF, &request) != 0) return Failed("ioctl(TUNGETIFF)");
  return Succeeded();
}

// Whether the queues that came with an inherited descriptor belong to the same interface; makes them non-blocking.
Outcome CheckQueues(const TunOptions& options, const ifreq& first) {
  if (options.moreFdCount >= kMaxTunQueues) return FailedWith(E2BIG, "inherited TUN queues");
  for (int i = 0; i < options.moreFdCount; ++i) {
    ifreq request = {};
    const Outcome found = Inspect(options.moreFds[i], request);
    if (found.failed()) return found;
    if (strncmp(request.ifr_name, first.ifr_name, IFNAMSIZ) != 0) return FailedWith(EINVAL, "inherited TUN queues");
    const Outcome ready = SetNonBlocking(options.moreFds[i]);
    if (ready.failed()) return ready;
  }
  return Succeeded();
}

// As many queues more as are asked for and to be had: fewer are no failure.
void AddQueues(TunQueues& queues, int count, const ifreq& first) {
  while (queues.count() < count) {
    UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request = first;
    request.ifr_flags = short(first.ifr_flags & ~IFF_TUN_EXCL);
    if (!fd.valid() || ioctl(fd.get(), TUNSETIFF, &request) != 0 || SetNonBlocking(fd.get()).failed()) return;
    if (!queues.Add(std::move(fd))) return;
  }
}

}  // namespace

Tun::Tun(TunQueues queues, TunMode mode, bool vnetHeader, double* stats)
    : queues_(std::move(queues)), mode_(mode), vnetHeader_(vnetHeader), stats_(stats) {}

Outcome Tun::Open(const TunOptions& options, double* stats, std::unique_ptr<Tun>& out) {
  const bool inherited = options.fd >= 0;
  UniqueFd fd(inherited ? options.fd : open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return Failed("open /dev/net/tun");
  ifreq request = {};
  Outcome outcome = inherited ? Inspect(fd.get(), request) : MakeOrAttach(fd.get(), options, request);
  if (!outcome.failed()) outcome = SetNonBlocking(fd.get());
  if (!outcome.failed()) outcome = CheckQueues(options, request);
  const bool vnetHeader = (request.ifr_flags & IFF_VNET_HDR) != 0;
  int headerBytes = kVirtioHeaderBytes;
  if (!outcome.failed() && vnetHeader && ioctl(fd.get(), TUNSETVNETHDRSZ, &headerBytes) != 0) {
    outcome = Failed("ioctl(TUNSETVNETHDRSZ)");
  }
  if (!outcome.failed() && options.persist && ioctl(fd.get(), TUNSETPERSIST, 1UL) != 0) {
    outcome = Failed("ioctl(TUNSETPERSIST)");
  }
  if (outcome.failed()) {
    if (inherited) fd.release();
    return outcome;
  }
  TunQueues queues(std::move(fd));
  for (int i = 0; i < options.moreFdCount; ++i) queues.Add(UniqueFd(options.moreFds[i]));
  if ((request.ifr_flags & IFF_MULTI_QUEUE) != 0) AddQueues(queues, options.queues, request);
  const TunMode mode = (request.ifr_flags & IFF_TAP) != 0 ? TunMode::kTap : TunMode::kTun;
  out.reset(new Tun(std::move(queues), mode, vnetHeader, stats));
  memcpy(out->openedName_, request.ifr_name, IFNAMSIZ - 1);
  // Segmentation splits bare IP packets, so Ethernet frames must come whole.
  const bool offloads = vnetHeader && mode == TunMode::kTun;
  if (vnetHeader) outcome = out->SetOffloads(offloads, offloads);
  out->RefreshLosses();
  stats[kTunQueueDropped] = stats[kTunKernelDropped] = 0;
  return outcome;
}

Outcome Tun::SetOffloads(bool tso, bool uso) {
  if (!vnetHeader_ || mode_ == TunMode::kTap) tso = uso = false;
  const unsigned long checksum = vnetHeader_ && mode_ == TunMode::kTun ? TUN_F_CSUM : 0;
  return ApplyOffloads(checksum, tso, uso, offloads_);
}

Outcome Tun::SetFrameOffloads(bool tso, bool uso) {
  CoalesceOptions applied{false, false};
  if (!vnetHeader_ || mode_ != TunMode::kTap) return FailedWith(EINVAL, "ioctl(TUNSETOFFLOAD)");
  const Outcome outcome = ApplyOffloads(TUN_F_CSUM, tso, uso, applied);
  return outcome.failed() ? outcome : Succeeded(int(applied.tcp) | int(applied.udp) << 1);
}

Outcome Tun::ApplyOffloads(unsigned long checksum, bool tso, bool uso, CoalesceOptions& applied) {
  const unsigned long tcp = tso ? TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
  const unsigned long udp = uso ? TUN_F_USO4 | TUN_F_USO6 : 0;
  // UDP offloads exist from Linux 6.2; before, the whole mask is refused.
  if (ioctl(fd(), TUNSETOFFLOAD, checksum | tcp | udp) == 0) {
    applied = CoalesceOptions{tso, uso};
    return Succeeded();
  }
  if (udp != 0 && ioctl(fd(), TUNSETOFFLOAD, checksum | tcp) == 0) {
    applied = CoalesceOptions{tso, false};
    return Succeeded();
  }
  return Failed("ioctl(TUNSETOFFLOAD)");
}

Outcome Tun::SetPersist(bool persist) {
  return ioctl(fd(), TUNSETPERSIST, persist ? 1UL : 0UL) == 0 ? Succeeded() : Failed("ioctl(TUNSETPERSIST)");
}

Outcome Tun::CurrentName(char* name) const {
  ifreq request = {};
  if (ioctl(fd(), TUNGETIFF, &request) != 0) return Failed("ioctl(TUNGETIFF)");
  memcpy(name, request.ifr_name, IFNAMSIZ);
  name[IFNAMSIZ - 1] = 0;
  return Succeeded();
}

Outcome Tun::LinkSocket() { return linkSocket_.For(fd()); }

Outcome Tun::ReadLink(int32_t* cells) {
  ifreq request = {};
  const Outcome named = CurrentName(request.ifr_name);
  if (named.failed()) return named;
  const Outcome socket = LinkSocket();
  if (socket.failed()) return socket;
  if (ioctl(socket.value, SIOCGIFINDEX, &request) != 0) return Failed("ioctl(SIOCGIFINDEX)");
  cells[kLinkIfindex] = request.ifr_ifindex;
  if (ioctl(socket.value, SIOCGIFMTU, &request) != 0) return Failed("ioctl(SIOCGIFMTU)");
  cells[kLinkMtu] = request.ifr_mtu;
  if (ioctl(socket.value, SIOCGIFFLAGS, &request) != 0) return Failed("ioctl(SIOCGIFFLAGS)");
  cells[kLinkUp] = (request.ifr_flags & IFF_UP) != 0 ? 1 : 0;
  return Succeeded();
}

int Tun::LinkState(int32_t* cells) { return ReadLink(cells).value; }

int Tun::RefreshLosses() {
  int32_t link[kLinkCells] = {};
  const int state = LinkState(link);
  if (state < 0) return state;
  const Outcome socket = statsSocket_.For(fd());
  if (socket.failed()) return socket.value;
  LinkLosses losses = {};
  const int error = ReadLinkLosses(socket.value, link[kLinkIfindex], ++lossesAsked_, losses);
  if (error < 0) return error;
  stats_[kTunQueueDropped] += double(losses.txDropped - lossesSeen_.txDropped);
  stats_[kTunKernelDropped] += double(losses.rxDropped - lossesSeen_.rxDropped);
  lossesSeen_ = losses;
  return 0;
}

Outcome Tun::SetLink(unsigned long requestCode, const char* call, int value) {
  ifreq request = {};
  const Outcome named = CurrentName(request.ifr_name);
  if (named.failed()) return named;
  const Outcome socket = LinkSocket();
  if (socket.failed()) return socket;
  // ifr_mtu and ifr_qlen are the same int of the union.
  request.ifr_mtu = value;
  return ioctl(socket.value, requestCode, &request) == 0 ? Succeeded() : Failed(call);
}

Outcome Tun::SetMtu(int mtu) { return SetLink(SIOCSIFMTU, "ioctl(SIOCSIFMTU)", mtu); }

Outcome Tun::SetTxQueueLength(int packets) { return SetLink(SIOCSIFTXQLEN, "ioctl(SIOCSIFTXQLEN)", packets); }

Outcome Tun::SetUp(bool up) {
  ifreq request = {};
  const Outcome named = CurrentName(request.ifr_name);
  if (named.failed()) return named;
  const Outcome socket = LinkSocket();
  if (socket.failed()) return socket;
  if (ioctl(socket.value, SIOCGIFFLAGS, &request) != 0) return Failed("ioctl(SIOCGIFFLAGS)");
  request.ifr_flags = short(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  return ioctl(socket.value, SIOCSIFFLAGS, &request) == 0 ? Succeeded() : Failed("ioctl(SIOCSIFFLAGS)");
}

}  // namespace tuntap
