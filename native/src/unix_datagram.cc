#include "unix_datagram.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cstring>

#include "unique_fd.h"

namespace tuntap {
namespace {

// Fills `out`. @return the address's length, or 0 when it fits no UNIX socket.
socklen_t FillAddress(const char* address, size_t length, sockaddr_un& out) {
  out = {};
  out.sun_family = AF_UNIX;
  const bool isAbstract = length > 1 && address[0] == '@';
  if (!isAbstract && (length == 0 || address[0] != '/')) return 0;
  // A path needs a byte for its final zero; an abstract name is as long as it is.
  if (length + (isAbstract ? 0 : 1) > sizeof out.sun_path) return 0;
  memcpy(out.sun_path, address, length);
  if (isAbstract) out.sun_path[0] = 0;
  return socklen_t(offsetof(sockaddr_un, sun_path) + length + (isAbstract ? 0 : 1));
}

}  // namespace

Outcome SendUnixDatagram(const char* address, size_t addressLength, const uint8_t* text, size_t textLength,
                         const int32_t* fds, size_t fdCount) {
  sockaddr_un receiver;
  const socklen_t receiverLength = FillAddress(address, addressLength, receiver);
  if (receiverLength == 0) return FailedWith(EINVAL, "sockaddr_un");
  if (fdCount > kPassedFdsMax) return FailedWith(E2BIG, "SCM_RIGHTS");
  const UniqueFd socketFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socketFd.valid()) return Failed("socket(AF_UNIX)");
  const timeval patience = {1, 0};
  if (setsockopt(socketFd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
    return Failed("setsockopt(SO_SNDTIMEO)");
  }
  iovec part = {const_cast<uint8_t*>(text), textLength};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int32_t) * kPassedFdsMax)] = {};
  msghdr message = {};
  message.msg_name = &receiver;
  message.msg_namelen = receiverLength;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fdCount > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int32_t) * fdCount);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int32_t) * fdCount);
    memcpy(CMSG_DATA(header), fds, sizeof(int32_t) * fdCount);
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socketFd.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? Failed("sendmsg") : Succeeded(int(sent));
}

Outcome CloseOnExec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? Succeeded() : Failed("fcntl(F_SETFD)"); }

}  // namespace tuntap
