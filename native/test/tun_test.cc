// A device in a network namespace of its own: batches of every size, super-packets from the kernel, hostile columns.
#include "tun.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <random>
#include <vector>

#include "expect.h"
#include "raw_batch.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int kHeaders = 28;  // IPv4 and UDP

bool EnterNamespace() { return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0; }

struct Link {
  std::vector<double> stats = std::vector<double>(kTunStatCount);
  std::unique_ptr<Tun> tun;
  int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  uint32_t next = 0;

  Outcome Open(bool vnetHeader) {
    TunOptions options = {};
    options.vnetHeader = vnetHeader;
    options.fd = -1;
    const Outcome opened = Tun::Open(options, stats.data(), tun);
    if (opened.failed()) return opened;
    ifreq request = {};
    strcpy(request.ifr_name, tun->openedName());
    for (const auto& [code, text] : {std::pair(SIOCSIFADDR, "10.9.0.1"), std::pair(SIOCSIFDSTADDR, "10.9.0.2")}) {
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      inet_pton(AF_INET, text, &address.sin_addr);
      memcpy(&request.ifr_addr, &address, sizeof address);
      EXPECT(ioctl(sender, code, &request) == 0);
    }
    EXPECT(!tun->SetMtu(1400).failed() && !tun->SetTxQueueLength(4000).failed() && !tun->SetUp(true).failed());
    return opened;
  }
  ~Link() { close(sender); }

  // `count` datagrams of `bytes`, numbered on, in one super-packet when the device takes those.
  void Send(int count, int bytes) {
    std::vector<uint8_t> payload(size_t(count * bytes));
    for (int i = 0; i < count; ++i) memcpy(&payload[size_t(i * bytes)], &next, sizeof next), ++next;
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(7);
    inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    const int segment = count > 1 ? bytes : 0;
    EXPECT(setsockopt(sender, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0);
    EXPECT(sendto(sender, payload.data(), payload.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to) ==
           ssize_t(payload.size()));
  }
};

// The number in one of our datagrams; -1 for what the kernel says on its own.
int64_t Number(const uint8_t* packet, int length) {
  if (length < kHeaders + 4 || packet[0] >> 4 != 4) return -1;
  uint32_t number;
  memcpy(&number, packet + kHeaders, sizeof number);
  return number;
}

// Whatever the batch's size, every packet comes once and in order, or is counted as too large.
void BatchesOfEverySize(std::mt19937& random, bool vnetHeader) {
  Link link;
  EXPECT(!link.Open(vnetHeader).failed());
  int64_t expected = 0;
  for (int round = 0; round < 300; ++round) {
    const int writes = 1 + int(random() % 8);
    for (int i = 0; i < writes; ++i) link.Send(1 + int(random() % 64), 4 + int(random() % 900));
    const double tooLarge = link.stats[kTunTooLarge];
    int runs = 0;
    while (runs != -EAGAIN) {
      const int slots = 1 + int(random() % (random() % 4 == 0 ? 400 : 20));
      RawBatch memory(slots, 1 + int(random() % uint32_t(slots)), 0, 2000 + int(random() % 200'000));
      runs = link.tun->ReadBatch(memory.batch);
      EXPECT(runs == -EAGAIN || runs > 0);
      for (int slot = 0; slot < memory.batch.header[kCellPacketCount]; ++slot) {
        const uint8_t* packet = memory.batch.arena + memory.batch.packetOffset[slot];
        const int64_t number = Number(packet, memory.batch.packetLength[slot]);
        if (number < 0) continue;
        EXPECT(link.stats[kTunTooLarge] > tooLarge ? number >= expected : number == expected);
        expected = number + 1;
      }
    }
    EXPECT(expected == link.next || link.stats[kTunTooLarge] > tooLarge);
    expected = link.next;
  }
  EXPECT((link.stats[kTunTooLarge] > 0) == link.tun->uso());
  EXPECT(link.stats[kTunMalformed] == 0);
  EXPECT((link.stats[kTunSuperPackets] > 0) == link.tun->uso());
}

void PacketsOneByOne(std::mt19937& random) {
  Link link;
  EXPECT(!link.Open(true).failed());
  uint8_t packet[1400];
  for (int64_t expected = 0; expected < 2000;) {
    link.Send(1 + int(random() % 64), 4 + int(random() % 900));
    for (int length; (length = link.tun->ReadPacket(packet, sizeof packet)) > 0;) {
      const int64_t number = Number(packet, length);
      if (number < 0) continue;
      EXPECT(number == expected);
      expected = number + 1;
    }
    EXPECT(expected == link.next);
  }
}

void HostileColumns(std::mt19937& random) {
  for (const TunMode mode : {TunMode::kTun, TunMode::kTap}) {
    std::vector<double> stats(kTunStatCount);
    std::unique_ptr<Tun> tun;
    TunOptions options = {};
    options.mode = mode;
    options.vnetHeader = true;
    options.fd = -1;
    EXPECT(!Tun::Open(options, stats.data(), tun).failed() && !tun->SetUp(true).failed());
    for (int i = 0; i < 2000; ++i) {
      const int slots = 16;
      RawBatch memory(slots, slots, 0, 4096);
      Batch& batch = memory.batch;
      const auto odd = [&](int good) {
        const int values[] = {-1, -2147483647 - 1, 2147483647, 4095, 4096, 0, 15, 16};
        return random() % 3 == 0 ? values[random() % 8] : good;
      };
      for (int k = 0; k < slots; ++k) {
        batch.runFirst[k] = odd(k);
        batch.runCount[k] = odd(1);
        batch.runKind[k] = odd(kRunData);
        batch.runKey[k] = odd(0);
        batch.packetOffset[k] = odd(k * 100);
        batch.packetLength[k] = odd(100);
      }
      for (int cell = 0; cell < kHeaderCells; ++cell) batch.header[cell] = odd(slots);
      tun->WriteBatch(batch);
      tun->ReadBatch(batch);
    }
  }
}

// A descriptor that is no TUN is refused and stays the caller's.
void NotATun() {
  const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  std::vector<double> stats(kTunStatCount);
  std::unique_ptr<Tun> tun;
  TunOptions options = {};
  options.fd = fd;
  EXPECT(Tun::Open(options, stats.data(), tun).value == -ENOTTY);
  EXPECT(fcntl(fd, F_GETFD) >= 0);
  close(fd);
}

}  // namespace

int main() {
  const char* ci = getenv("CI");
  bool usable = EnterNamespace();
  if (usable) usable = !Link().Open(true).failed();
  if (!usable) {
    std::fputs("*** NOT TESTED: real TUN devices need root, or user namespaces and access to /dev/net/tun\n", stderr);
    return ci != nullptr && strcmp(ci, "true") == 0 ? 1 : 0;
  }
  std::mt19937 random(20260103);
  BatchesOfEverySize(random, true);
  BatchesOfEverySize(random, false);
  PacketsOneByOne(random);
  HostileColumns(random);
  NotATun();
  return TestResult();
}
