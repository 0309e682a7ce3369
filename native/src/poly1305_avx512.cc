#include "poly1305_avx512.h"

#include "poly1305.h"

#if defined(__x86_64__)

#include <string.h>

namespace tuntap {

namespace {

// The 16-byte blocks of one 64-byte step: low and high 8 bytes of block i, each of eight messages.
struct Step {
  __m512i low[4];
  __m512i high[4];
};

// A 4 x 4 transposition of 16-byte pieces.
TUNTAP_AVX512_INLINE void Gather(const __m512i (&in)[4], __m512i (&to)[4]) {
  const __m512i a = _mm512_shuffle_i64x2(in[0], in[1], 0x44), b = _mm512_shuffle_i64x2(in[2], in[3], 0x44);
  const __m512i c = _mm512_shuffle_i64x2(in[0], in[1], 0xee), d = _mm512_shuffle_i64x2(in[2], in[3], 0xee);
  to[0] = _mm512_shuffle_i64x2(a, b, 0x88);
  to[1] = _mm512_shuffle_i64x2(a, b, 0xdd);
  to[2] = _mm512_shuffle_i64x2(c, d, 0x88);
  to[3] = _mm512_shuffle_i64x2(c, d, 0xdd);
}

// Eight rows of 64 bytes, one a message, to words of all messages.
TUNTAP_AVX512_INLINE Step Transpose(const __m512i (&rows)[8]) {
  __m512i low[4], high[4];  // pairs of messages: their low (high) 8 bytes of all four blocks
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    low[i] = _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
    high[i] = _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
  }
  Step out;
  Gather(low, out.low);
  Gather(high, out.high);
  return out;
}

struct State {
  Multiplier powers[4];  // r, r^2, r^3, r^4
  Limbs h;
  __m512i s[2];
};

TUNTAP_AVX512_INLINE void Start(State& state, const uint8_t* const (&keys)[8]) {
  __m512i rows[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) rows[i] = _mm512_loadu_si512(keys[i]);
  const Step key = Transpose(rows);
  state.s[0] = key.low[1];
  state.s[1] = key.high[1];
  const Limbs r = Clamp(key.low[0], key.high[0]);
  state.powers[0] = MakeMultiplier(r);
  const Limbs r2 = Multiply(r, state.powers[0]);
  state.powers[1] = MakeMultiplier(r2);
  state.powers[2] = MakeMultiplier(Multiply(r2, state.powers[0]));
  state.powers[3] = MakeMultiplier(Multiply(r2, state.powers[1]));
  state.h = {{_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()}};
}

// Four blocks of every message: h = (h + m0) r^4 + m1 r^3 + m2 r^2 + m3 r. What waits for h comes last.
TUNTAP_AVX512_INLINE Limbs FourBlocks(const State& state, const Step& m) {
  Sums sums = NoSums();
#pragma GCC unroll 4
  for (int i = 3; i >= 0; i--) {
    Limbs block = Split(m.low[i], m.high[i], PadBit());
    if (i == 0) block = Add(block, state.h);
    MultiplyAdd(sums, block, state.powers[3 - i]);
  }
  return Reduce(sums);
}

// The last 0 to 63 bytes of every message, padded with zeros to a block.
TUNTAP_AVX512_INLINE void Rest(State& state, const uint8_t* const (&at)[8], const uint32_t (&length)[8]) {
  __m512i rows[8];
  uint32_t longest = 0;
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    const uint32_t rest = length[i] % 64;
    rows[i] = _mm512_maskz_loadu_epi8((uint64_t(1) << rest) - 1, at[i] + (length[i] - rest));
    longest = rest > longest ? rest : longest;
  }
  if (longest == 0) return;
  const __m512i rests = _mm512_and_si512(_mm512_cvtepu32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(
                                             length))), Word(63));
  const Step m = Transpose(rows);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __mmask8 has = _mm512_cmpgt_epu64_mask(rests, Word(uint64_t(16 * i)));
    const Limbs next = Multiply(Add(state.h, Split(m.low[i], m.high[i], PadBit())), state.powers[0]);
    state.h = Blend(has, state.h, next);
  }
}

// A string of every message, each padded with zeros to 16 bytes.
TUNTAP_AVX512_INLINE void Absorb(State& state, const uint8_t* const (&at)[8], const uint32_t (&length)[8]) {
  uint32_t shortest = length[0], longest = length[0];
  for (int i = 1; i < 8; i++) {
    shortest = length[i] < shortest ? length[i] : shortest;
    longest = length[i] > longest ? length[i] : longest;
  }
  size_t offset = 0;
  for (; offset + 64 <= shortest; offset += 64) {
    __m512i rows[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) rows[i] = _mm512_loadu_si512(at[i] + offset);
    state.h = FourBlocks(state, Transpose(rows));
  }
  for (; offset + 64 <= longest; offset += 64) {
    __m512i rows[8];
    unsigned lanes = 0;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      const bool has = offset + 64 <= length[i];
      rows[i] = _mm512_maskz_loadu_epi64(has ? 0xff : 0, at[i] + offset);
      lanes |= unsigned(has) << i;
    }
    state.h = Blend(__mmask8(lanes), state.h, FourBlocks(state, Transpose(rows)));
  }
  Rest(state, at, length);
}

TUNTAP_AVX512_INLINE void StoreTags(const Tags& from, uint8_t (*tags)[16]) {
  const __m512i even = _mm512_unpacklo_epi64(from.low, from.high), odd = _mm512_unpackhi_epi64(from.low, from.high);
  __m128i* to = reinterpret_cast<__m128i*>(tags);
  _mm_storeu_si128(to, _mm512_extracti64x2_epi64(even, 0));
  _mm_storeu_si128(to + 1, _mm512_extracti64x2_epi64(odd, 0));
  _mm_storeu_si128(to + 2, _mm512_extracti64x2_epi64(even, 1));
  _mm_storeu_si128(to + 3, _mm512_extracti64x2_epi64(odd, 1));
  _mm_storeu_si128(to + 4, _mm512_extracti64x2_epi64(even, 2));
  _mm_storeu_si128(to + 5, _mm512_extracti64x2_epi64(odd, 2));
  _mm_storeu_si128(to + 6, _mm512_extracti64x2_epi64(even, 3));
  _mm_storeu_si128(to + 7, _mm512_extracti64x2_epi64(odd, 3));
}

// Up to eight messages; lanes without one run over nothing.
TUNTAP_AVX512 void Eight(const PolyMessage* messages, size_t count, uint8_t (*tags)[16]) {
  const uint8_t *keys[8], *aad[8], *text[8];
  alignas(32) uint32_t aadLength[8] = {}, textLength[8] = {};
  uint32_t anyAad = 0;
  for (size_t i = 0; i < 8; i++) {
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
  const __m512i low = _mm512_cvtepu32_epi64(_mm256_load_si256(reinterpret_cast<const __m256i*>(aadLength)));
  const __m512i high = _mm512_cvtepu32_epi64(_mm256_load_si256(reinterpret_cast<const __m256i*>(textLength)));
  state.h = Multiply(Add(state.h, Split(low, high, PadBit())), state.powers[0]);
  StoreTags(Finish(state.h, state.s[0], state.s[1]), tags);
}

// Whether it is faster to spread each message over the lanes than to give it one of them. Eight lanes side by side cost
// what the longest message costs, whatever stands in the others. In ns, as measured; only the ratio counts.
bool FasterOneByOne(const PolyMessage* messages, size_t count) {
  uint32_t longest = 0, oneByOne = 0;
  for (size_t i = 0; i < count; i++) {
    if (messages[i].aadLength != 0) return false;
    const uint32_t steps = messages[i].textLength / 64;
    oneByOne += 55 + 2 * steps;
    longest = steps > longest ? steps : longest;
  }
  return oneByOne < 60 + 21 * longest;
}

}  // namespace

void Poly1305Avx512(const PolyMessage* messages, size_t count, uint8_t (*tags)[16]) {
  for (size_t at = 0; at < count; at += kPolyLanesAvx512) {
    const size_t n = count - at < kPolyLanesAvx512 ? count - at : kPolyLanesAvx512;
    if (FasterOneByOne(messages + at, n)) {
      for (size_t i = at; i < at + n; i++) Poly1305OneAvx512(messages[i], tags[i]);
    } else if (n == kPolyLanesAvx512) {
      Eight(messages + at, n, tags + at);
    } else {
      uint8_t some[kPolyLanesAvx512][16];
      Eight(messages + at, n, some);
      memcpy(tags + at, some, n * 16);
    }
  }
}

}  // namespace tuntap

#endif
