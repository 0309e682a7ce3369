// See checksum.h. The vector versions carry their instruction set themselves and are chosen when the process starts, so
// the addon is built without machine flags.
#include "checksum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tuntap {

namespace {

// Fewer than 8 bytes. The odd byte takes the place that it has as the first byte of a word in memory.
inline uint64_t SumTail(const uint8_t* at, size_t n) {
  uint64_t sum = 0;
  if (n & 4) {
    sum += SumFixed<4>(at);
    at += 4;
  }
  if (n & 2) {
    sum += LoadWord(at);
    at += 2;
  }
  if (n & 1) {
    const uint8_t word[2] = {*at, 0};
    sum += LoadWord(word);
  }
  return sum;
}

template <bool kCopy>
uint64_t SumPortable(uint8_t* to, const uint8_t* from, size_t n) {
  uint64_t sum = 0;
  size_t at = 0;
  for (; at + 8 <= n; at += 8) {
    sum += SumFixed<8>(from + at);
    if (kCopy) memcpy(to + at, from + at, 8);
  }
  if (kCopy && at < n) memcpy(to + at, from + at, n - at);
  return sum + SumTail(from + at, n - at);
}

#if defined(__x86_64__)

#define TUNTAP_AVX2 __attribute__((target("avx2")))
#define TUNTAP_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))

// Below this the set-up of the AVX2 loop costs more than it saves.
constexpr size_t kAvx2BytesMin = 64;

// Adds the eight 32-bit words of v to four 64-bit lanes; no lane overflows below 2^32 bytes.
TUNTAP_AVX2 inline __m256i AddWords(__m256i lanes, __m256i v) {
  const __m256i low = _mm256_blend_epi32(v, _mm256_setzero_si256(), 0xaa);
  return _mm256_add_epi64(lanes, _mm256_add_epi64(low, _mm256_srli_epi64(v, 32)));
}

template <bool kCopy>
TUNTAP_AVX2 uint64_t SumAvx2(uint8_t* to, const uint8_t* from, size_t n) {
  if (n < kAvx2BytesMin) return SumPortable<kCopy>(to, from, n);
  __m256i a = _mm256_setzero_si256();
  __m256i b = a;
  size_t at = 0;
  for (; at + 64 <= n; at += 64) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at + 32));
    if (kCopy) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + at), first);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + at + 32), second);
    }
    a = AddWords(a, first);
    b = AddWords(b, second);
  }
  alignas(32) uint64_t lane[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lane), _mm256_add_epi64(a, b));
  const uint64_t sum = lane[0] + lane[1] + lane[2] + lane[3];
  if (kCopy) return sum + SumPortable<true>(to + at, from + at, n - at);
  return sum + SumPortable<false>(nullptr, from + at, n - at);
}

TUNTAP_AVX512 inline __m512i AddWords(__m512i lanes, __m512i v) {
  const __m512i low = _mm512_and_si512(v, _mm512_set1_epi64(0xffffffff));
  const __m512i high = _mm512_maskz_srli_epi64(0xff, v, 32);  // the unmasked intrinsic makes g++ 12 warn (GCC 105593)
  return _mm512_add_epi64(lanes, _mm512_add_epi64(low, high));
}

// The tail goes through masked loads and stores, which touch no byte outside the mask.
template <bool kCopy>
TUNTAP_AVX512 uint64_t SumAvx512(uint8_t* to, const uint8_t* from, size_t n) {
  __m512i a = _mm512_setzero_si512();
  __m512i b = a;
  size_t at = 0;
  for (; at + 128 <= n; at += 128) {
    const __m512i first = _mm512_loadu_si512(from + at);
    const __m512i second = _mm512_loadu_si512(from + at + 64);
    if (kCopy) {
      _mm512_storeu_si512(to + at, first);
      _mm512_storeu_si512(to + at + 64, second);
    }
    a = AddWords(a, first);
    b = AddWords(b, second);
  }
  for (; at < n; at += 64) {
    const size_t rest = n - at;
    const __mmask64 mask = rest >= 64 ? ~__mmask64(0) : (__mmask64(1) << rest) - 1;
    const __m512i v = _mm512_maskz_loadu_epi8(mask, from + at);
    if (kCopy) _mm512_mask_storeu_epi8(to + at, mask, v);
    a = AddWords(a, v);
  }
  alignas(64) uint64_t lane[8];
  _mm512_store_si512(lane, _mm512_add_epi64(a, b));
  return lane[0] + lane[1] + lane[2] + lane[3] + lane[4] + lane[5] + lane[6] + lane[7];
}

SumLevel Probe() {
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512) return SumLevel::Avx512;
  return __builtin_cpu_supports("avx2") ? SumLevel::Avx2 : SumLevel::Portable;
}

template <bool kCopy>
inline uint64_t SumAt(SumLevel level, uint8_t* to, const uint8_t* from, size_t n) {
  if (level == SumLevel::Avx512) return SumAvx512<kCopy>(to, from, n);
  if (level == SumLevel::Avx2) return SumAvx2<kCopy>(to, from, n);
  return SumPortable<kCopy>(to, from, n);
}

#else

SumLevel Probe() { return SumLevel::Portable; }

template <bool kCopy>
inline uint64_t SumAt(SumLevel, uint8_t* to, const uint8_t* from, size_t n) {
  return SumPortable<kCopy>(to, from, n);
}

#endif

const SumLevel kBestLevel = Probe();

}  // namespace

SumLevel BestSumLevel() { return kBestLevel; }

uint64_t SumBytesAt(SumLevel level, const uint8_t* data, size_t n) { return SumAt<false>(level, nullptr, data, n); }

uint64_t CopyAndSumAt(SumLevel level, uint8_t* to, const uint8_t* from, size_t n) {
  return SumAt<true>(level, to, from, n);
}

uint64_t SumBytes(const uint8_t* data, size_t n) { return SumAt<false>(kBestLevel, nullptr, data, n); }

uint64_t CopyAndSum(uint8_t* to, const uint8_t* from, size_t n) { return SumAt<true>(kBestLevel, to, from, n); }

}  // namespace tuntap
