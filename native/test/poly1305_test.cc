// Our own Poly1305 where its arithmetic is at its limits: random messages almost never reach these cases.
#include "poly1305.h"

#include "aead_reference.h"
#include "expect.h"
#include "x86_vectors.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

#if defined(__x86_64__)

using Poly = void (*)(const PolyMessage*, size_t, uint8_t (*)[16]);

// Sums that land on both sides of 2^130 - 5 just before the last reduction, and keys of extreme r and s.
void TestPolyEdges(Poly poly1305) {
  constexpr size_t kMessages = 8;
  Random random(3);
  for (int round = 0; round < 600; round++) {
    Bytes keys[kMessages], texts[kMessages];
    PolyMessage messages[kMessages];
    for (size_t i = 0; i < kMessages; i++) {
      keys[i] = RandomBytes(random, 64);
      texts[i] = round % 3 == 0 ? Bytes(random() % 300, 0xff) : RandomBytes(random, random() % 300);
      if (round % 5 == 0) std::fill_n(keys[i].begin(), 16, uint8_t(i % 2 ? 0xff : 0));
      if (round % 7 == 0) std::fill_n(keys[i].begin() + 16, 16, uint8_t(0xff));
      if (round % 2 == 0) {
        // r = 1: h is the sum of the blocks. Four of text and one of lengths: 5 2^128 + sum = 5 + 2^128 + sum.
        std::fill_n(keys[i].begin(), 16, uint8_t(0));
        keys[i][0] = 1;
        texts[i] = Bytes(64, 0xff);
        std::fill_n(texts[i].begin() + 48, 16, uint8_t(0));
        // 3 (2^128 - 1) - x - length = 2^130 - 5 + k - 5 - 2^128, k in [-8, 8)
        const uint64_t x = 7 - (uint64_t(round / 2 + int(i)) % 16 - 8);
        const unsigned __int128 third = ~(unsigned __int128)(0) - x - ((unsigned __int128)(64) << 64);
        std::memcpy(texts[i].data() + 32, &third, 16);
      }
      messages[i] = {keys[i].data(), nullptr, texts[i].data(), 0, uint32_t(texts[i].size())};
    }
    uint8_t tags[kMessages][16];
    poly1305(messages, kMessages, tags);
    for (size_t i = 0; i < kMessages; i++) {
      EXPECT(Bytes(tags[i], tags[i] + 16) == ReferencePoly1305(keys[i].data(), MacData({}, texts[i])));
    }
  }
}

void OneByOneAvx512(const PolyMessage* messages, size_t count, uint8_t (*tags)[16]) {
  for (size_t i = 0; i < count; i++) Poly1305OneAvx512(messages[i], tags[i]);
}

// Every length, in memory of exactly that length, in groups of every size, alike and mixed.
void TestPolyLengths(Poly poly1305) {
  Random random(4);
  for (size_t length = 0; length < 1500; length++) {
    const size_t count = 1 + length % 9;
    std::vector<Bytes> keys, texts;
    std::vector<PolyMessage> messages;
    for (size_t i = 0; i < count; i++) {
      keys.push_back(RandomBytes(random, 64));
      texts.push_back(RandomBytes(random, i % 3 == 2 ? random() % (length + 1) : length));
      messages.push_back({keys[i].data(), nullptr, texts[i].data(), 0, uint32_t(texts[i].size())});
    }
    uint8_t tags[9][16];
    poly1305(messages.data(), count, tags);
    for (size_t i = 0; i < count; i++) {
      EXPECT(Bytes(tags[i], tags[i] + 16) == ReferencePoly1305(keys[i].data(), MacData({}, texts[i])));
    }
  }
}

void TestPoly(Poly poly1305) {
  TestPolyEdges(poly1305);
  TestPolyLengths(poly1305);
}

#endif

}  // namespace

int main() {
#if defined(__x86_64__)
  if (CpuHasAvx512()) TestPoly(Poly1305Avx512);
  if (CpuHasAvx512()) TestPoly(OneByOneAvx512);
  if (CpuHasAvx2()) TestPoly(Poly1305Avx2);
#endif
  return TestResult();
}
