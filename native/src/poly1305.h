// Poly1305 of the AEAD construction, several messages side by side. Source: RFC 8439 2.5, 2.8.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tuntap {

struct PolyMessage {
  const uint8_t* key;  // 64 readable bytes, of which the first 32 are r and s
  const uint8_t* aad;
  const uint8_t* text;  // the ciphertext
  uint32_t aadLength;
  uint32_t textLength;
};

constexpr size_t kPolyLanesAvx512 = 8;
constexpr size_t kPolyLanesAvx2 = 4;

/// Tags of messages over their associated data and text (each padded with zeros to 16 bytes) and both lengths. A group
/// of lanes costs what its longest message costs, so neighbours had better be alike. Constant time in keys and text.
/// Needs CpuHasAvx512().
void Poly1305Avx512(const PolyMessage* messages, size_t count, uint8_t (*tags)[16]);
/// The tag of one message without associated data, its blocks spread over the lanes. Needs CpuHasAvx512().
void Poly1305OneAvx512(const PolyMessage& message, uint8_t* tag);
/// As Poly1305Avx512. Needs CpuHasAvx2().
void Poly1305Avx2(const PolyMessage* messages, size_t count, uint8_t (*tags)[16]);

}  // namespace tuntap
