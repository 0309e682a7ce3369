// The real kernel as the judge: packets merged by the Coalescer are written to one TUN and forwarded to another, in a
// network namespace of this process. With offloads off at the second TUN the kernel segments and completes checksums
// itself; with offloads on it hands the super-packet over and SegmentSuperPacket does. Either way the very packets that
// were merged must come out, one hop older. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN, or user namespaces.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "expect.h"
#include "planned_writes.h"
#include "segment.h"

#ifndef TUN_F_USO4  // headers older than Linux 6.2
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int kMtu = 65535;

void Require(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

void WriteFile(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  Require(fd >= 0 && write(fd, text, strlen(text)) == ssize_t(strlen(text)), path);
  close(fd);
}

ifreq Named(const char* name) {
  ifreq request{};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  return request;
}

int OpenTun(const char* name, int control) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request = Named(name);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  Require(fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0, "TUNSETIFF");
  request.ifr_mtu = kMtu;
  Require(ioctl(control, SIOCSIFMTU, &request) == 0, "SIOCSIFMTU");
  Require(ioctl(control, SIOCGIFFLAGS, &request) == 0, "SIOCGIFFLAGS");
  request.ifr_flags |= IFF_UP;
  Require(ioctl(control, SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS");
  return fd;
}

// Everything that is not for this host leaves by `name`.
void RouteAll(char* name, int control4, int control6) {
  rtentry route{};
  for (sockaddr* at : {&route.rt_dst, &route.rt_gateway, &route.rt_genmask}) at->sa_family = AF_INET;
  route.rt_flags = RTF_UP;
  route.rt_dev = name;
  Require(ioctl(control4, SIOCADDRT, &route) == 0, "IPv4 route");
  in6_rtmsg route6{};
  route6.rtmsg_flags = RTF_UP;
  route6.rtmsg_metric = 1;
  route6.rtmsg_ifindex = int(if_nametoindex(name));
  Require(ioctl(control6, SIOCADDRT, &route6) == 0, "IPv6 route");
}

struct Path {
  int in;
  int out;
};

// What went through with one setting of offloads, by protocol: [0] UDP, [1] TCP.
struct Tally {
  int merged[2];     // super-packets written
  int superRead[2];  // super-packets read back whole
};

Path MakePath() {
  const int control4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int control6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const Path path{OpenTun("in0", control4), OpenTun("out0", control4)};
  char out[] = "out0";
  RouteAll(out, control4, control6);
  WriteFile("/proc/sys/net/ipv4/ip_forward", "1");
  WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", "1");
  for (const char* file : {"all/rp_filter", "in0/rp_filter"}) {
    WriteFile((std::string("/proc/sys/net/ipv4/conf/") + file).c_str(), "0");
  }
  close(control4);
  close(control6);
  return path;
}

// The next TCP or UDP packet at `fd`, past what the kernel says of its own accord; false after a while of silence.
bool Read(int fd, VirtioNetHeader& header, Bytes& packet) {
  static uint8_t buffer[sizeof header + 65536];
  for (;;) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, 300) <= 0) return false;
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= ssize_t(sizeof header) + 40 - 20) continue;
    memcpy(&header, buffer, sizeof header);
    packet.assign(buffer + sizeof header, buffer + n);
    const uint8_t protocol = packet[packet[0] >> 4 == 6 ? 6 : 9];
    if (protocol == 6 || protocol == 17) return true;
  }
}

std::vector<Bytes> ReadPackets(int fd, size_t count, Tally& tally) {
  std::vector<Bytes> out;
  VirtioNetHeader header;
  Bytes packet;
  while (out.size() < count && Read(fd, header, packet)) {
    if (header.gsoType != kGsoNone) tally.superRead[header.gsoType != kGsoUdp]++;
    BatchMemory m(512, 1, 1 << 18);
    EXPECT(SegmentSuperPacket(header, packet.data(), packet.size(), m.batch) > 0);
    for (int slot = 0; slot < m.batch.header[kCellPacketCount]; slot++) out.push_back(m.Packet(slot));
  }
  return out;
}

Bytes OneHopOlder(Bytes packet) {
  packet[packet[0] >> 4 == 6 ? 7 : 8]--;
  if (packet[0] >> 4 == 4) CompleteIp4Checksum(packet);
  return packet;
}

PacketSpec RoutableFlow(Random& random) {
  PacketSpec spec = RandomFlow(random);
  spec.ttl = uint8_t(2 + Below(random, 250));
  const uint8_t source = spec.version6 ? 0xfd : 10;
  spec.source[0] = spec.destination[0] = source;
  spec.source[1] = 1;
  spec.destination[1] = 2;
  spec.flags = uint8_t(kAck | (OneIn(random, 2) ? kPsh : 0));
  spec.tcpOptions.resize(OneIn(random, 2) ? 0 : 12, 1);
  return spec;
}

// Writes one stream merged; expects it back packet by packet.
void RoundTrip(Random& random, const Path& path, Tally& tally) {
  PacketSpec spec = RoutableFlow(random);
  const size_t count = 1 + Below(random, 100);
  const size_t segmentBytes = 1 + Below(random, OneIn(random, 2) ? 1400 : 9000);
  BatchMemory m(128, 1, 1 << 20);
  m.BeginRun();
  for (size_t i = 0; i < count; i++) {
    spec.payload = RandomBytes(random, i + 1 == count ? 1 + Below(random, segmentBytes) : segmentBytes);
    PacketSpec packet = spec;
    if (i + 1 != count) packet.flags &= uint8_t(~kPsh);
    m.Add(Build(packet));
    spec.sequence += uint32_t(spec.payload.size());
    spec.id++;
  }
  for (const PlannedWrite& write : PlanWrites(m, {true, true})) {
    EXPECT(WhyWrong(m, write) == "");
    if (write.slots.size() > 1) tally.merged[spec.tcp]++;
    Bytes bytes(sizeof write.header);
    memcpy(bytes.data(), &write.header, sizeof write.header);
    AppendAll(bytes, write.packet);
    const ssize_t written = ::write(path.in, bytes.data(), bytes.size());
    if (written < 0) std::perror("write");
    EXPECT(written == ssize_t(bytes.size()));
    const std::vector<Bytes> back = ReadPackets(path.out, write.slots.size(), tally);
    if (!EXPECT(back.size() == write.slots.size())) return;
    for (size_t i = 0; i < back.size(); i++) EXPECT(SameButId(back[i], OneHopOlder(m.Packet(write.slots[i]))));
  }
}

bool EnterNamespace() {
  if (unshare(CLONE_NEWNET) == 0) return true;
  return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

}  // namespace

int main() {
  if (!EnterNamespace() || access("/dev/net/tun", R_OK | W_OK) != 0) {
    std::printf("not run: no network namespace or no /dev/net/tun for this user (%s)\n", std::strerror(errno));
    return 0;
  }
  Random random(ChooseSeed());
  const Path path = MakePath();
  const unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  const unsigned udp = TUN_F_USO4 | TUN_F_USO6;
  for (const unsigned offloads : {0u, tcp, tcp | udp}) {
    if (ioctl(path.out, TUNSETOFFLOAD, offloads) != 0) continue;  // USO: Linux 6.2
    Tally tally{};
    for (int round = 0; round < 100; round++) RoundTrip(random, path, tally);
    EXPECT(tally.merged[0] > 10 && tally.merged[1] > 10);
    EXPECT(tally.superRead[0] == (offloads & udp ? tally.merged[0] : 0));
    EXPECT(tally.superRead[1] == (offloads & tcp ? tally.merged[1] : 0));
  }
  return TestResult();
}
