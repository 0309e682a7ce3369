#include "poly1305.h"
#include "poly1305_avx512.h"

#if defined(__x86_64__)

#include <string.h>

namespace tuntap {

namespace {

// A vector holds eight consecutive blocks. Zero blocks stand before the first so that the last, which holds the
// lengths, is block 7 of the last vector. Lane l has block kBlockOf[l]: that is how two loads and an unpack leave them.
//   h = ((m0 r^8 + m1) r^8 + m2) ..., lane by lane; in the end the lane of block i is worth r^(8 - i).
struct Vector {
  __m512i low;
  __m512i high;
};

TUNTAP_AVX512_INLINE __m512i BlockOf() { return _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0); }

TUNTAP_AVX512_INLINE Vector Deal(__m512i first, __m512i second) {
  return {_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second)};
}

// 128 bytes of text.
TUNTAP_AVX512_INLINE Limbs Whole(const uint8_t* text) {
  const Vector v = Deal(_mm512_loadu_si512(text), _mm512_loadu_si512(text + 64));
  return Split(v.low, v.high, PadBit());
}

// Which of the 64 bytes from `at` on lie in a text of `length` bytes.
TUNTAP_AVX512_INLINE __mmask64 Inside(int64_t at, int64_t length) {
  const uint64_t all = ~uint64_t(0);
  const uint64_t from = at >= 0 ? all : at <= -64 ? 0 : all << -at;
  const int64_t left = length - at;
  const uint64_t to = left >= 64 ? all : left <= 0 ? 0 : (uint64_t(1) << left) - 1;
  return from & to;
}

// The vector at byte `at` of the text, which it may overlap only in part; blocks before `firstBlock` are no blocks.
TUNTAP_AVX512_INLINE Limbs Part(const PolyMessage& m, int64_t at, uint64_t firstBlock, bool last) {
  const uintptr_t text = reinterpret_cast<uintptr_t>(m.text) + uintptr_t(at);
  const __mmask64 first = Inside(at, m.textLength), second = Inside(at + 64, m.textLength);
  Vector v = Deal(_mm512_maskz_loadu_epi8(first, reinterpret_cast<const void*>(text)),
                  _mm512_maskz_loadu_epi8(second, reinterpret_cast<const void*>(text + 64)));
  if (last) v.high = _mm512_mask_set1_epi64(v.high, 0x80, int64_t(m.textLength));  // no associated data: low is 0
  const __mmask8 blocks = _mm512_cmpge_epu64_mask(BlockOf(), Word(firstBlock));
  return Split(v.low, v.high, _mm512_maskz_mov_epi64(blocks, PadBit()));
}

// r^(8 - block) in each lane: one factor for each bit of 7 - block.
TUNTAP_AVX512_INLINE Limbs LanePowers(const Limbs& r, const Multiplier& by1, const Multiplier& by2,
                                      const Multiplier& by4) {
  Limbs power = Blend(0x33, r, Multiply(r, by1));
  power = Blend(0x0f, power, Multiply(power, by2));
  return Blend(0x55, power, Multiply(power, by4));
}

TUNTAP_AVX512_INLINE Limbs SumOfLanes(const Limbs& a) {
  Sums sums = NoSums();
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) sums.low[i] = _mm512_set1_epi64(_mm512_reduce_add_epi64(a.v[i]));
  return Reduce(sums);
}

}  // namespace

TUNTAP_AVX512 void Poly1305OneAvx512(const PolyMessage& message, uint8_t* tag) {
  int64_t key[4];
  memcpy(key, message.key, sizeof(key));
  const Limbs r = Clamp(_mm512_set1_epi64(key[0]), _mm512_set1_epi64(key[1]));
  const Multiplier by1 = MakeMultiplier(r);
  const Limbs r2 = Multiply(r, by1);
  const Multiplier by2 = MakeMultiplier(r2);
  const Limbs r4 = Multiply(r2, by2);
  const Multiplier by4 = MakeMultiplier(r4);
  const Limbs r8 = Multiply(r4, by4);
  const Multiplier by8 = MakeMultiplier(r8);

  const uint64_t blocks = (uint64_t(message.textLength) + 15) / 16 + 1;
  const uint64_t vectors = (blocks + 7) / 8;
  const uint64_t missing = 8 * vectors - blocks;
  int64_t at = -int64_t(16 * missing);
  Limbs h = Part(message, at, missing, vectors == 1);
  uint64_t left = vectors - 1;
  if (left > 4) {
    const Limbs r16 = Multiply(r8, by8);
    const Multiplier by16 = MakeMultiplier(r16);
    const Multiplier by24 = MakeMultiplier(Multiply(r16, by8));
    const Multiplier by32 = MakeMultiplier(Multiply(r16, by16));
    for (; left > 4; left -= 4, at += 512) {
      const uint8_t* text = message.text + at;
      Sums sums = NoSums();
      MultiplyAdd(sums, Whole(text + 128), by24);
      MultiplyAdd(sums, Whole(text + 256), by16);
      MultiplyAdd(sums, Whole(text + 384), by8);
      MultiplyAdd(sums, h, by32);
      h = Add(Reduce(sums), Whole(text + 512));
    }
  }
  for (; left > 1; left--, at += 128) h = Add(Multiply(h, by8), Whole(message.text + at + 128));
  if (left == 1) h = Add(Multiply(h, by8), Part(message, at + 128, 0, true));
  h = SumOfLanes(Multiply(h, MakeMultiplier(LanePowers(r, by1, by2, by4))));

  const Tags tags = Finish(h, _mm512_set1_epi64(key[2]), _mm512_set1_epi64(key[3]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(tag), _mm512_castsi512_si128(_mm512_unpacklo_epi64(tags.low, tags.high)));
}

}  // namespace tuntap

#endif
