#include "x25519_pairs.h"

#include "x86_vectors.h"

#if defined(__x86_64__)

#include <string.h>

#include "field25519.h"
#include "secret_memory.h"

namespace tuntap {
namespace {

constexpr size_t kLanes = 2 * kX25519PairsMax;
constexpr size_t kNumberBytes = 32;
constexpr uint8_t kBasePoint[kNumberBytes] = {9};
constexpr uint64_t kA24 = 121665;  // (486662 − 2) / 4

// Eight numbers modulo p, limb i of each in limb[i]. Limbs stay below 2^51 + 2^15, and so below the 2^52 that IFMA multiplies.
struct Numbers {
  __m512i limb[5];
};

// The same with limbs below 2^60.
struct Sums {
  __m512i limb[5];
};

TUNTAP_AVX512_INLINE __m512i All(uint64_t v) { return _mm512_set1_epi64(int64_t(v)); }
TUNTAP_AVX512_INLINE __m512i Twice(__m512i v) { return _mm512_add_epi64(v, v); }
TUNTAP_AVX512_INLINE __m512i Times19(__m512i v) {
  return _mm512_add_epi64(_mm512_add_epi64(v, Twice(v)), _mm512_slli_epi64(v, 4));
}

TUNTAP_AVX512_INLINE Sums ToSums(const Numbers& a) {
  return {{a.limb[0], a.limb[1], a.limb[2], a.limb[3], a.limb[4]}};
}

// Takes limbs below 2^61: what goes up to the next is below 2^10, and nineteen times that comes back below.
TUNTAP_AVX512_INLINE Numbers Carry(const Sums& a) {
  Numbers r;
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) r.limb[i] = _mm512_and_si512(a.limb[i], All(kLimbMask));
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) r.limb[i + 1] = _mm512_add_epi64(r.limb[i + 1], _mm512_srli_epi64(a.limb[i], kLimbBits));
  r.limb[0] = _mm512_madd52lo_epu64(r.limb[0], _mm512_srli_epi64(a.limb[4], kLimbBits), All(19));
  return r;
}

TUNTAP_AVX512_INLINE Numbers CarriedSum(const Sums& a, const Sums& b) {
  Sums r;
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) r.limb[i] = _mm512_add_epi64(a.limb[i], b.limb[i]);
  return Carry(r);
}

// 2^9 p is added, so that no limb borrows.
TUNTAP_AVX512_INLINE Numbers CarriedDifference(const Sums& a, const Sums& b) {
  Sums r;
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) {
    const __m512i multiple = All((i == 0 ? kLimbMask - 18 : kLimbMask) << 9);
    r.limb[i] = _mm512_sub_epi64(_mm512_add_epi64(a.limb[i], multiple), b.limb[i]);
  }
  return Carry(r);
}

// Halves of products of 52 by 52 bits, summed by the limb that they belong to; a high half weighs 2^52, two of the next limb.
struct Halves {
  __m512i low[9];
  __m512i high[9];
};

TUNTAP_AVX512_INLINE Halves NoHalves() {
  Halves h;
#pragma GCC unroll 9
  for (int k = 0; k < 9; ++k) h.low[k] = h.high[k] = _mm512_setzero_si512();
  return h;
}

TUNTAP_AVX512_INLINE void Accumulate(Halves& h, int k, __m512i a, __m512i b) {
  h.low[k] = _mm512_madd52lo_epu64(h.low[k], a, b);
  h.high[k] = _mm512_madd52hi_epu64(h.high[k], a, b);
}

// At most five products a limb: 5 · 2^52 and twice 5 · 2^50, below 2^55; with nineteen times as much from above below 2^60.
TUNTAP_AVX512_INLINE Sums Fold(const Halves& h) {
  __m512i r[10];
  r[0] = h.low[0];
#pragma GCC unroll 8
  for (int k = 1; k < 9; ++k) r[k] = _mm512_add_epi64(h.low[k], Twice(h.high[k - 1]));
  r[9] = Twice(h.high[8]);
  Sums out;
#pragma GCC unroll 5
  for (int k = 0; k < 5; ++k) out.limb[k] = _mm512_add_epi64(r[k], Times19(r[k + 5]));
  return out;
}

TUNTAP_AVX512_INLINE Sums Multiply(const Numbers& a, const Numbers& b) {
  Halves h = NoHalves();
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) {
#pragma GCC unroll 5
    for (int j = 0; j < 5; ++j) Accumulate(h, i + j, a.limb[i], b.limb[j]);
  }
  return Fold(h);
}

TUNTAP_AVX512_INLINE Sums Square(const Numbers& a) {
  Halves h = NoHalves();
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) {
#pragma GCC unroll 5
    for (int j = i + 1; j < 5; ++j) Accumulate(h, i + j, a.limb[i], a.limb[j]);
  }
#pragma GCC unroll 9
  for (int k = 0; k < 9; ++k) {
    h.low[k] = Twice(h.low[k]);
    h.high[k] = Twice(h.high[k]);
  }
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) Accumulate(h, 2 * i, a.limb[i], a.limb[i]);
  return Fold(h);
}

// a + kA24 e
TUNTAP_AVX512_INLINE Numbers PlusA24(const Numbers& a, const Numbers& e) {
  const __m512i a24 = All(kA24), zero = _mm512_setzero_si512();
  Sums r;
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) {
    const __m512i below = _mm512_madd52hi_epu64(zero, e.limb[(i + 4) % 5], a24);
    r.limb[i] = _mm512_madd52lo_epu64(a.limb[i], e.limb[i], a24);
    r.limb[i] = _mm512_add_epi64(r.limb[i], i == 0 ? Times19(Twice(below)) : Twice(below));
  }
  return Carry(r);
}

TUNTAP_AVX512_INLINE void SwapWhere(__mmask8 lanes, Sums& a, Sums& b) {
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) {
    const __m512i was = a.limb[i];
    a.limb[i] = _mm512_mask_mov_epi64(a.limb[i], lanes, b.limb[i]);
    b.limb[i] = _mm512_mask_mov_epi64(b.limb[i], lanes, was);
  }
}

// Everything secret that outlives a step, in one place to wipe.
struct Secrets {
  uint8_t scalars[kX25519PairsMax][kNumberBytes];
  alignas(64) uint64_t limbs[2][5][kLanes];  // of x and z of the results
  Field x[kLanes];
  Field z[kLanes];
  Field before[kLanes];  // products of all z of the lanes before
  Field inverse;
};

// Lanes whose scalar has this bit; lane i + kX25519PairsMax has the scalar of lane i.
__mmask8 LanesWithBit(const Secrets& s, int bit) {
  unsigned lanes = 0;
  for (size_t i = 0; i < kX25519PairsMax; ++i) lanes |= (unsigned(s.scalars[i][bit / 8]) >> (bit % 8) & 1) << i;
  return __mmask8(lanes | lanes << kX25519PairsMax);
}

// RFC 7748 5: the ladder, its names kept. Leaves x2 and z2 in `s.limbs`.
TUNTAP_AVX512_CALL void Ladder(Secrets& s, const uint64_t (&u)[5][kLanes]) {
  const __m512i zero = _mm512_setzero_si512();
  Numbers x1;
  for (int i = 0; i < 5; ++i) x1.limb[i] = _mm512_load_si512(u[i]);
  const Sums one = {{All(1), zero, zero, zero, zero}};
  Sums x2 = one, z2 = {{zero, zero, zero, zero, zero}}, x3 = ToSums(x1), z3 = one;
  __mmask8 swapped = 0;
  for (int bit = 254; bit >= 0; --bit) {
    const __mmask8 lanes = LanesWithBit(s, bit);
    SwapWhere(__mmask8(swapped ^ lanes), x2, x3);
    SwapWhere(__mmask8(swapped ^ lanes), z2, z3);
    swapped = lanes;
    const Numbers a = CarriedSum(x2, z2), b = CarriedDifference(x2, z2);
    const Numbers c = CarriedSum(x3, z3), d = CarriedDifference(x3, z3);
    const Numbers aa = Carry(Square(a)), bb = Carry(Square(b));
    const Sums da = Multiply(d, a), cb = Multiply(c, b);
    x3 = Square(CarriedSum(da, cb));
    z3 = Multiply(x1, Carry(Square(CarriedDifference(da, cb))));
    x2 = Multiply(aa, bb);
    const Numbers e = CarriedDifference(ToSums(aa), ToSums(bb));
    z2 = Multiply(e, PlusA24(aa, e));
  }
  SwapWhere(swapped, x2, x3);
  SwapWhere(swapped, z2, z3);
  const Numbers x = Carry(x2), z = Carry(z2);
  for (int i = 0; i < 5; ++i) {
    _mm512_store_si512(s.limbs[0][i], x.limb[i]);
    _mm512_store_si512(s.limbs[1][i], z.limb[i]);
  }
  WipeAvx512Registers();
}

// All ones if x is zero, else 0.
uint64_t MaskIfZero(const Field& x) {
  uint64_t words[4];
  uint8_t bytes[kNumberBytes];
  ToBytes(bytes, x);
  memcpy(words, bytes, sizeof words);
  const uint64_t any = words[0] | words[1] | words[2] | words[3];
  return ((any | (0 - any)) >> 63) - 1;
}

// x / z of every lane by one inversion (Montgomery's trick), 0 where z is 0.
__attribute__((noinline)) void Divide(Secrets& s) {
  Field product = kOne;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 5; ++i) {
      s.x[lane].limb[i] = s.limbs[0][i][lane];
      s.z[lane].limb[i] = s.limbs[1][i][lane];
    }
    const uint64_t isZero = MaskIfZero(s.z[lane]);
    for (uint64_t& limb : s.x[lane].limb) limb &= ~isZero;
    for (uint64_t& limb : s.z[lane].limb) limb &= ~isZero;
    s.z[lane].limb[0] |= isZero & 1;
    s.before[lane] = product;
    product = product * s.z[lane];
  }
  s.inverse = Invert(product);
  for (size_t lane = kLanes; lane-- > 0;) {
    s.x[lane] = s.x[lane] * (s.inverse * s.before[lane]);
    s.inverse = s.inverse * s.z[lane];
  }
}

__attribute__((noinline)) void Pairs(uint8_t* publics, uint8_t* shareds, const uint8_t* scalars, const uint8_t* points,
                                     size_t count) {
  Secrets s;
  memset(s.scalars, 0, sizeof s.scalars);
  memcpy(s.scalars, scalars, count * kNumberBytes);
  alignas(64) uint64_t u[5][kLanes];
  for (size_t i = 0; i < kX25519PairsMax; ++i) {
    s.scalars[i][0] &= 248;
    s.scalars[i][31] = uint8_t((s.scalars[i][31] & 127) | 64);
    const Field base = FromBytes(kBasePoint);
    const Field point = i < count ? FromBytes(points + i * kNumberBytes) : base;
    for (int k = 0; k < 5; ++k) {
      u[k][i] = point.limb[k];
      u[k][i + kX25519PairsMax] = base.limb[k];
    }
  }
  Ladder(s, u);
  WipeDeepStackBelow();
  Divide(s);
  WipeDeepStackBelow();
  for (size_t i = 0; i < count; ++i) {
    ToBytes(shareds + i * kNumberBytes, s.x[i]);
    ToBytes(publics + i * kNumberBytes, s.x[i + kX25519PairsMax]);
  }
  explicit_bzero(&s, sizeof s);
}

}  // namespace

void X25519PairsAvx512(uint8_t* publics, uint8_t* shareds, const uint8_t* scalars, const uint8_t* points, size_t count) {
  Pairs(publics, shareds, scalars, points, count);
  WipeDeepStackBelow();
}

}  // namespace tuntap

#endif
