#include "poly1305.h"
#include "x86_vectors.h"

#if defined(__x86_64__)

#include <string.h>

namespace tuntap {

namespace {

constexpr int kLanes = kPolyLanesAvx2;

// A vector holds one limb of four numbers mod 2^130 - 5, one a message. Five limbs of 26 bits; between steps they may
// exceed that by a few, never reaching the 32 that a multiplication takes.
struct Limbs {
  __m256i v[5];
};

// A multiplier with the folded limbs that the wrap at 2^130 = 5 needs.
struct Multiplier {
  __m256i r[5];
  __m256i r5[5];  // 5 r; [0] is not used
};

// The 16-byte blocks of one 64-byte step: low and high 8 bytes of block i, each of four messages.
struct Step {
  __m256i low[4];
  __m256i high[4];
};

TUNTAP_AVX2_INLINE __m256i Word(uint64_t v) { return _mm256_set1_epi64x(int64_t(v)); }
TUNTAP_AVX2_INLINE __m256i Mask26() { return Word((uint64_t(1) << 26) - 1); }
// The bit that stands above every 16-byte block.
TUNTAP_AVX2_INLINE __m256i PadBit() { return Word(uint64_t(1) << 24); }

TUNTAP_AVX2_INLINE Limbs Split(__m256i low, __m256i high, __m256i padBit) {
  Limbs out;
  out.v[0] = _mm256_and_si256(low, Mask26());
  out.v[1] = _mm256_and_si256(_mm256_srli_epi64(low, 26), Mask26());
  const __m256i middle = _mm256_or_si256(_mm256_srli_epi64(low, 52), _mm256_slli_epi64(high, 12));
  out.v[2] = _mm256_and_si256(middle, Mask26());
  out.v[3] = _mm256_and_si256(_mm256_srli_epi64(high, 14), Mask26());
  out.v[4] = _mm256_or_si256(_mm256_srli_epi64(high, 40), padBit);
  return out;
}

TUNTAP_AVX2_INLINE Limbs Add(const Limbs& a, const Limbs& b) {
  Limbs out;
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) out.v[i] = _mm256_add_epi64(a.v[i], b.v[i]);
  return out;
}

TUNTAP_AVX2_INLINE __m256i Times5(__m256i a) { return _mm256_add_epi64(a, _mm256_slli_epi64(a, 2)); }

TUNTAP_AVX2_INLINE Multiplier MakeMultiplier(const Limbs& r) {
  Multiplier out;
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) {
    out.r[i] = r.v[i];
    out.r5[i] = Times5(r.v[i]);
  }
  return out;
}

// sums += a m; sums stay below 2^61 for four products of limbs below 2^27.
TUNTAP_AVX2_INLINE void MultiplyAdd(Limbs& sums, const Limbs& a, const Multiplier& m) {
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) {
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) {
      const __m256i factor = i + j < 5 ? m.r[j] : m.r5[j];
      const int to = (i + j) % 5;
      sums.v[to] = _mm256_add_epi64(sums.v[to], _mm256_mul_epu32(a.v[i], factor));
    }
  }
}

TUNTAP_AVX2_INLINE Limbs Zero() {
  Limbs out;
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) out.v[i] = _mm256_setzero_si256();
  return out;
}

TUNTAP_AVX2_INLINE void Carry(Limbs& d, int from) {
  const __m256i carry = _mm256_srli_epi64(d.v[from], 26);
  d.v[from] = _mm256_and_si256(d.v[from], Mask26());
  if (from == 4) {
    d.v[0] = _mm256_add_epi64(d.v[0], Times5(carry));
  } else {
    d.v[from + 1] = _mm256_add_epi64(d.v[from + 1], carry);
  }
}

// Back to limbs of 26 bits and a few: two chains of carries side by side.
TUNTAP_AVX2_INLINE Limbs Reduce(Limbs d) {
  Carry(d, 0);
  Carry(d, 3);
  Carry(d, 1);
  Carry(d, 4);
  Carry(d, 2);
  Carry(d, 0);
  Carry(d, 3);
  return d;
}

TUNTAP_AVX2_INLINE Limbs Multiply(const Limbs& a, const Multiplier& m) {
  Limbs sums = Zero();
  MultiplyAdd(sums, a, m);
  return Reduce(sums);
}

TUNTAP_AVX2_INLINE Limbs Blend(__m256i mask, const Limbs& no, const Limbs& yes) {
  Limbs out;
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) out.v[i] = _mm256_blendv_epi8(no.v[i], yes.v[i], mask);
  return out;
}

// Four rows of 64 bytes, one a message, to words of all messages.
TUNTAP_AVX2_INLINE Step Transpose(const uint8_t* const (&rows)[4]) {
  Step out;
#pragma GCC unroll 2
  for (int half = 0; half < 2; half++) {
    __m256i row[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) row[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i] + 32 * half));
    const __m256i low01 = _mm256_unpacklo_epi64(row[0], row[1]), high01 = _mm256_unpackhi_epi64(row[0], row[1]);
    const __m256i low23 = _mm256_unpacklo_epi64(row[2], row[3]), high23 = _mm256_unpackhi_epi64(row[2], row[3]);
    out.low[2 * half] = _mm256_permute2x128_si256(low01, low23, 0x20);
    out.low[2 * half + 1] = _mm256_permute2x128_si256(low01, low23, 0x31);
    out.high[2 * half] = _mm256_permute2x128_si256(high01, high23, 0x20);
    out.high[2 * half + 1] = _mm256_permute2x128_si256(high01, high23, 0x31);
  }
  return out;
}

struct State {
  Multiplier powers[4];  // r, r^2, r^3, r^4
  Limbs h;
  __m256i s[2];
};

TUNTAP_AVX2_INLINE void Start(State& state, const uint8_t* const (&keys)[4]) {
  const Step key = Transpose(keys);
  state.s[0] = key.low[1];
  state.s[1] = key.high[1];
  // RFC 8439 2.5: r is clamped.
  const __m256i low = _mm256_and_si256(key.low[0], Word(0x0ffffffc0fffffff));
  const __m256i high = _mm256_and_si256(key.high[0], Word(0x0ffffffc0ffffffc));
  const Limbs r = Split(low, high, _mm256_setzero_si256());
  state.powers[0] = MakeMultiplier(r);
  const Limbs r2 = Multiply(r, state.powers[0]);
  state.powers[1] = MakeMultiplier(r2);
  state.powers[2] = MakeMultiplier(Multiply(r2, state.powers[0]));
  state.powers[3] = MakeMultiplier(Multiply(r2, state.powers[1]));
  state.h = Zero();
}

// Four blocks of every message: h = (h + m0) r^4 + m1 r^3 + m2 r^2 + m3 r.
TUNTAP_AVX2_INLINE Limbs FourBlocks(const State& state, const Step& m) {
  Limbs sums = Zero();
#pragma GCC unroll 4
  for (int i = 3; i >= 0; i--) {
    Limbs block = Split(m.low[i], m.high[i], PadBit());
    if (i == 0) block = Add(block, state.h);
    MultiplyAdd(sums, block, state.powers[3 - i]);
  }
  return Reduce(sums);
}

// The last 0 to 63 bytes of every message, padded with zeros to a block.
TUNTAP_AVX2_INLINE void Rest(State& state, const uint8_t* const (&at)[4], const uint32_t (&length)[4]) {
  alignas(32) uint8_t padded[4][64] = {};
  alignas(32) int64_t rests[4];
  const uint8_t* rows[4];
  uint32_t longest = 0;
  for (int i = 0; i < kLanes; i++) {
    const uint32_t rest = length[i] % 64;
    if (rest > 0) memcpy(padded[i], at[i] + (length[i] - rest), rest);
    rows[i] = padded[i];
    rests[i] = rest;
    longest = rest > longest ? rest : longest;
  }
  if (longest == 0) return;
  const Step m = Transpose(rows);
  const __m256i bytes = _mm256_load_si256(reinterpret_cast<const __m256i*>(rests));
#pragma GCC unroll 4
  for (uint32_t i = 0; i < 4; i++) {
    if (longest <= 16 * i) break;
    const __m256i has = _mm256_cmpgt_epi64(bytes, Word(16 * i));
    const Limbs next = Multiply(Add(state.h, Split(m.low[i], m.high[i], PadBit())), state.powers[0]);
    state.h = Blend(has, state.h, next);
  }
}

// A string of every message, each padded with zeros to 16 bytes.
TUNTAP_AVX2_INLINE void Absorb(State& state, const uint8_t* const (&at)[4], const uint32_t (&length)[4]) {
  alignas(32) static constexpr uint8_t kNothing[64] = {};
  uint32_t shortest = length[0], longest = length[0];
  for (int i = 1; i < kLanes; i++) {
    shortest = length[i] < shortest ? length[i] : shortest;
    longest = length[i] > longest ? length[i] : longest;
  }
  size_t offset = 0;
  for (; offset + 64 <= shortest; offset += 64) {
    const uint8_t* const rows[4] = {at[0] + offset, at[1] + offset, at[2] + offset, at[3] + offset};
    state.h = FourBlocks(state, Transpose(rows));
  }
  for (; offset + 64 <= longest; offset += 64) {
    const uint8_t* rows[4];
    alignas(32) int64_t lanes[4];
    for (int i = 0; i < kLanes; i++) {
      const bool has = offset + 64 <= length[i];
      rows[i] = has ? at[i] + offset : kNothing;
      lanes[i] = has ? -1 : 0;
    }
    const __m256i mask = _mm256_load_si256(reinterpret_cast<const __m256i*>(lanes));
    state.h = Blend(mask, state.h, FourBlocks(state, Transpose(rows)));
  }
  Rest(state, at, length);
}

// h mod 2^130 - 5, plus s, mod 2^128. RFC 8439 2.5.
TUNTAP_AVX2_INLINE void Finish(const State& state, uint8_t (*tags)[16]) {
  Limbs h = state.h;
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) Carry(h, i);
  // The top limb may stand a little above its 26 bits; h is below 2 (2^130 - 5) all the same, and one subtraction does.
  // g = h + 5 - 2^130, taken where it is not negative.
  Limbs g = h;
  g.v[0] = _mm256_add_epi64(g.v[0], Word(5));
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) Carry(g, i);
  g.v[4] = _mm256_sub_epi64(g.v[4], Word(uint64_t(1) << 26));
  const __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), g.v[4]);
  h = Blend(negative, g, h);
  __m256i low = _mm256_or_si256(h.v[0], _mm256_slli_epi64(h.v[1], 26));
  low = _mm256_or_si256(low, _mm256_slli_epi64(h.v[2], 52));
  __m256i high = _mm256_or_si256(_mm256_srli_epi64(h.v[2], 12), _mm256_slli_epi64(h.v[3], 14));
  high = _mm256_or_si256(high, _mm256_slli_epi64(h.v[4], 40));
  alignas(32) uint64_t words[4][4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(words[0]), low);
  _mm256_store_si256(reinterpret_cast<__m256i*>(words[1]), high);
  _mm256_store_si256(reinterpret_cast<__m256i*>(words[2]), state.s[0]);
  _mm256_store_si256(reinterpret_cast<__m256i*>(words[3]), state.s[1]);
  for (int i = 0; i < kLanes; i++) {
    const uint64_t tagLow = words[0][i] + words[2][i];
    const uint64_t tagHigh = words[1][i] + words[3][i] + uint64_t(tagLow < words[2][i]);
    memcpy(tags[i], &tagLow, 8);
    memcpy(tags[i] + 8, &tagHigh, 8);
  }
}

// Up to four messages; lanes without one run over nothing.
TUNTAP_AVX2 void Four(const PolyMessage* messages, size_t count, uint8_t (*tags)[16]) {
  const uint8_t *keys[4], *aad[4], *text[4];
  uint32_t aadLength[4] = {}, textLength[4] = {};
  uint32_t anyAad = 0;
  for (size_t i = 0; i < size_t(kLanes); i++) {
    const PolyMessage& m = messages[i < count ? i : 0];
    keys[i] = m.key;
    aad[i] = m.aad;
    text[i] = m.text;
    if (i >= count) continue;
    aadLength[i] = m.aadLength;
    textLength[i] = m.textLength;
    anyAad |= m.aadLength;
  }
  State state;
  Start(state, keys);
  if (anyAad != 0) Absorb(state, aad, aadLength);
  Absorb(state, text, textLength);
  const __m256i low = _mm256_set_epi64x(aadLength[3], aadLength[2], aadLength[1], aadLength[0]);
  const __m256i high = _mm256_set_epi64x(textLength[3], textLength[2], textLength[1], textLength[0]);
  state.h = Multiply(Add(state.h, Split(low, high, PadBit())), state.powers[0]);
  Finish(state, tags);
}

}  // namespace

void Poly1305Avx2(const PolyMessage* messages, size_t count, uint8_t (*tags)[16]) {
  for (size_t at = 0; at < count; at += kPolyLanesAvx2) {
    uint8_t some[kPolyLanesAvx2][16];
    const size_t n = count - at < kPolyLanesAvx2 ? count - at : kPolyLanesAvx2;
    Four(messages + at, n, some);
    memcpy(tags + at, some, n * 16);
  }
}

}  // namespace tuntap

#endif
