// X25519 (RFC 7748) by the libcrypto of the running process: several times the speed of WebAssembly.
#pragma once

#include <cstdint>

#include "libcrypto.h"

namespace tuntap {

/// out = scalar · point; 32 bytes each. The scalar is clamped and the point's top bit ignored, as the RFC says.
/// @return 1, or 0 with `out` zeroed: the result is all zeros (low-order point) or libcrypto failed. Constant time
/// in the scalar and the result. Leaves no copy of either. Allocates (libcrypto). Source: RFC 7748 5, 6.1.
int X25519(const Libcrypto& crypto, uint8_t* out, const uint8_t* scalar, const uint8_t* point);

/// out = scalar · base point, from a table (x25519_base.h) that was first found to agree with libcrypto.
/// @return 1, or 0 with `out` zeroed when they do not agree and libcrypto failed.
int X25519Base(const Libcrypto& crypto, uint8_t* out, const uint8_t* scalar);

}  // namespace tuntap
