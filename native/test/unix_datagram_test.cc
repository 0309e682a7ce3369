// What leaves by SendUnixDatagram arrives: text and descriptors, at paths and at abstract names.
#include "unix_datagram.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "expect.h"
#include "unique_fd.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

struct Received {
  std::string text;
  std::vector<int> fds;
};

UniqueFd Listen(const std::string& address) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  memcpy(name.sun_path, address.data(), address.size());
  if (address[0] == '@') name.sun_path[0] = 0;
  const socklen_t length = socklen_t(offsetof(sockaddr_un, sun_path) + address.size() + (address[0] == '@' ? 0 : 1));
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  EXPECT(bind(fd.get(), reinterpret_cast<sockaddr*>(&name), length) == 0);
  return fd;
}

Received Take(int socket) {
  char text[4096];
  iovec part = {text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kPassedFdsMax)] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t length = recvmsg(socket, &message, 0);
  EXPECT(length >= 0);
  Received received{std::string(text, size_t(length)), {}};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr) {
    EXPECT(header->cmsg_type == SCM_RIGHTS);
    received.fds.resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(received.fds.data(), CMSG_DATA(header), received.fds.size() * sizeof(int));
  }
  return received;
}

Outcome Send(const std::string& address, const std::string& text, const std::vector<int32_t>& fds) {
  return SendUnixDatagram(address.data(), address.size(), reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                          fds.data(), fds.size());
}

bool SameFile(int a, int b) {
  struct stat first = {}, second = {};
  return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

void Arrives(const std::string& address) {
  const UniqueFd listener = Listen(address);
  EXPECT(Send(address, "READY=1", {}).value == 7);
  Received received = Take(listener.get());
  EXPECT(received.text == "READY=1" && received.fds.empty());

  int pipes[2];
  EXPECT(pipe(pipes) == 0);
  EXPECT(!Send(address, "FDSTORE=1", {pipes[0], pipes[1]}).failed());
  received = Take(listener.get());
  EXPECT(received.text == "FDSTORE=1" && received.fds.size() == 2);
  EXPECT(SameFile(received.fds[0], pipes[0]) && received.fds[0] != pipes[0]);
  for (int fd : received.fds) close(fd);

  EXPECT(!Send(address, "full house", std::vector<int32_t>(kPassedFdsMax, pipes[0])).failed());
  received = Take(listener.get());
  EXPECT(received.fds.size() == size_t(kPassedFdsMax));
  for (int fd : received.fds) close(fd);
  for (int fd : pipes) close(fd);
}

void Refuses(const std::string& path) {
  EXPECT(Send(path + ".absent", "x", {}).value == -ENOENT);
  EXPECT(Send("@longhaul-absent", "x", {}).value == -ECONNREFUSED);
  for (const std::string& bad : {std::string(), std::string("@"), std::string("relative"), "/" + std::string(107, 'x'),
                                 "@" + std::string(108, 'x')}) {
    const Outcome outcome = Send(bad, "x", {});
    EXPECT(outcome.value == -EINVAL && strcmp(outcome.call, "sockaddr_un") == 0);
  }
  const UniqueFd listener = Listen("@longhaul-refuses");
  EXPECT(Send("@longhaul-refuses", "x", {-1}).value == -EBADF);
  EXPECT(Send("@longhaul-refuses", "x", std::vector<int32_t>(kPassedFdsMax + 1, 0)).value == -E2BIG);
  // The longest addresses that there are.
  const UniqueFd longest = Listen("@" + std::string(107, 'x'));
  EXPECT(!Send("@" + std::string(107, 'x'), "x", {}).failed());
}

// A receiver that takes nothing costs a second, not for ever.
void GivesUpOnAFullReceiver() {
  const UniqueFd listener = Listen("@longhaul-full");
  Outcome outcome = Succeeded();
  for (int i = 0; i < 1'000'000 && !outcome.failed(); i++) outcome = Send("@longhaul-full", "x", {});
  EXPECT(outcome.value == -EAGAIN && strcmp(outcome.call, "sendmsg") == 0);
}

void ClosesOnExec() {
  const UniqueFd fd(open("/dev/null", O_RDONLY));
  EXPECT(fcntl(fd.get(), F_GETFD) == 0);
  EXPECT(!CloseOnExec(fd.get()).failed());
  EXPECT(fcntl(fd.get(), F_GETFD) == FD_CLOEXEC);
  EXPECT(CloseOnExec(-1).value == -EBADF);
}

}  // namespace

int main() {
  char directory[] = "/tmp/longhaul-XXXXXX";
  EXPECT(mkdtemp(directory) != nullptr);
  const std::string path = std::string(directory) + "/notify";
  Arrives(path);
  Arrives("@longhaul-test-" + std::to_string(getpid()));
  Refuses(path);
  GivesUpOnAFullReceiver();
  ClosesOnExec();
  unlink(path.c_str());
  rmdir(directory);
  return TestResult();
}
