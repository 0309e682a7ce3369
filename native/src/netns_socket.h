// A socket for questions about interfaces in whichever network namespace a TUN device lives now.
// `ip link set wg0 netns X` moves a device away from the process that serves it; ioctls by name then need a socket there.
#pragma once

#include <sys/types.h>

#include "syscall_error.h"
#include "unique_fd.h"

namespace tuntap {

class NetnsSocket {
 public:
  /// @param family, type, protocol  as socket(2) takes them.
  NetnsSocket(int family, int type, int protocol) : family_(family), type_(type), protocol_(protocol) {}

  /// @param tunFd  attached TUN descriptor. @return a socket, borrowed, or the call that failed. Kept for as long as
  /// the device stays where it is. A move costs one short-lived thread (setns applies to a thread).
  Outcome For(int tunFd);

 private:
  int family_;
  int type_;
  int protocol_;
  UniqueFd socket_;
  dev_t device_ = 0;  // of the namespace that socket_ belongs to
  ino_t inode_ = 0;
};

}  // namespace tuntap
