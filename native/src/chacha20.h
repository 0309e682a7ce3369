// ChaCha20, many blocks at a time, whatever messages they belong to. Source: RFC 8439 2.3, 2.4.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tuntap {

constexpr size_t kChaChaBlockBytes = 64;
constexpr size_t kChaChaLanesAvx512 = 32;
constexpr size_t kChaChaLanesAvx2 = 8;

/// Blocks [first, end) of one key and nonce. The keystream of a block is XORed into 64 bytes: block 0 (the Poly1305
/// key) into keyBlock, a whole block n of the text into text + 64 (n - 1). A last block that is not whole goes into
/// tail, and from there into the tailBytes bytes that are left.
struct ChaChaWork {
  const uint8_t* key;
  const uint8_t* nonce;
  uint32_t first;
  uint32_t end;
  uint32_t wholeEnd;   // the block from here on goes to tail
  uint32_t tailBytes;  // 0 to 63
  uint8_t* text;
  uint8_t* keyBlock;
  uint8_t* tail;
};

/// Memory that the cipher works in: it holds keys and keystream, so the owner keeps it secret and wipes it.
struct alignas(64) ChaChaScratch {
  uint32_t initial[2][16][16];  // half, word, lane
  uint32_t final[2][16][16];    // takes the keystream of lanes without a block, too
};

/// Runs all blocks of all work. Constant time in keys and text. Needs CpuHasAvx512().
void ChaCha20Avx512(const ChaChaWork* work, size_t count, ChaChaScratch& scratch);
/// The same. Needs CpuHasAvx2().
void ChaCha20Avx2(const ChaChaWork* work, size_t count, ChaChaScratch& scratch);

/// to ^= stream, `length` bytes.
void XorBytes(uint8_t* to, const uint8_t* stream, size_t length);

}  // namespace tuntap
