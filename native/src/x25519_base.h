// Public keys of X25519 from a table of the base point's multiples, three times as fast as the general multiplication: every
// handshake message has an ephemeral key of its own. On the Edwards form of the curve, whose u is (1 + y) / (1 − y).
// Sources: RFC 7748 4.1, 5 (curve, map, clamping); RFC 8032 5.1 (base point, d); Hisil, Wong, Carter, Dawson,
// "Twisted Edwards Curves Revisited", 2008 (3.1, 3.3); Bernstein et al., "High-speed high-security signatures", 2011 (4).
#pragma once

#include <cstdint>

namespace tuntap {

/// out = scalar · base point; 32 bytes each, `out` may be `scalar`. The scalar is clamped. Constant time in it: no branch and no
/// address depends on it. Leaves no copy of it. Allocates nothing. The first call makes the table (30 KB, a millisecond).
void X25519BaseByTable(uint8_t* out, const uint8_t* scalar);

}  // namespace tuntap
