// Drives a fuzz target. With clang (`make libfuzzer`) it is libFuzzer, whose mutations now and then are replaced by an
// input of the target's own making. Without: this file's main replays the files and directories of argv[2] and after,
// then makes inputs from seeds for argv[1] seconds, 5 by default; a failing input says how to replay it.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "expect.h"
#include "packets.h"

namespace tuntap::test {

/// An input near to what is valid, so that deep code is reached.
Bytes MakeInput(Random& random);
/// Runs one input; reports by EXPECT.
void CheckInput(const uint8_t* data, size_t size);

/// Takes an input apart. Past its end everything is zero.
class InputReader {
 public:
  InputReader(const uint8_t* data, size_t size) : at_(data), left_(size) {}

  size_t left() const { return left_; }
  uint8_t U8() { return left_ == 0 ? 0 : (left_--, *at_++); }
  uint16_t U16() { return uint16_t(U8() << 8 | U8()); }
  uint32_t U32() { return uint32_t(U16()) << 16 | U16(); }
  size_t Below(size_t n) { return n <= 256 ? U8() % n : n <= 65536 ? U16() % n : U32() % n; }
  bool Flag() { return (U8() & 1) != 0; }
  Bytes Take(size_t n) {
    n = std::min(n, left_);
    const Bytes out(at_, at_ + n);
    at_ += n;
    left_ -= n;
    return out;
  }

 private:
  const uint8_t* at_;
  size_t left_;
};

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
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t maxSize);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tuntap::test::CheckInput(data, size);
  return tuntap::test::failureCount == 0 ? 0 : (std::abort(), 0);
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t maxSize, unsigned seed) {
  using namespace tuntap::test;
  if (seed % 32 != 0) return LLVMFuzzerMutate(data, size, maxSize);
  Random random(seed);
  const Bytes made = MakeInput(random);
  const size_t length = std::min(made.size(), maxSize);
  std::copy_n(made.begin(), length, data);
  return length;
}
#else
namespace tuntap::test {

inline void ReplayFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const Bytes input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  CheckInput(input.data(), input.size());
  if (failureCount != 0) std::fprintf(stderr, "replay: %s\n", path.c_str());
}

/// @return files replayed.
inline int Replay(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) {
    ReplayFile(path);
    return 1;
  }
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (failureCount == 0) ReplayFile(entry.path());
    count++;
  }
  return count;
}

}  // namespace tuntap::test

int main(int argc, char** argv) {
  using namespace tuntap::test;
  using Clock = std::chrono::steady_clock;
  int files = 0;
  for (int i = 2; i < argc; i++) files += Replay(argv[i]);
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
  std::printf("%llu inputs, %d kept ones\n", (unsigned long long)(seed - first), files);
  return TestResult();
}
#endif
