// The Internet checksum, fast: one's complement sums over bytes, alone or fused with a copy.
// Sums are of 16-bit words as they lie in memory (RFC 1071, section 2B: byte order does not matter), unfolded in 64
// bits, so that partial sums simply add. A part of odd length may only be the last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tuntap {

/// Sum of n bytes, n < 2^32. An odd last byte counts as if a zero followed.
uint64_t SumBytes(const uint8_t* data, size_t n);

/// Copies n bytes and returns their sum in the same pass. The ranges do not overlap.
uint64_t CopyAndSum(uint8_t* to, const uint8_t* from, size_t n);

/// Which instructions the two above use. Each level computes the same; the tests compare all that the machine has.
enum class SumLevel : uint8_t { Portable, Avx2, Avx512 };
SumLevel BestSumLevel();
uint64_t SumBytesAt(SumLevel level, const uint8_t* data, size_t n);
uint64_t CopyAndSumAt(SumLevel level, uint8_t* to, const uint8_t* from, size_t n);

/// SumBytes of a small fixed multiple of 4, inline: IP headers and addresses.
template <size_t kBytes>
inline uint64_t SumFixed(const uint8_t* data) {
  static_assert(kBytes % 4 == 0 && kBytes <= 64);
  uint64_t sum = 0;
  for (size_t at = 0; at < kBytes; at += 4) {
    uint32_t words;
    memcpy(&words, data + at, sizeof words);
    sum += words;
  }
  return sum;
}

/// Folds a sum to 16 bits; the result goes into memory as it is (StoreWord).
inline uint16_t FoldSum(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  return uint16_t((sum & 0xffff) + (sum >> 16));
}

/// A 16-bit word as it lies in memory: what the sums are made of.
inline uint16_t LoadWord(const uint8_t* at) {
  uint16_t word;
  memcpy(&word, at, sizeof word);
  return word;
}
inline void StoreWord(uint8_t* at, uint16_t word) { memcpy(at, &word, sizeof word); }

/// Takes a word out of a sum (one's complement subtraction).
inline uint64_t WithoutWord(uint64_t sum, uint16_t word) { return sum + uint16_t(~word); }

}  // namespace tuntap
