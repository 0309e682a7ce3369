// Tag comparison.
#pragma once

#include <cstdint>
#include <cstring>

namespace tuntap {

/// Whether two 16-byte tags are equal. Constant time: no branch depends on where they differ.
inline bool TagsEqual(const uint8_t* a, const uint8_t* b) {
  uint64_t x[2], y[2];
  memcpy(x, a, sizeof(x));
  memcpy(y, b, sizeof(y));
  const uint64_t different = (x[0] ^ y[0]) | (x[1] ^ y[1]);
  return different == 0;
}

}  // namespace tuntap
