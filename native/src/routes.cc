#include "routes.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "unique_fd.h"

namespace tuntap {
namespace {

constexpr uint32_t kChanges = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                              uint32_t(1) << (RTNLGRP_IPV6_RULE - 1);
constexpr int kAnswerBytes = 4096;
constexpr uint32_t kSequence = 1;

UniqueFd OpenNetlink(uint32_t groups) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (fd.valid() && bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return UniqueFd(-1);
  return fd;
}

// RTM_GETROUTE with its attributes, in one piece of memory.
class Question {
 public:
  explicit Question(int family) {
    auto* header = reinterpret_cast<nlmsghdr*>(bytes_);
    header->nlmsg_type = RTM_GETROUTE;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = kSequence;
    auto* route = static_cast<rtmsg*>(NLMSG_DATA(header));
    route->rtm_family = uint8_t(family);
    const uint8_t bits = family == AF_INET ? 32 : 128;
    route->rtm_dst_len = bits;
    route->rtm_src_len = bits;
  }

  void Add(unsigned short type, const void* value, size_t length) {
    auto* attribute = reinterpret_cast<rtattr*>(bytes_ + used_);
    attribute->rta_type = type;
    attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(length));
    memcpy(RTA_DATA(attribute), value, length);
    used_ += RTA_SPACE(length);
  }

  // 0 or -errno.
  int Send(int socket) {
    reinterpret_cast<nlmsghdr*>(bytes_)->nlmsg_len = uint32_t(used_);
    return send(socket, bytes_, used_, MSG_DONTWAIT) < 0 ? -errno : 0;
  }

 private:
  alignas(nlmsghdr) uint8_t bytes_[256] = {};
  size_t used_ = NLMSG_SPACE(sizeof(rtmsg));
};

// The outgoing interface in an answer, 0 if there is none.
int FindInterface(const nlmsghdr* header) {
  const auto* message = static_cast<const rtmsg*>(NLMSG_DATA(header));
  int left = int(header->nlmsg_len) - int(NLMSG_SPACE(sizeof *message));
  for (const rtattr* attribute = RTM_RTA(message); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != RTA_OIF || RTA_PAYLOAD(attribute) != sizeof(int32_t)) continue;
    int32_t index;
    memcpy(&index, RTA_DATA(attribute), sizeof index);
    return index;
  }
  return 0;
}

}  // namespace

Outcome OpenRouteWatch() {
  UniqueFd fd = OpenNetlink(kChanges);
  return fd.valid() ? Succeeded(fd.release()) : Failed("socket(AF_NETLINK)");
}

bool RoutesChanged(int socket) {
  uint8_t report[kAnswerBytes];
  bool changed = false;
  for (;;) {
    const ssize_t n = recv(socket, report, sizeof report, MSG_DONTWAIT);
    if (n > 0 || (n < 0 && errno == ENOBUFS)) {
      changed = true;
    } else if (n == 0 || errno != EINTR) {
      return changed;
    }
  }
}

int InterfaceOf(const EndpointRecord& record, uint32_t mark) {
  if (record.family != AF_INET && record.family != AF_INET6) return -EINVAL;
  const UniqueFd fd = OpenNetlink(0);
  if (!fd.valid()) return -errno;
  const size_t addressBytes = record.family == AF_INET ? 4 : 16;
  const uint8_t protocol = IPPROTO_UDP;
  Question question(record.family);
  question.Add(RTA_DST, record.address, addressBytes);
  question.Add(RTA_SRC, record.source, addressBytes);
  question.Add(RTA_IP_PROTO, &protocol, sizeof protocol);
  question.Add(RTA_DPORT, &record.portNetworkOrder, sizeof record.portNetworkOrder);
  if (mark != 0) question.Add(RTA_MARK, &mark, sizeof mark);
  if (record.scopeId != 0) question.Add(RTA_OIF, &record.scopeId, sizeof record.scopeId);
  const int error = question.Send(fd.get());
  if (error != 0) return error;
  alignas(nlmsghdr) uint8_t answer[kAnswerBytes];
  const ssize_t n = recv(fd.get(), answer, sizeof answer, MSG_DONTWAIT);  // the kernel answers before send returns
  if (n < 0) return -errno;
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (!NLMSG_OK(header, size_t(n)) || header->nlmsg_seq != kSequence) return -EPROTO;
  return header->nlmsg_type == RTM_NEWROUTE ? FindInterface(header) : 0;
}

}  // namespace tuntap
