#include "chacha20.h"
#include "secret_memory.h"
#include "x86_vectors.h"

#if defined(__x86_64__)

#include <string.h>

namespace tuntap {

namespace {

// Two halves of 16 lanes each: a vector holds one state word of 16 blocks. One half alone waits for the latency of its
// own operations; two together fill the pipes and exactly the 32 registers, which no compiler allocates without
// spilling, hence the assembly. Registers 0-15 are the first half's words, 16-31 the second's.
#define ADD(a, b) "vpaddd %%zmm" #b ", %%zmm" #a ", %%zmm" #a "\n\t"
#define XOR(a, b) "vpxord %%zmm" #b ", %%zmm" #a ", %%zmm" #a "\n\t"
#define ROTATE(a, n) "vprold $" #n ", %%zmm" #a ", %%zmm" #a "\n\t"
#define STEP(a0, a1, a2, a3, b0, b1, b2, b3, d0, d1, d2, d3, n) \
  ADD(a0, b0) ADD(a1, b1) ADD(a2, b2) ADD(a3, b3) \
  XOR(d0, a0) XOR(d1, a1) XOR(d2, a2) XOR(d3, a3) \
  ROTATE(d0, n) ROTATE(d1, n) ROTATE(d2, n) ROTATE(d3, n)
#define QUARTER_ROUNDS(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3) \
  STEP(a0, a1, a2, a3, b0, b1, b2, b3, d0, d1, d2, d3, 16) \
  STEP(c0, c1, c2, c3, d0, d1, d2, d3, b0, b1, b2, b3, 12) \
  STEP(a0, a1, a2, a3, b0, b1, b2, b3, d0, d1, d2, d3, 8) \
  STEP(c0, c1, c2, c3, d0, d1, d2, d3, b0, b1, b2, b3, 7)
#define FIRST_HALF 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
#define SECOND_HALF 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
#define TEXT_OF(...) #__VA_ARGS__
#define EACH(instruction, ...) ".irp r," TEXT_OF(__VA_ARGS__) "\n\t" instruction "\n.endr\n\t"
#define LOAD "vmovdqa32 64*\\r(%[initial]), %%zmm\\r"
#define FINISH "vpaddd 64*\\r(%[initial]), %%zmm\\r, %%zmm\\r\n\tvmovdqa32 %%zmm\\r, 64*\\r(%[final])"

// final = initial after 20 rounds, plus initial. Source: RFC 8439 2.3.
TUNTAP_AVX512 void BothHalves(ChaChaScratch& s) {
  int doubleRounds = 10;
  __asm__ volatile(
      EACH(LOAD, FIRST_HALF, SECOND_HALF)
      ".p2align 5\n1:\n\t"
      QUARTER_ROUNDS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
      QUARTER_ROUNDS(16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31)
      QUARTER_ROUNDS(0, 1, 2, 3, 5, 6, 7, 4, 10, 11, 8, 9, 15, 12, 13, 14)
      QUARTER_ROUNDS(16, 17, 18, 19, 21, 22, 23, 20, 26, 27, 24, 25, 31, 28, 29, 30)
      "dec %[n]\n\tjnz 1b\n\t"
      EACH(FINISH, FIRST_HALF, SECOND_HALF)
      : [n] "+r"(doubleRounds)
      : [initial] "r"(&s.initial), [final] "r"(&s.final)
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
        "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

// The same with the first half alone: a quarter faster for up to 16 blocks.
TUNTAP_AVX512 void FirstHalf(ChaChaScratch& s) {
  int doubleRounds = 10;
  __asm__ volatile(
      EACH(LOAD, FIRST_HALF)
      ".p2align 5\n1:\n\t"
      QUARTER_ROUNDS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
      QUARTER_ROUNDS(0, 1, 2, 3, 5, 6, 7, 4, 10, 11, 8, 9, 15, 12, 13, 14)
      "dec %[n]\n\tjnz 1b\n\t"
      EACH(FINISH, FIRST_HALF)
      : [n] "+r"(doubleRounds)
      : [initial] "r"(&s.initial), [final] "r"(&s.final)
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#undef ADD
#undef XOR
#undef ROTATE
#undef STEP
#undef QUARTER_ROUNDS
#undef FIRST_HALF
#undef SECOND_HALF
#undef TEXT_OF
#undef EACH
#undef LOAD
#undef FINISH

// XORs the blocks of one half into their targets: a 16 x 16 transposition of words, in 4-word pieces and then by piece.
TUNTAP_AVX512_CALL void XorHalf(const uint32_t (*words)[16], uint8_t* const* targets) {
  __m512i pieces[4][4];  // [words 4g..4g+3][blocks k, 4+k, 8+k, 12+k]
#pragma GCC unroll 4
  for (int g = 0; g < 4; g++) {
    const __m512i w0 = _mm512_load_si512(words[4 * g]);
    const __m512i w1 = _mm512_load_si512(words[4 * g + 1]);
    const __m512i w2 = _mm512_load_si512(words[4 * g + 2]);
    const __m512i w3 = _mm512_load_si512(words[4 * g + 3]);
    const __m512i low01 = _mm512_unpacklo_epi32(w0, w1), high01 = _mm512_unpackhi_epi32(w0, w1);
    const __m512i low23 = _mm512_unpacklo_epi32(w2, w3), high23 = _mm512_unpackhi_epi32(w2, w3);
    pieces[g][0] = _mm512_unpacklo_epi64(low01, low23);
    pieces[g][1] = _mm512_unpackhi_epi64(low01, low23);
    pieces[g][2] = _mm512_unpacklo_epi64(high01, high23);
    pieces[g][3] = _mm512_unpackhi_epi64(high01, high23);
  }
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    const __m512i a = _mm512_shuffle_i64x2(pieces[0][k], pieces[1][k], 0x44);
    const __m512i b = _mm512_shuffle_i64x2(pieces[2][k], pieces[3][k], 0x44);
    const __m512i c = _mm512_shuffle_i64x2(pieces[0][k], pieces[1][k], 0xee);
    const __m512i d = _mm512_shuffle_i64x2(pieces[2][k], pieces[3][k], 0xee);
    const __m512i blocks[4] = {_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd),
                               _mm512_shuffle_i64x2(c, d, 0x88), _mm512_shuffle_i64x2(c, d, 0xdd)};
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      uint8_t* target = targets[4 * j + k];
      _mm512_storeu_si512(target, _mm512_xor_si512(_mm512_loadu_si512(target), blocks[j]));
    }
  }
}

// Where the next block to run stands.
struct Cursor {
  const ChaChaWork* work;
  const ChaChaWork* end;
  uint32_t block;
};

// What FillHalf builds for 16 lanes: state words 4 to 15, and where the keystream goes (8 lanes a vector).
struct Half {
  const uint8_t* key;  // of the lanes given so far, and of all behind them until another comes
  __m512i words[12];
  __m512i targets[2];
};

TUNTAP_AVX512_INLINE __m512i Pointer(uintptr_t p) { return _mm512_set1_epi64(int64_t(p)); }
TUNTAP_AVX512_INLINE __m512i Pointer(const uint8_t* p) { return Pointer(reinterpret_cast<uintptr_t>(p)); }

TUNTAP_AVX512_INLINE int Word(const uint8_t* p) {
  int v;
  memcpy(&v, p, sizeof(v));
  return v;
}

// Lanes [lane, lane + take) get the blocks of `work` from `block` on.
TUNTAP_AVX512_INLINE void AddLanes(Half& half, const ChaChaWork& work, uint32_t block, uint32_t lane, uint32_t take) {
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i steps = _mm512_set_epi64(448, 384, 320, 256, 192, 128, 64, 0);  // kChaChaBlockBytes a lane
  const uint32_t mask = ((1u << take) - 1) << lane;
  if (work.key != half.key) {
    half.key = work.key;
    const __mmask16 onward = __mmask16(0xffffu << lane);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) half.words[i] = _mm512_mask_set1_epi32(half.words[i], onward, Word(work.key + 4 * i));
  }
  half.words[8] = _mm512_mask_add_epi32(half.words[8], __mmask16(mask), lanes, _mm512_set1_epi32(int(block - lane)));
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    half.words[9 + i] = _mm512_mask_set1_epi32(half.words[9 + i], __mmask16(mask), Word(work.nonce + 4 * i));
  }
  // Block n of lane l goes to text + 64 (n - 1), but for the first and the last of a message.
  const uintptr_t zero = reinterpret_cast<uintptr_t>(work.text) + (uintptr_t(block) - lane - 1) * kChaChaBlockBytes;
  const __m512i low = _mm512_add_epi64(Pointer(zero), steps);
  const __m512i high = _mm512_add_epi64(Pointer(zero + 8 * kChaChaBlockBytes), steps);
  const uint32_t keyMask = uint32_t(block == 0) << lane;
  const uint32_t tailMask = uint32_t(block + take > work.wholeEnd) << (lane + take - 1);
  const __m512i keyBlock = Pointer(work.keyBlock), tail = Pointer(work.tail);
  __m512i* t = half.targets;
  t[0] = _mm512_mask_mov_epi64(t[0], __mmask8(mask), low);
  t[1] = _mm512_mask_mov_epi64(t[1], __mmask8(mask >> 8), high);
  t[0] = _mm512_mask_mov_epi64(t[0], __mmask8(keyMask), keyBlock);
  t[1] = _mm512_mask_mov_epi64(t[1], __mmask8(keyMask >> 8), keyBlock);
  t[0] = _mm512_mask_mov_epi64(t[0], __mmask8(tailMask), tail);
  t[1] = _mm512_mask_mov_epi64(t[1], __mmask8(tailMask >> 8), tail);
}

// Gives each of 16 lanes the next block: state words into `initial` (RFC 8439 2.3: constants, key, counter, nonce).
// Lanes without one scribble over their own row of `final`, when it has been read.
TUNTAP_AVX512_CALL void FillHalf(Cursor& at, uint32_t (*initial)[16], uint8_t** targets, uint32_t (*final)[16]) {
  Half half;
  half.key = nullptr;
#pragma GCC unroll 12
  for (int i = 0; i < 12; i++) half.words[i] = _mm512_setzero_si512();
  const __m512i steps = _mm512_set_epi64(448, 384, 320, 256, 192, 128, 64, 0);
  half.targets[0] = _mm512_add_epi64(Pointer(reinterpret_cast<const uint8_t*>(final)), steps);
  half.targets[1] = _mm512_add_epi64(Pointer(reinterpret_cast<const uint8_t*>(final + 8)), steps);
  uint32_t lane = 0;
  while (lane < 16 && at.work != at.end) {
    const uint32_t left = at.work->end - at.block;
    const uint32_t take = left < 16 - lane ? left : 16 - lane;
    AddLanes(half, *at.work, at.block, lane, take);
    lane += take;
    at.block += take;
    if (take == left && ++at.work != at.end) at.block = at.work->first;
  }
  static constexpr int kConstants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) _mm512_store_si512(initial[i], _mm512_set1_epi32(kConstants[i]));
#pragma GCC unroll 12
  for (int i = 0; i < 12; i++) _mm512_store_si512(initial[4 + i], half.words[i]);
  _mm512_store_si512(targets, half.targets[0]);
  _mm512_store_si512(targets + 8, half.targets[1]);
}

// The first `length` (below 64) bytes of a block.
TUNTAP_AVX512_INLINE void XorTail(uint8_t* to, const uint8_t* stream, uint32_t length) {
  const __mmask64 mask = (uint64_t(1) << length) - 1;
  const __m512i text = _mm512_maskz_loadu_epi8(mask, to);
  _mm512_mask_storeu_epi8(to, mask, _mm512_xor_si512(text, _mm512_maskz_loadu_epi8(mask, stream)));
}

}  // namespace

TUNTAP_AVX512 void ChaCha20Avx512(const ChaChaWork* work, size_t count, ChaChaScratch& scratch) {
  alignas(64) uint8_t* targets[2][16];
  Cursor at{work, work + count, count > 0 ? work->first : 0};
  while (at.work != at.end) {
    FillHalf(at, scratch.initial[0], targets[0], scratch.final[0]);
    const bool both = at.work != at.end;
    if (both) {
      FillHalf(at, scratch.initial[1], targets[1], scratch.final[1]);
      BothHalves(scratch);
    } else {
      FirstHalf(scratch);
    }
    XorHalf(scratch.final[0], targets[0]);
    if (both) XorHalf(scratch.final[1], targets[1]);
  }
  for (size_t i = 0; i < count; i++) {
    const ChaChaWork& w = work[i];
    if (w.end > w.wholeEnd) XorTail(w.text + size_t(w.wholeEnd - 1) * kChaChaBlockBytes, w.tail, w.tailBytes);
  }
  WipeAvx512Registers();  // of key words and keystream
  WipeStackBelow();
}

}  // namespace tuntap

#endif
