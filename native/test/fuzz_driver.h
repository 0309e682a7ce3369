// Drives a fuzz target. With clang: -DUSE_LIBFUZZER -fsanitize=fuzzer,address,undefined. Without: this file's main
// makes inputs from seeds (`make fuzz`), for argv[1] seconds, 5 by default; a failing input says how to replay it.
#pragma once

#include <chrono>

#include "expect.h"
#include "packets.h"

namespace tuntap::test {

/// An input near to what is valid, so that deep code is reached.
Bytes MakeInput(Random& random);
/// Runs one input; reports by EXPECT.
void CheckInput(const uint8_t* data, size_t size);

/// Overwrites, cuts or lengthens a little.
inline void Mutate(Random& random, Bytes& data) {
  const uint8_t edges[] = {0, 1, 4, 5, 6, 8, 15, 17, 40, 0x45, 0x60, 0x7f, 0x80, 0xff};
  for (size_t n = Below(random, 4); n > 0 && !data.empty(); n--) {
    uint8_t& at = data[Below(random, OneIn(random, 2) ? std::min<size_t>(data.size(), 100) : data.size())];
    switch (Below(random, 3)) {
      case 0: at = uint8_t(random()); break;
      case 1: at = edges[Below(random, sizeof edges)]; break;
      default: at ^= uint8_t(1 << Below(random, 8)); break;
    }
  }
  if (OneIn(random, 16)) data.resize(Below(random, data.size() + 1));
  if (OneIn(random, 16)) AppendAll(data, RandomBytes(random, Below(random, 40)));
}

}  // namespace tuntap::test

#ifdef USE_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tuntap::test::CheckInput(data, size);
  return tuntap::test::failureCount == 0 ? 0 : (std::abort(), 0);
}
#else
int main(int argc, char** argv) {
  using namespace tuntap::test;
  using Clock = std::chrono::steady_clock;
  const uint64_t first = ChooseSeed();
  const auto end = Clock::now() + std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 5);
  uint64_t seed = first;
  do {
    Random random(seed);
    const Bytes input = MakeInput(random);
    CheckInput(input.data(), input.size());
    if (failureCount != 0) std::fprintf(stderr, "replay: SEED=%llu %s 0\n", (unsigned long long)seed, argv[0]);
    seed++;
  } while (failureCount == 0 && Clock::now() < end);
  std::printf("%llu inputs\n", (unsigned long long)(seed - first));
  return TestResult();
}
#endif
