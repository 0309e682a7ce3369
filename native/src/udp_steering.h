// A second socket on a socket's port, to which the kernel gives small transport datagrams: pings, acknowledgements, speech and
// keepalives then do not stand in line behind megabytes of bulk. Handshake messages stay with the bulk.
// Sources: socket(7) (SO_REUSEPORT, SO_ATTACH_REUSEPORT_CBPF), bpf(2), Linux net/core/sock_reuseport.c; [W] 5.4.6.
#pragma once

#include <cstdint>

#include "syscall_error.h"

namespace tuntap {

/// UDP payload of up to so many bytes is small: 128 bytes of inner packet, header and tag. A ping has 84.
constexpr uint32_t kSmallDatagramBytes = 160;

/// Binds `small` to where `bound` is bound, and has the kernel sort what comes between the two.
/// SO_REUSEPORT is set on `bound` only after it was bound without, so that the port was nobody else's, and stays so for
/// everybody who does not ask for SO_REUSEPORT under the same user; who does gets nothing.
/// @param small  an unbound UDP socket of the same family. On failure `bound` alone goes on to receive everything.
Outcome SteerSmall(int bound, int small);

}  // namespace tuntap
