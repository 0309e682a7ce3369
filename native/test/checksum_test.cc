// The fast sums against RFC 1071 taken literally, for every length, alignment and the contents that carry most.
#include "checksum.h"

#include "expect.h"
#include "ip_header.h"
#include "packets.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

uint16_t Swapped(uint16_t word) {
  const uint8_t bytes[2] = {uint8_t(word >> 8), uint8_t(word)};
  return LoadWord(bytes);
}

void TestPublishedExample() {
  const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};  // RFC 1071, section 3
  EXPECT(FoldSum(SumBytes(data, sizeof data)) == Swapped(0xddf2));
}

// Sum and copy of `n` bytes at `data` on every level the machine has; the bytes behind the copy stay.
void CheckAll(const uint8_t* data, size_t n) {
  const uint16_t expected = Swapped(ReferenceSum(data, n));
  EXPECT(FoldSum(SumBytes(data, n)) == expected);
  for (uint8_t level = 0; level <= uint8_t(BestSumLevel()); level++) {
    EXPECT(FoldSum(SumBytesAt(SumLevel(level), data, n)) == expected);
    Bytes copy(n + 64, 0x5a);
    EXPECT(FoldSum(CopyAndSumAt(SumLevel(level), copy.data(), data, n)) == expected);
    EXPECT(std::equal(data, data + n, copy.begin()));
    EXPECT(std::all_of(copy.begin() + long(n), copy.end(), [](uint8_t b) { return b == 0x5a; }));
  }
  Bytes copy(n + 1);
  EXPECT(FoldSum(CopyAndSum(copy.data(), data, n)) == expected);
  EXPECT(std::equal(data, data + n, copy.begin()));
}

// Memory of exactly n bytes behind the offset, so that AddressSanitizer sees a read beyond it.
void CheckLengths(Random& random, int content) {
  for (size_t n = 0; n <= 700; n++) {
    const size_t skew = n % 5;
    Bytes data = RandomBytes(random, skew + n);
    if (content >= 0) std::fill(data.begin(), data.end(), uint8_t(content));
    data.shrink_to_fit();
    CheckAll(data.data() + skew, n);
  }
}

void TestCarries() {
  const Bytes ones(65535, 0xff);
  CheckAll(ones.data(), ones.size());
  CheckAll(ones.data(), ones.size() - 1);
  EXPECT(FoldSum(~uint64_t(0)) == 0xffff);
  EXPECT(FoldSum(0) == 0);
}

void TestWithoutWord(Random& random) {
  for (int i = 0; i < 1000; i++) {
    Bytes data = RandomBytes(random, 40);
    const uint64_t sum = WithoutWord(SumBytes(data.data(), 40), LoadWord(&data[8]));
    data[8] = data[9] = 0;
    EXPECT(FoldSum(sum) == FoldSum(SumBytes(data.data(), 40)));
  }
}

void TestSumFixed(Random& random) {
  const Bytes data = RandomBytes(random, 40);
  EXPECT(FoldSum(SumFixed<8>(data.data())) == Swapped(ReferenceSum(data.data(), 8)));
  EXPECT(FoldSum(SumFixed<20>(data.data())) == Swapped(ReferenceSum(data.data(), 20)));
  EXPECT(FoldSum(SumFixed<32>(data.data())) == Swapped(ReferenceSum(data.data(), 32)));
}

void TestBigWord() {
  const uint8_t bytes[2] = {0x12, 0x34};
  EXPECT(BigWord(0x1234) == LoadWord(bytes));
}

}  // namespace

int main() {
  Random random(ChooseSeed());
  TestPublishedExample();
  CheckLengths(random, -1);
  CheckLengths(random, 0);
  CheckLengths(random, 0xff);
  TestCarries();
  TestWithoutWord(random);
  TestSumFixed(random);
  TestBigWord();
  return TestResult();
}
