// ChaCha20-Poly1305 as RFC 8439 spells it, slow and plain, apart from every backend.
#pragma once

#include <cstdint>
#include <cstring>

#include "packets.h"

namespace tuntap::test {

inline uint32_t Rotate(uint32_t v, int n) { return v << n | v >> (32 - n); }

inline uint32_t LoadLe32(const uint8_t* p) {
  return uint32_t(p[0]) | uint32_t(p[1]) << 8 | uint32_t(p[2]) << 16 | uint32_t(p[3]) << 24;
}

// RFC 8439 2.1
inline void QuarterRound(uint32_t* x, int a, int b, int c, int d) {
  x[a] += x[b];
  x[d] = Rotate(x[d] ^ x[a], 16);
  x[c] += x[d];
  x[b] = Rotate(x[b] ^ x[c], 12);
  x[a] += x[b];
  x[d] = Rotate(x[d] ^ x[a], 8);
  x[c] += x[d];
  x[b] = Rotate(x[b] ^ x[c], 7);
}

// RFC 8439 2.3
inline void ReferenceBlock(const uint8_t* key, const uint8_t* nonce, uint32_t counter, uint8_t* out) {
  uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (int i = 0; i < 8; i++) state[4 + i] = LoadLe32(key + 4 * i);
  state[12] = counter;
  for (int i = 0; i < 3; i++) state[13 + i] = LoadLe32(nonce + 4 * i);
  uint32_t x[16];
  std::memcpy(x, state, sizeof(x));
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < 4; i++) QuarterRound(x, i, 4 + i, 8 + i, 12 + i);
    for (int i = 0; i < 4; i++) QuarterRound(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
  }
  for (int i = 0; i < 16; i++) {
    for (int j = 0; j < 4; j++) out[4 * i + j] = uint8_t((x[i] + state[i]) >> (8 * j));
  }
}

// A number below 2^160 in 16-bit digits; reduced mod 2^130 - 5 by folding what stands above bit 130.
struct Number {
  uint64_t digit[10] = {};

  void Carry() {
    for (int i = 0; i < 9; i++) {
      digit[i + 1] += digit[i] >> 16;
      digit[i] &= 0xffff;
    }
  }
  void Reduce() {
    for (int round = 0; round < 3; round++) {
      Carry();
      // Digit 8 starts at bit 128.
      const uint64_t above = digit[8] >> 2 | digit[9] << 14;
      digit[8] &= 3;
      digit[9] = 0;
      digit[0] += 5 * above;
    }
    Carry();
  }
};

inline Number LoadNumber(const uint8_t* p, size_t bytes) {
  Number n;
  for (size_t i = 0; i < bytes; i++) n.digit[i / 2] |= uint64_t(p[i]) << (8 * (i % 2));
  return n;
}

inline Number Multiply(const Number& a, const Number& b) {
  uint64_t wide[20] = {};
  for (int i = 0; i < 9; i++) {
    for (int j = 0; j < 9; j++) wide[i + j] += a.digit[i] * b.digit[j];
  }
  for (int i = 0; i < 19; i++) {
    wide[i + 1] += wide[i] >> 16;
    wide[i] &= 0xffff;
  }
  // Above bit 130: times 5, from bit 0.
  Number out;
  for (int i = 0; i < 8; i++) out.digit[i] = wide[i];
  out.digit[8] = wide[8] & 3;
  for (int i = 0; i < 10; i++) out.digit[i] += 5 * (wide[8 + i] >> 2 | (wide[9 + i] & 3) << 14);
  out.Reduce();
  return out;
}

// RFC 8439 2.5 over `data`, whose length is a multiple of 16.
inline Bytes ReferencePoly1305(const uint8_t* key, const Bytes& data) {
  uint8_t clamped[16];
  std::memcpy(clamped, key, 16);
  for (int i = 3; i < 16; i += 4) clamped[i] &= 15;
  for (int i = 4; i < 16; i += 4) clamped[i] &= 252;
  const Number r = LoadNumber(clamped, 16);
  Number h;
  for (size_t at = 0; at < data.size(); at += 16) {
    const Number block = LoadNumber(data.data() + at, 16);
    for (int i = 0; i < 8; i++) h.digit[i] += block.digit[i];
    h.digit[8] += 1;
    h = Multiply(h, r);
  }
  Number minus = h;  // h - (2^130 - 5), if that is not negative: h + 5 reaches bit 130
  minus.digit[0] += 5;
  minus.Carry();
  if (minus.digit[8] >> 2 != 0) h = minus;
  const Number s = LoadNumber(key + 16, 16);
  for (int i = 0; i < 8; i++) h.digit[i] += s.digit[i];
  h.Carry();
  Bytes tag;
  for (int i = 0; i < 8; i++) {
    tag.push_back(uint8_t(h.digit[i]));
    tag.push_back(uint8_t(h.digit[i] >> 8));
  }
  return tag;
}

// RFC 8439 2.8: what Poly1305 runs over.
inline Bytes MacData(const Bytes& aad, const Bytes& text) {
  Bytes data = aad;
  data.resize((data.size() + 15) / 16 * 16);
  data.insert(data.end(), text.begin(), text.end());
  data.resize((data.size() + 15) / 16 * 16);
  for (uint64_t n : {uint64_t(aad.size()), uint64_t(text.size())}) {
    for (int i = 0; i < 8; i++) data.push_back(uint8_t(n >> (8 * i)));
  }
  return data;
}

/// RFC 8439 2.8. @return ciphertext and tag.
inline Bytes ReferenceSeal(const uint8_t* key, const uint8_t* nonce, const Bytes& aad, Bytes text) {
  uint8_t block[64];
  for (size_t i = 0; i < text.size(); i++) {
    if (i % 64 == 0) ReferenceBlock(key, nonce, uint32_t(1 + i / 64), block);
    text[i] ^= block[i % 64];
  }
  ReferenceBlock(key, nonce, 0, block);
  const Bytes tag = ReferencePoly1305(block, MacData(aad, text));
  text.insert(text.end(), tag.begin(), tag.end());
  return text;
}

}  // namespace tuntap::test
