// X25519 for several scalars at once, each with the base point and with a point of its own: what a handshake initiation takes.
// The Montgomery ladder runs in the lanes of a vector, one multiplication a lane.
// Source: RFC 7748 5 (ladder, clamping); limbs as in field25519.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tuntap {

constexpr size_t kX25519PairsMax = 4;

/// publics[i] = scalars[i] · base point, shareds[i] = scalars[i] · points[i]; 32 bytes each, one behind the other. The scalars are
/// clamped and the points' top bits ignored. `count` is 1 to kX25519PairsMax; all counts take the same time. Constant time in the
/// scalars and the results: no branch and no address depends on them. Leaves no copy of them. Allocates nothing.
/// Needs CpuHasAvx512().
void X25519PairsAvx512(uint8_t* publics, uint8_t* shareds, const uint8_t* scalars, const uint8_t* points, size_t count);

}  // namespace tuntap
