// What the kernel's routing says of the way to an endpoint, and when it may have changed. Source: rtnetlink(7), netlink(7).
#pragma once

#include <cstdint>

#include "layout.h"
#include "syscall_error.h"

namespace tuntap {

/// A non-blocking socket on which the kernel reports every change of routes, rules and addresses of this network namespace.
/// @return the descriptor, the caller's, or the call that failed.
Outcome OpenRouteWatch();

/// Takes what was reported since the last call. @param socket  of OpenRouteWatch.
/// @return whether there was anything; what the kernel had no room to report counts.
bool RoutesChanged(int socket);

/// The interface by which the kernel would send UDP to the record's remote address from its local one. Does not block.
/// @param mark  of the datagrams, 0: none.
/// @return its index, > 0; 0: not from that address, or not at all; -errno: it could not be asked.
int InterfaceOf(const EndpointRecord& record, uint32_t mark);

}  // namespace tuntap
