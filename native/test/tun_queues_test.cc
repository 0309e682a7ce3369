// Turns among the queues of a device: here datagram sockets, which keep packets apart as a TUN does.
#include "tun_queues.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "expect.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

struct Rig {
  std::vector<UniqueFd> far;
  std::vector<UniqueFd> near;

  explicit Rig(int count) {
    for (int i = 0; i < count; ++i) {
      int pair[2];
      EXPECT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
      near.emplace_back(pair[0]);
      far.emplace_back(pair[1]);
      const int bytes = 4 << 20;
      EXPECT(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) == 0 ||
             setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0);
    }
  }

  TunQueues Queues() {
    TunQueues queues(std::move(near[0]));
    for (size_t i = 1; i < near.size(); ++i) EXPECT(queues.Add(std::move(near[i])));
    return queues;
  }

  void Put(int queue, size_t bytes) {
    const std::vector<char> packet(bytes, char('a' + queue));
    EXPECT(send(far[size_t(queue)].get(), packet.data(), packet.size(), 0) == ssize_t(bytes));
  }
};

// Reads until -EAGAIN. Returns a letter a packet: the queue that it came from.
std::string ReadAll(TunQueues& queues) {
  std::vector<char> packet(70'000);
  std::string order;
  for (;;) {
    const long n = queues.Read(packet.data(), packet.size());
    if (n <= 0) {
      EXPECT(n == -EAGAIN);
      return order;
    }
    order += packet[0];
  }
}

void BulkWaitsForSmall() {
  caseName = "bulk on one queue does not hold up a packet on another";
  Rig rig(3);
  TunQueues queues = rig.Queues();
  for (int i = 0; i < 6; ++i) rig.Put(1, 60'000);
  rig.Put(2, 100);
  const std::string order = ReadAll(queues);
  EXPECT(order.size() == 7);
  EXPECT(order.find('c') <= 1);
}

void SmallOnesShareByBytes() {
  caseName = "small packets get several a turn";
  Rig rig(2);
  TunQueues queues = rig.Queues();
  for (int i = 0; i < 4; ++i) rig.Put(0, 60'000);
  for (int i = 0; i < 40; ++i) rig.Put(1, 64);
  const std::string order = ReadAll(queues);
  EXPECT(order.find("abbbb") != std::string::npos);
  EXPECT(order.find(std::string(17, 'b')) == std::string::npos || order.rfind('a') < order.find(std::string(17, 'b')));
  EXPECT(order.size() == 44);
}

void ArrivalsJoinAfterLook() {
  caseName = "a packet that comes while another queue is read is seen at the next look";
  Rig rig(2);
  TunQueues queues = rig.Queues();
  char packet[64];
  rig.Put(0, 50);
  rig.Put(0, 50);
  EXPECT(queues.Read(packet, sizeof packet) == 50);
  rig.Put(1, 40);
  queues.Look();
  const std::string order = ReadAll(queues);
  EXPECT(order == "ab" || order == "ba");
  EXPECT(queues.Read(packet, sizeof packet) == -EAGAIN);
  rig.Put(1, 40);
  EXPECT(queues.Read(packet, sizeof packet) == 40);
}

void SmallIsHandedOnBeforeBulk() {
  caseName = "what came on other queues is read before bulk that waits, and can be handed on alone";
  Rig rig(4);
  TunQueues queues = rig.Queues();
  std::vector<char> packet(70'000);
  for (int queue : {1, 2}) {
    for (int i = 0; i < 3; ++i) rig.Put(queue, 60'000);
  }
  queues.Look();
  for (int i = 0; i < 3; ++i) EXPECT(queues.Read(packet.data(), packet.size(), true) == 60'000);  // now known as bulk
  rig.Put(3, 90);
  rig.Put(0, 80);
  rig.Put(3, 90);
  queues.Look();
  EXPECT(!queues.BulkIsNext());
  std::string order;
  while (queues.Read(packet.data(), packet.size(), true) > 0) order += packet[0];
  EXPECT(order == "add" || order == "dda");
  EXPECT(queues.BulkIsNext());
  queues.Look();
  EXPECT(!queues.BulkIsNext());
  order.clear();
  do {
    queues.Look();
    while (queues.Read(packet.data(), packet.size(), true) > 0) order += packet[0];
  } while (queues.BulkIsNext());
  EXPECT(order.size() == 3 && order.find_first_not_of("bc") == std::string::npos);
  // It was seen empty: one packet makes it no bulk again.
  rig.Put(1, 70);
  rig.Put(2, 70);
  EXPECT(ReadAll(queues).size() == 2);
}

void SmallIsHeldToItsShare() {
  caseName = "a queue that is read first gets no more than its share before bulk";
  Rig rig(2);
  TunQueues queues = rig.Queues();
  for (int i = 0; i < 3; ++i) rig.Put(0, 60'000);
  std::vector<char> packet(70'000);
  EXPECT(queues.Read(packet.data(), packet.size()) == 60'000);
  for (int i = 0; i < 40; ++i) rig.Put(1, 1'024);
  queues.Look();
  const std::string order = ReadAll(queues);
  EXPECT(order.substr(0, 17) == std::string(16, 'b') + 'a');
}

void ErrorsAreNamed() {
  caseName = "an error of a queue is the read's";
  UniqueFd writeOnly(open("/dev/null", O_WRONLY | O_CLOEXEC));
  TunQueues queues(std::move(writeOnly));
  char packet[16];
  EXPECT(queues.Read(packet, sizeof packet) == -EBADF);
}

void FlowsKeepTheirQueue() {
  caseName = "flows";
  Rig rig(4);
  TunQueues queues = rig.Queues();
  EXPECT(queues.fdOf(6) == queues.fd(2) && queues.fdOf(2) == queues.fd(2) && queues.fdOf(UINT32_MAX) == queues.fd(3));
  while (queues.count() < kMaxTunQueues) EXPECT(queues.Add(UniqueFd(dup(queues.fd(0)))));
  EXPECT(!queues.Add(UniqueFd(dup(queues.fd(0)))));
}

}  // namespace

int main() {
  BulkWaitsForSmall();
  SmallOnesShareByBytes();
  ArrivalsJoinAfterLook();
  SmallIsHandedOnBeforeBulk();
  SmallIsHeldToItsShare();
  ErrorsAreNamed();
  FlowsKeepTheirQueue();
  return TestResult();
}
