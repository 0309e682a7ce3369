// One datagram to a UNIX socket, with descriptors: how a service speaks to its manager.
// It must not know what the text says. Sources: unix(7), sd_notify(3).
#pragma once

#include <cstddef>
#include <cstdint>

#include "syscall_error.h"

namespace tuntap {

constexpr int kPassedFdsMax = 16;

/// Sends one datagram. Waits for a full receiver for at most a second.
/// @param address  a path, or a name in the abstract namespace behind an '@'; borrowed.
/// @param fds  open descriptors, borrowed; the receiver gets duplicates.  @param fdCount  0 to kPassedFdsMax.
/// @return bytes sent, or the call that failed. Source: unix(7), SCM_RIGHTS.
Outcome SendUnixDatagram(const char* address, size_t addressLength, const uint8_t* text, size_t textLength,
                         const int32_t* fds, size_t fdCount);

/// Closes the descriptor on exec, so that no child process inherits it. Source: fcntl(2), FD_CLOEXEC.
Outcome CloseOnExec(int fd);

}  // namespace tuntap
