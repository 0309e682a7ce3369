// Arithmetic mod 2^130 - 5 in eight lanes, for the AVX-512 Poly1305 files only. Source: RFC 8439 2.5.
#pragma once

#include "x86_vectors.h"

#if defined(__x86_64__)

#include <cstdint>

namespace tuntap {

namespace {

// A vector holds one limb of eight numbers mod 2^130 - 5, one a lane. Limbs have 44, 44 and 42 bits; between steps
// they may exceed that by a few, never reaching the 52 that IFMA multiplies.
struct Limbs {
  __m512i v[3];
};

// A multiplier with the folded limbs that the wrap at 2^132 = 20 (mod 2^130 - 5) needs.
struct Multiplier {
  __m512i r[3];
  __m512i r20[3];  // 20 r; [0] is not used
};

// Sums of products: the low and the high 52 bits apart.
struct Sums {
  __m512i low[3];
  __m512i high[3];
};

TUNTAP_AVX512_INLINE __m512i Word(uint64_t v) { return _mm512_set1_epi64(int64_t(v)); }
TUNTAP_AVX512_INLINE __m512i Mask44() { return Word((uint64_t(1) << 44) - 1); }
TUNTAP_AVX512_INLINE __m512i Mask42() { return Word((uint64_t(1) << 42) - 1); }

TUNTAP_AVX512_INLINE Limbs Split(__m512i low, __m512i high, __m512i padBit) {
  Limbs out;
  out.v[0] = _mm512_and_si512(low, Mask44());
  out.v[1] = _mm512_and_si512(_mm512_shrdi_epi64(low, high, 44), Mask44());
  out.v[2] = _mm512_or_si512(_mm512_srli_epi64(high, 24), padBit);
  return out;
}

// The bit that stands above every 16-byte block.
TUNTAP_AVX512_INLINE __m512i PadBit() { return Word(uint64_t(1) << 40); }

TUNTAP_AVX512_INLINE Limbs Add(const Limbs& a, const Limbs& b) {
  Limbs out;
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) out.v[i] = _mm512_add_epi64(a.v[i], b.v[i]);
  return out;
}

TUNTAP_AVX512_INLINE __m512i Times5(__m512i a) { return _mm512_add_epi64(a, _mm512_slli_epi64(a, 2)); }

TUNTAP_AVX512_INLINE Multiplier MakeMultiplier(const Limbs& r) {
  Multiplier out;
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    out.r[i] = r.v[i];
    out.r20[i] = _mm512_slli_epi64(Times5(r.v[i]), 2);
  }
  return out;
}

TUNTAP_AVX512_INLINE void Accumulate(Sums& sums, int limb, __m512i a, __m512i b) {
  sums.low[limb] = _mm512_madd52lo_epu64(sums.low[limb], a, b);
  sums.high[limb] = _mm512_madd52hi_epu64(sums.high[limb], a, b);
}

TUNTAP_AVX512_INLINE void MultiplyAdd(Sums& sums, const Limbs& a, const Multiplier& m) {
  Accumulate(sums, 0, a.v[0], m.r[0]);
  Accumulate(sums, 1, a.v[0], m.r[1]);
  Accumulate(sums, 2, a.v[0], m.r[2]);
  Accumulate(sums, 0, a.v[1], m.r20[2]);
  Accumulate(sums, 1, a.v[1], m.r[0]);
  Accumulate(sums, 2, a.v[1], m.r[1]);
  Accumulate(sums, 0, a.v[2], m.r20[1]);
  Accumulate(sums, 1, a.v[2], m.r20[2]);
  Accumulate(sums, 2, a.v[2], m.r[0]);
}

TUNTAP_AVX512_INLINE Sums NoSums() {
  Sums out;
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) out.low[i] = out.high[i] = _mm512_setzero_si512();
  return out;
}

// Back to limbs: 44 + a few bits each. High parts weigh 2^52 = 2^44 2^8 of their limb, so they go 8 bits up the next.
TUNTAP_AVX512_INLINE Limbs Reduce(const Sums& s) {
  const __m512i wrap = _mm512_slli_epi64(Times5(s.high[2]), 10);  // 20 2^8
  const __m512i d0 = _mm512_add_epi64(s.low[0], wrap);
  const __m512i d1 = _mm512_add_epi64(s.low[1], _mm512_slli_epi64(s.high[0], 8));
  const __m512i d2 = _mm512_add_epi64(s.low[2], _mm512_slli_epi64(s.high[1], 8));
  Limbs out;
  out.v[0] = _mm512_add_epi64(_mm512_and_si512(d0, Mask44()), Times5(_mm512_srli_epi64(d2, 42)));
  out.v[1] = _mm512_add_epi64(_mm512_and_si512(d1, Mask44()), _mm512_srli_epi64(d0, 44));
  out.v[2] = _mm512_add_epi64(_mm512_and_si512(d2, Mask42()), _mm512_srli_epi64(d1, 44));
  return out;
}

TUNTAP_AVX512_INLINE Limbs Multiply(const Limbs& a, const Multiplier& m) {
  Sums sums = NoSums();
  MultiplyAdd(sums, a, m);
  return Reduce(sums);
}

TUNTAP_AVX512_INLINE Limbs Blend(__mmask8 mask, const Limbs& no, const Limbs& yes) {
  Limbs out;
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) out.v[i] = _mm512_mask_blend_epi64(mask, no.v[i], yes.v[i]);
  return out;
}

// RFC 8439 2.5: r is clamped.
TUNTAP_AVX512_INLINE Limbs Clamp(__m512i low, __m512i high) {
  return Split(_mm512_and_si512(low, Word(0x0ffffffc0fffffff)), _mm512_and_si512(high, Word(0x0ffffffc0ffffffc)),
               _mm512_setzero_si512());
}

// Low and high 8 bytes of eight tags.
struct Tags {
  __m512i low;
  __m512i high;
};

// h mod 2^130 - 5, plus s, mod 2^128. RFC 8439 2.5.
TUNTAP_AVX512_INLINE Tags Finish(const Limbs& h, __m512i sLow, __m512i sHigh) {
  __m512i h0 = h.v[0], h1 = h.v[1], h2 = h.v[2];
  h1 = _mm512_add_epi64(h1, _mm512_srli_epi64(h0, 44));
  h0 = _mm512_and_si512(h0, Mask44());
  h2 = _mm512_add_epi64(h2, _mm512_srli_epi64(h1, 44));
  h1 = _mm512_and_si512(h1, Mask44());
  // The top limb may stand a little above its 42 bits; h is below 2 (2^130 - 5) all the same, and one subtraction does.
  // g = h + 5 - 2^130, taken where it is not negative.
  __m512i g0 = _mm512_add_epi64(h0, Word(5));
  __m512i g1 = _mm512_add_epi64(h1, _mm512_srli_epi64(g0, 44));
  const __m512i g2 = _mm512_sub_epi64(_mm512_add_epi64(h2, _mm512_srli_epi64(g1, 44)), Word(uint64_t(1) << 42));
  g0 = _mm512_and_si512(g0, Mask44());
  g1 = _mm512_and_si512(g1, Mask44());
  const __mmask8 negative = _mm512_movepi64_mask(g2);
  h0 = _mm512_mask_blend_epi64(negative, g0, h0);
  h1 = _mm512_mask_blend_epi64(negative, g1, h1);
  h2 = _mm512_mask_blend_epi64(negative, g2, h2);
  const __m512i low = _mm512_add_epi64(_mm512_or_si512(h0, _mm512_slli_epi64(h1, 44)), sLow);
  const __mmask8 carry = _mm512_cmplt_epu64_mask(low, sLow);
  __m512i high = _mm512_or_si512(_mm512_srli_epi64(h1, 20), _mm512_slli_epi64(h2, 24));
  high = _mm512_add_epi64(high, sHigh);
  high = _mm512_mask_add_epi64(high, carry, high, Word(1));
  return {low, high};
}

}  // namespace

}  // namespace tuntap

#endif
