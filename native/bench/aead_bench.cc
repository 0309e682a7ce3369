// Nanoseconds a packet for every AEAD backend that this machine has: seal and open of batches, backends interleaved,
// medians. usage: aead_bench [rounds [packets]]   (61 rounds of batches of 45)

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "aead.h"

namespace {

using namespace tuntap;

constexpr int kSizes[] = {64, 576, 1420, 8920};
constexpr int kSizeCount = sizeof(kSizes) / sizeof(kSizes[0]);

double NowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

double Median(std::vector<double>& v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

struct Bench {
  std::unique_ptr<Aead> aead;
  std::vector<double> seal[kSizeCount];
  std::vector<double> open[kSizeCount];
};

// One run of `packets` plaintexts of `bytes`, laid out as a TUN read leaves them.
void Fill(Batch& b, int packets, int bytes) {
  int at = 0;
  for (int i = 0; i < packets; i++) {
    at += 16;
    b.packetOffset[i] = at;
    b.packetLength[i] = bytes;
    b.packetStatus[i] = 0;
    at += bytes + 16;
  }
  b.header[kCellPacketCount] = packets;
  b.header[kCellRunCount] = 1;
  b.header[kCellPadLimit] = bytes;
  b.runFirst[0] = 0;
  b.runCount[0] = packets;
  b.runKind[0] = kRunData;
  b.runReceiver[0] = 1;
  b.runKey[0] = 0;
  b.runCounter[0] = 0;
}

// Seals and opens the same batch over and over: each leaves what the other takes. The first pass, which finds the caches
// as another backend left them, does not count.
bool Measure(Bench& bench, int size, Batch& batch, int packets) {
  const int repeat = 1 + 400000 / (packets * (kSizes[size] + 200));
  double seal = 0, open = 0;
  if (bench.aead->Seal(batch) != packets || bench.aead->Open(batch) != packets) return false;
  for (int i = 0; i < repeat; i++) {
    const double t0 = NowNs();
    if (bench.aead->Seal(batch) != packets) return false;
    const double t1 = NowNs();
    if (bench.aead->Open(batch) != packets) return false;
    seal += t1 - t0;
    open += NowNs() - t1;
    batch.runCounter[0] += packets;
  }
  bench.seal[size].push_back(seal / repeat / packets);
  bench.open[size].push_back(open / repeat / packets);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 61;
  const int packets = argc > 2 ? atoi(argv[2]) : 45;
  if (rounds < 1 || packets < 1 || packets > 512) return 2;
  std::vector<Bench> benches;
  const uint8_t key[kKeyBytes] = {1, 2, 3};
  for (const char* name : AeadBackendNames()) {
    AeadBackendChoice choice = MakeAeadBackend(name, 2);
    if (!choice.backend) {
      printf("%s: %s\n", name, choice.reason.c_str());
      continue;
    }
    Bench bench;
    bench.aead = std::make_unique<Aead>(std::move(choice.backend), 1);
    bench.aead->SetKey(0, key);
    benches.push_back(std::move(bench));
  }
  const int arena = packets * (kSizes[kSizeCount - 1] + 64);
  const size_t bytes = MakeLayout(size_t(packets), 1, 0, size_t(arena)).totalBytes;
  std::unique_ptr<uint8_t, void (*)(void*)> memory(static_cast<uint8_t*>(aligned_alloc(64, AlignUp(bytes, 64))), free);
  Batch batch = MakeBatch(memory.get(), packets, 1, 0, arena);
  for (int round = 0; round < rounds; round++) {
    for (int size = 0; size < kSizeCount; size++) {
      for (Bench& bench : benches) {
        Fill(batch, packets, kSizes[size]);
        if (Measure(bench, size, batch, packets)) continue;
        fprintf(stderr, "%s failed at %d bytes\n", bench.aead->backendName(), kSizes[size]);
        return 1;
      }
    }
  }
  printf("%-14s %6s %10s %10s %8s %8s   (batches of %d, medians of %d)\n", "backend", "bytes", "seal ns", "open ns",
         "GB/s", "GB/s", packets, rounds);
  for (int size = 0; size < kSizeCount; size++) {
    for (Bench& bench : benches) {
      const double seal = Median(bench.seal[size]), open = Median(bench.open[size]);
      printf("%-14s %6d %10.1f %10.1f %8.2f %8.2f\n", bench.aead->backendName(), kSizes[size], seal, open,
             kSizes[size] / seal, kSizes[size] / open);
    }
  }
  return 0;
}
