// Sorting received datagrams into runs: random messages against a plain reference, and what happens without room.
#include "datagram_runs.h"

#include <cstring>
#include <random>
#include <vector>

#include "expect.h"
#include "raw_batch.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

struct Wanted {
  int kind;
  uint32_t receiver;
  double counter;
};

Wanted Reference(const std::vector<uint8_t>& d) {
  if (d.size() >= 4 && d[1] == 0 && d[2] == 0 && d[3] == 0) {
    if (d[0] == 1 && d.size() == 148) return {kRunInitiation, 0, 0};
    if (d[0] == 2 && d.size() == 92) return {kRunResponse, 0, 0};
    if (d[0] == 3 && d.size() == 64) return {kRunCookieReply, 0, 0};
    if (d[0] == 4 && d.size() >= 32) {
      uint32_t receiver = 0;
      double counter = 0;
      for (int i = 3; i >= 0; --i) receiver = receiver << 8 | d[size_t(4 + i)];
      for (int i = 7; i >= 0; --i) counter = counter * 256 + d[size_t(8 + i)];
      return {kRunData, receiver, counter < 9007199254740992.0 ? counter : 9007199254740992.0};
    }
  }
  return {kRunMalformed, 0, 0};
}

std::vector<uint8_t> RandomDatagram(std::mt19937& random, size_t size) {
  std::vector<uint8_t> d(size);
  for (uint8_t& byte : d) byte = random() % 4 == 0 ? uint8_t(random()) : 0;
  if (size >= 4) {
    const uint8_t type[4] = {uint8_t(random() % 6), 0, 0, uint8_t(random() % 16 == 0)};
    memcpy(d.data(), type, 4);
  }
  if (size >= 8) memset(d.data() + 4, int(random() % 2), 4);
  return d;
}

// One kernel message of equal datagrams, the last shorter, against the reference.
void OneMessage(std::mt19937& random) {
  const size_t sizes[] = {0, 1, 3, 4, 31, 32, 33, 64, 92, 148, 1452};
  const size_t size = sizes[random() % std::size(sizes)];
  const size_t count = size == 0 ? 1 : 1 + random() % 64;
  const size_t last = size == 0 || random() % 2 == 0 ? size : 1 + random() % size;
  RawBatch memory(256, 256, 1, 1 << 18);
  Batch& batch = memory.batch;
  std::vector<std::vector<uint8_t>> datagrams;
  size_t bytes = 0;
  const size_t offset = 64 * (random() % 4);
  for (size_t i = 0; i < count; ++i) {
    datagrams.push_back(RandomDatagram(random, i + 1 == count ? last : size));
    const std::vector<uint8_t>& d = datagrams.back();
    if (!d.empty()) memcpy(batch.arena + offset + bytes, d.data(), d.size());
    bytes += d.size();
  }
  const int appended = AppendDatagrams({offset, bytes, count > 1 ? size : 0, 0, 2, 0}, batch);
  EXPECT(appended == int(count) && batch.header[kCellPacketCount] == int(count));
  int slot = 0;
  for (int run = 0; run < batch.header[kCellRunCount]; ++run) {
    EXPECT(batch.runFirst[run] == slot && batch.runKey[run] == kNoKey && batch.runTos[run] == 2);
    const bool single = batch.runKind[run] != kRunData && batch.runKind[run] != kRunMalformed;
    EXPECT(run == 0 || single || batch.runKind[run] != batch.runKind[run - 1] ||
           batch.runReceiver[run] != batch.runReceiver[run - 1]);
    for (int i = 0; i < batch.runCount[run]; ++i, ++slot) {
      const std::vector<uint8_t>& d = datagrams[size_t(slot)];
      const Wanted wanted = Reference(d);
      EXPECT(batch.runKind[run] == wanted.kind && batch.runReceiver[run] == wanted.receiver);
      EXPECT(batch.packetCounter[slot] == wanted.counter && batch.packetStatus[slot] == 0);
      EXPECT(batch.packetLength[slot] == int(d.size()));
      EXPECT(d.empty() || memcmp(batch.arena + batch.packetOffset[slot], d.data(), d.size()) == 0);
    }
  }
  EXPECT(slot == int(count));
}

void WithoutRoom() {
  RawBatch memory(5, 2, 1, 4096);
  Batch& batch = memory.batch;
  memset(batch.arena, 0, 4096);
  for (int i = 0; i < 10; ++i) batch.arena[i * 64] = 3;  // cookie replies: one run each
  EXPECT(AppendDatagrams({0, 640, 64, 0, 0, 0}, batch) == 2);
  EXPECT(batch.header[kCellRunCount] == 2 && batch.header[kCellPacketCount] == 2);
  batch.header[kCellRunCount] = batch.header[kCellPacketCount] = 0;
  memset(batch.arena, 0, 4096);  // malformed: one run for all
  EXPECT(AppendDatagrams({0, 640, 64, 0, 0, 0}, batch) == 5);
  EXPECT(batch.header[kCellRunCount] == 1 && batch.runCount[0] == 5);
  EXPECT(AppendDatagrams({0, 640, 64, 0, 0, 0}, batch) == 0);
}

void RunsOfEarlierReceivesEnd() {
  RawBatch memory(8, 8, 2, 4096);
  Batch& batch = memory.batch;
  memset(batch.arena, 0, 4096);
  batch.arena[0] = 4;
  EXPECT(AppendDatagrams({0, 32, 0, 0, 0, 0}, batch) == 1);
  EXPECT(AppendDatagrams({0, 32, 0, 0, 0, 0}, batch) == 1);
  EXPECT(batch.header[kCellRunCount] == 1 && batch.runCount[0] == 2);
  EXPECT(AppendDatagrams({0, 32, 0, 1, 0, 0}, batch) == 1);  // another endpoint
  EXPECT(AppendDatagrams({0, 32, 0, 1, 3, 0}, batch) == 1);  // another TOS
  EXPECT(AppendDatagrams({0, 32, 0, 1, 3, 3}, batch) == 1);  // a receive that began at run 3
  EXPECT(batch.header[kCellRunCount] == 4);
}

}  // namespace

int main() {
  std::mt19937 random(20260101);
  for (int i = 0; i < 3000; ++i) OneMessage(random);
  WithoutRoom();
  RunsOfEarlierReceivesEnd();
  return TestResult();
}
