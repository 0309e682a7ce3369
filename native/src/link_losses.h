// What an interface has dropped, as `ip -s link` shows it, asked of the kernel by netlink (RTM_GETSTATS, rtnetlink(7)).
#pragma once

#include <cstdint>

namespace tuntap {

/// Cumulative counters of an interface.
struct LinkLosses {
  uint64_t txDropped;  // a full queue, no reader, interface down
  uint64_t rxDropped;  // written to the interface and refused, or dropped behind it for want of room
};

/// @param socket  NETLINK_ROUTE, borrowed, of the interface's namespace.  @param sequence  another one for each call.
/// @param into  filled on success.
/// @return 0 or -errno. Does not block: the kernel answers before send returns.
int ReadLinkLosses(int socket, int ifindex, uint32_t sequence, LinkLosses& into);

}  // namespace tuntap
