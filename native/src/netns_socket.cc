#include "netns_socket.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

namespace tuntap {
namespace {

struct Request {
  int family;
  int type;
  int protocol;
  int netnsFd;
  int socket;
  int error;
  const char* call;
};

void* EnterAndMakeSocket(void* argument) {
  auto* request = static_cast<Request*>(argument);
  if (setns(request->netnsFd, CLONE_NEWNET) != 0) {
    request->error = errno;
    request->call = "setns";
    return nullptr;
  }
  request->socket = socket(request->family, request->type, request->protocol);
  if (request->socket < 0) {
    request->error = errno;
    request->call = "socket";
  }
  return nullptr;
}

Outcome MakeSocketElsewhere(Request request) {
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, EnterAndMakeSocket, &request);
  if (error != 0) return FailedWith(error, "pthread_create");
  pthread_join(thread, nullptr);
  return request.socket < 0 ? FailedWith(request.error, request.call) : Succeeded(request.socket);
}

}  // namespace

Outcome NetnsSocket::For(int tunFd) {
  const UniqueFd netns(ioctl(tunFd, TUNGETDEVNETNS));
  struct stat there = {};
  if (netns.valid() && fstat(netns.get(), &there) == 0) {
    if (socket_.valid() && there.st_dev == device_ && there.st_ino == inode_) return Succeeded(socket_.get());
    struct stat here = {};
    const bool away = stat("/proc/thread-self/ns/net", &here) == 0 &&
                      (here.st_dev != there.st_dev || here.st_ino != there.st_ino);
    if (away) {
      const Outcome made = MakeSocketElsewhere({family_, type_, protocol_, netns.get(), -1, 0, nullptr});
      if (made.failed()) return made;
      socket_.reset(made.value);
    } else {
      socket_.reset(socket(family_, type_, protocol_));
    }
    device_ = there.st_dev;
    inode_ = there.st_ino;
  } else {
    if (errno == EBADFD) return Failed("ioctl(TUNGETDEVNETNS)");
    // An older kernel, or a process without CAP_NET_ADMIN: by name in the process's own namespace.
    if (!socket_.valid()) socket_.reset(socket(family_, type_, protocol_));
  }
  return socket_.valid() ? Succeeded(socket_.get()) : Failed("socket");
}

}  // namespace tuntap
