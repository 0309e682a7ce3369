// Batches over the loopback, random and hostile, under sanitizers.
#include "udp.h"

#include <poll.h>

#include <cstring>
#include <random>
#include <vector>

#include "expect.h"
#include "raw_batch.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

struct Socket {
  std::vector<double> stats = std::vector<double>(kUdpStatCount);
  std::unique_ptr<UdpSocket> socket;

  explicit Socket(bool offloads) {
    UdpOptions options = {};
    options.family = AF_INET;
    options.address[0] = 127;
    options.address[3] = 1;
    options.receiveBufferBytes = 4 << 20;
    options.offloads = offloads;
    EXPECT(!UdpSocket::Open(options, stats.data(), socket).failed());
  }

  EndpointRecord Record() const {
    EndpointRecord record = {};
    record.family = AF_INET;
    record.portNetworkOrder = htons(uint16_t(socket->port()));
    record.address[0] = 127;
    record.address[3] = 1;
    return record;
  }
};

using Datagram = std::vector<uint8_t>;

std::vector<Datagram> ReceiveAll(UdpSocket& socket, size_t wanted) {
  std::vector<Datagram> out;
  static RawBatch memory(1024, 1024, 16, 16 * kReceiveStretchBytes);
  Batch& batch = memory.batch;
  while (out.size() < wanted) {
    pollfd ready{socket.fd(), POLLIN, 0};
    if (poll(&ready, 1, 2000) != 1) break;
    memory.Clear();
    const int n = socket.ReceiveBatch(batch);
    EXPECT(n > 0 && n == batch.header[kCellPacketCount]);
    for (int i = 0; i < n; ++i) {
      const uint8_t* at = batch.arena + batch.packetOffset[i];
      out.emplace_back(at, at + batch.packetLength[i]);
    }
  }
  return out;
}

// Random sizes, runs, gaps and two endpoints: each receiver gets its datagrams, whole and in order.
void RandomBatch(std::mt19937& random, Socket& from, Socket (&to)[2]) {
  const int slots = 1 + int(random() % 200);
  RawBatch memory(slots, slots, 0, slots * 1600);
  Batch& batch = memory.batch;
  std::vector<Datagram> wanted[2];
  int slot = 0;
  int run = 0;
  int at = 0;
  while (slot < slots) {
    const int row = int(random() % 2);
    const int count = std::min(slots - slot, 1 + int(random() % 70));
    const int common = 1 + int(random() % 1500);
    batch.runFirst[run] = slot;
    batch.runCount[run] = count;
    batch.runKind[run] = kRunRaw;
    batch.runEndpoint[run] = row;
    batch.runTos[run] = random() % 8 == 0 ? 2 : 0;
    for (int i = 0; i < count; ++i, ++slot) {
      const int length = random() % 10 == 0 ? 1 + int(random() % 1500) : common;
      at += random() % 16 == 0 ? 8 : 0;
      if (at + length > batch.arenaBytes) at = 0;
      batch.packetOffset[slot] = at;
      batch.packetLength[slot] = length;
      batch.packetStatus[slot] = random() % 16 == 0 ? 1 : 0;
      at += length;
    }
    ++run;
  }
  batch.header[kCellPacketCount] = slots;
  batch.header[kCellRunCount] = run;
  for (int i = 0; i < batch.arenaBytes; ++i) batch.arena[i] = uint8_t(random());
  size_t sendable = 0;
  for (int r = 0; r < run; ++r) {
    for (int s = batch.runFirst[r]; s < batch.runFirst[r] + batch.runCount[r]; ++s) {
      if (batch.packetStatus[s] != 0) continue;
      const uint8_t* start = batch.arena + batch.packetOffset[s];
      wanted[batch.runEndpoint[r]].emplace_back(start, start + batch.packetLength[s]);
      ++sendable;
    }
  }
  EXPECT(from.socket->SendBatch(batch) == int(sendable));
  for (int row = 0; row < 2; ++row) EXPECT(ReceiveAll(*to[row].socket, wanted[row].size()) == wanted[row]);
}

// Columns full of nonsense must not be followed out of the arena.
void HostileBatch(std::mt19937& random, Socket& from) {
  const int slots = 32;
  RawBatch memory(slots, slots, 1, 4096);
  Batch& batch = memory.batch;
  const auto odd = [&](int good) {
    const int values[] = {-1, -2147483647 - 1, 2147483647, 4095, 4096, 0, 31, 32};
    return random() % 3 == 0 ? values[random() % 8] : good;
  };
  for (int i = 0; i < slots; ++i) {
    batch.runFirst[i] = odd(i);
    batch.runCount[i] = odd(1);
    batch.runKind[i] = odd(kRunRaw);
    batch.runEndpoint[i] = odd(0);
    batch.runTos[i] = odd(0);
    batch.packetOffset[i] = odd(i * 100);
    batch.packetLength[i] = odd(100);
    batch.packetStatus[i] = 0;
  }
  batch.header[kCellPacketCount] = odd(slots);
  batch.header[kCellRunCount] = odd(slots);
  const int sent = from.socket->SendBatch(batch);
  EXPECT(sent >= 0 && sent <= slots * slots);
}

void HostileHeader(std::mt19937& random, Socket& to) {
  RawBatch memory(16, 16, 2, 4 * kReceiveStretchBytes);
  Batch& batch = memory.batch;
  for (int cell = 0; cell < kHeaderCells; ++cell) {
    const int values[] = {-1, -2147483647 - 1, 2147483647, 16, 15, 2, 0, 3 * kReceiveStretchBytes};
    batch.header[cell] = values[random() % 8];
  }
  to.socket->ReceiveBatch(batch);
}

}  // namespace

int main() {
  std::mt19937 random(20260102);
  for (const bool offloads : {true, false}) {
    Socket from(offloads);
    Socket to[2] = {Socket(offloads), Socket(offloads)};
    EndpointRecord table[2] = {to[0].Record(), to[1].Record()};
    from.socket->SetEndpoints(table, 2);
    for (int i = 0; i < 150; ++i) RandomBatch(random, from, to);
    EXPECT(from.stats[kUdpSendFailures] == 0 && from.stats[kUdpGsoRefused] == 0);
    EXPECT((from.stats[kUdpSegmentedMessages] > 0) == offloads);
    for (int i = 0; i < 2000; ++i) HostileBatch(random, from);
    for (int i = 0; i < 500; ++i) HostileHeader(random, to[0]);
  }
  return TestResult();
}
