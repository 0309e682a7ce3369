#include "chacha20.h"

namespace tuntap {

void XorBytes(uint8_t* __restrict__ to, const uint8_t* __restrict__ stream, size_t length) {
  for (size_t i = 0; i < length; i++) to[i] ^= stream[i];
}

}  // namespace tuntap
