#include "chacha20.h"
#include "secret_memory.h"
#include "x86_vectors.h"

#if defined(__x86_64__)

#include <string.h>

namespace tuntap {

namespace {

constexpr uint32_t kLanes = kChaChaLanesAvx2;

template <int kBits>
TUNTAP_AVX2_INLINE __m256i Rotate(__m256i v) {
  // Whole bytes in one instruction: 16 bits swap the halves of a word, 8 bits turn it by a byte.
  const __m128i by16 = _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2);
  const __m128i by8 = _mm_set_epi8(14, 13, 12, 15, 10, 9, 8, 11, 6, 5, 4, 7, 2, 1, 0, 3);
  if (kBits == 16) return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(by16));
  if (kBits == 8) return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(by8));
  return _mm256_or_si256(_mm256_slli_epi32(v, kBits), _mm256_srli_epi32(v, 32 - kBits));
}

// a += b, d = (d ^ a) <<< kBits, in two quarter rounds.
template <int kBits>
TUNTAP_AVX2_INLINE void Quarter(__m256i& a, __m256i b, __m256i& d, __m256i& e, __m256i f, __m256i& h) {
  a = _mm256_add_epi32(a, b);
  e = _mm256_add_epi32(e, f);
  d = Rotate<kBits>(_mm256_xor_si256(d, a));
  h = Rotate<kBits>(_mm256_xor_si256(h, e));
}

// Two quarter rounds (RFC 8439 2.1) side by side: with all four, the compiler runs out of its 16 registers.
TUNTAP_AVX2_INLINE void TwoRounds(__m256i& a, __m256i& b, __m256i& c, __m256i& d, __m256i& e, __m256i& f, __m256i& g,
                                  __m256i& h) {
  Quarter<16>(a, b, d, e, f, h);
  Quarter<12>(c, d, b, g, h, f);
  Quarter<8>(a, b, d, e, f, h);
  Quarter<7>(c, d, b, g, h, f);
}

// Words 8 w to 8 w + 7 of eight blocks, one a row, to half a block each.
TUNTAP_AVX2_INLINE void Transpose(const __m256i* rows, __m256i* halves) {
  __m256i pairs[8], fours[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    pairs[2 * i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
    pairs[2 * i + 1] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
  }
  // fours[4 g + k]: words 4 g to 4 g + 3 of blocks k and 4 + k.
#pragma GCC unroll 2
  for (int g = 0; g < 2; g++) {
    fours[4 * g] = _mm256_unpacklo_epi64(pairs[4 * g], pairs[4 * g + 2]);
    fours[4 * g + 1] = _mm256_unpackhi_epi64(pairs[4 * g], pairs[4 * g + 2]);
    fours[4 * g + 2] = _mm256_unpacklo_epi64(pairs[4 * g + 1], pairs[4 * g + 3]);
    fours[4 * g + 3] = _mm256_unpackhi_epi64(pairs[4 * g + 1], pairs[4 * g + 3]);
  }
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    halves[k] = _mm256_permute2x128_si256(fours[k], fours[4 + k], 0x20);
    halves[4 + k] = _mm256_permute2x128_si256(fours[k], fours[4 + k], 0x31);
  }
}

TUNTAP_AVX2_INLINE void XorInto(uint8_t* target, __m256i stream) {
  __m256i* to = reinterpret_cast<__m256i*>(target);
  _mm256_storeu_si256(to, _mm256_xor_si256(_mm256_loadu_si256(to), stream));
}

// 20 rounds over eight blocks, and their keystream into the targets.
TUNTAP_AVX2_CALL void Run(const uint32_t (*initial)[16], uint8_t* const* targets) {
  __m256i x[16], halves[8];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) x[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(initial[i]));
  for (int round = 0; round < 10; round++) {
    TwoRounds(x[0], x[4], x[8], x[12], x[1], x[5], x[9], x[13]);
    TwoRounds(x[2], x[6], x[10], x[14], x[3], x[7], x[11], x[15]);
    TwoRounds(x[0], x[5], x[10], x[15], x[1], x[6], x[11], x[12]);
    TwoRounds(x[2], x[7], x[8], x[13], x[3], x[4], x[9], x[14]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) {
    x[i] = _mm256_add_epi32(x[i], _mm256_load_si256(reinterpret_cast<const __m256i*>(initial[i])));
  }
#pragma GCC unroll 2
  for (int half = 0; half < 2; half++) {
    Transpose(x + 8 * half, halves);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) XorInto(targets[i] + 32 * half, halves[i]);
  }
}

TUNTAP_AVX2_INLINE __m256i Word(const uint8_t* p) {
  int v;
  memcpy(&v, p, sizeof(v));
  return _mm256_set1_epi32(v);
}

// Gives the lanes marked by `which` another word, in scratch memory: a local copy would leave the key on the stack.
TUNTAP_AVX2_INLINE void Replace(uint32_t* row, __m256i word, __m256i which) {
  __m256i* at = reinterpret_cast<__m256i*>(row);
  _mm256_store_si256(at, _mm256_blendv_epi8(_mm256_load_si256(at), word, which));
}

// Gives each lane the next block. Lanes behind those that a message fills carry on with its words, so that the next
// message only has to replace what is behind it.
struct Filler {
  const ChaChaWork* work;
  const ChaChaWork* end;
  uint32_t block;

  TUNTAP_AVX2_CALL void Fill(uint32_t (*initial)[16], uint8_t** targets, uint32_t (*unused)[16]) {
    const __m256i lanes = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const uint8_t* key = nullptr;
    uint32_t lane = 0;
    while (lane < kLanes && work != end) {
      const __m256i onward = _mm256_cmpgt_epi32(lanes, _mm256_set1_epi32(int(lane) - 1));
      if (work->key != key) {
        key = work->key;
        for (int i = 0; i < 8; i++) Replace(initial[4 + i], Word(key + 4 * i), onward);
      }
      Replace(initial[12], _mm256_add_epi32(lanes, _mm256_set1_epi32(int(block - lane))), onward);
      for (int i = 0; i < 3; i++) Replace(initial[13 + i], Word(work->nonce + 4 * i), onward);
      for (; lane < kLanes && block < work->end; lane++, block++) {
        uint8_t* whole = block == 0 ? work->keyBlock : work->text + size_t(block - 1) * kChaChaBlockBytes;
        targets[lane] = block < work->wholeEnd ? whole : work->tail;
      }
      if (block == work->end && ++work != end) block = work->first;
    }
    for (; lane < kLanes; lane++) targets[lane] = reinterpret_cast<uint8_t*>(unused[lane]);
  }
};

}  // namespace

TUNTAP_AVX2 void ChaCha20Avx2(const ChaChaWork* work, size_t count, ChaChaScratch& scratch) {
  static constexpr int kConstants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (int i = 0; i < 4; i++) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(scratch.initial[0][i]), _mm256_set1_epi32(kConstants[i]));
  }
  uint8_t* targets[kLanes];
  Filler next{work, work + count, count > 0 ? work->first : 0};
  while (next.work != next.end) {
    next.Fill(scratch.initial[0], targets, scratch.final[0]);
    Run(scratch.initial[0], targets);
  }
  _mm256_zeroall();
  WipeStackBelow();  // Run has more to keep than registers, key words among it
  for (size_t i = 0; i < count; i++) {
    const ChaChaWork& w = work[i];
    if (w.end > w.wholeEnd) XorBytes(w.text + size_t(w.wholeEnd - 1) * kChaChaBlockBytes, w.tail, w.tailBytes);
  }
}

}  // namespace tuntap

#endif
