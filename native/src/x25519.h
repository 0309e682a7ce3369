// X25519 (RFC 7748) by the libcrypto of the running process: several times the speed of WebAssembly.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libcrypto.h"
#include "x25519_pairs.h"

namespace tuntap {

/// out = scalar · point; 32 bytes each. The scalar is clamped and the point's top bit ignored, as the RFC says.
/// @return 1, or 0 with `out` zeroed: the result is all zeros (low-order point) or libcrypto failed. Constant time
/// in the scalar and the result. Leaves no copy of either. Allocates (libcrypto). Source: RFC 7748 5, 6.1.
int X25519(const Libcrypto& crypto, uint8_t* out, const uint8_t* scalar, const uint8_t* point);

/// out = scalar · base point, from a table (x25519_base.h) that was first found to agree with libcrypto.
/// @return 1, or 0 with `out` zeroed when they do not agree and libcrypto failed.
int X25519Base(const Libcrypto& crypto, uint8_t* out, const uint8_t* scalar);

/// publics[i] = scalars[i] · base point, shareds[i] = scalars[i] · points[i], for `count` from 1 to kX25519PairsMax; 32 bytes each,
/// one behind the other. Side by side in a vector (x25519_pairs.h) where this CPU can and the outcome was first found to agree with
/// libcrypto; otherwise one by one, as above. @return bit i: shareds[i] is not all zeros (where it is, it must not be used); −1: libcrypto failed.
int X25519Pairs(const Libcrypto& crypto, uint8_t* publics, uint8_t* shareds, const uint8_t* scalars, const uint8_t* points,
                size_t count);

}  // namespace tuntap
