#include "link_losses.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace tuntap {
namespace {

constexpr int kAnswerBytes = 1024;

struct Question {
  nlmsghdr header;
  if_stats_msg stats;
};

// The statistics in an answer, or nullptr.
const void* FindStats(const nlmsghdr* header) {
  const auto* message = static_cast<const if_stats_msg*>(NLMSG_DATA(header));
  int left = int(header->nlmsg_len) - int(NLMSG_SPACE(sizeof *message));
  const auto* attribute = reinterpret_cast<const rtattr*>(reinterpret_cast<const uint8_t*>(message) +
                                                          NLMSG_ALIGN(sizeof *message));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    const bool whole = RTA_PAYLOAD(attribute) >= offsetof(rtnl_link_stats64, multicast);
    if (attribute->rta_type == IFLA_STATS_LINK_64 && whole) return RTA_DATA(attribute);
  }
  return nullptr;
}

}  // namespace

int ReadLinkLosses(int socket, int ifindex, uint32_t sequence, LinkLosses& into) {
  Question question = {};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = RTM_GETSTATS;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.header.nlmsg_seq = sequence;
  question.stats.ifindex = uint32_t(ifindex);
  question.stats.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  if (send(socket, &question, sizeof question, MSG_DONTWAIT) < 0) return -errno;
  alignas(nlmsghdr) uint8_t answer[kAnswerBytes];
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  do {  // an answer that an earlier call did not wait for is passed by
    const ssize_t n = recv(socket, answer, sizeof answer, MSG_DONTWAIT);
    if (n < 0) return -errno;
    if (!NLMSG_OK(header, size_t(n))) return -EPROTO;
  } while (header->nlmsg_seq != sequence);
  if (header->nlmsg_type == NLMSG_ERROR) return static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
  const void* found = header->nlmsg_type == RTM_NEWSTATS ? FindStats(header) : nullptr;
  if (found == nullptr) return -EPROTO;
  // Attributes are aligned to 4 bytes only.
  rtnl_link_stats64 stats = {};
  memcpy(&stats, found, offsetof(rtnl_link_stats64, multicast));
  into.txDropped = stats.tx_dropped;
  into.rxDropped = stats.rx_dropped;
  return 0;
}

}  // namespace tuntap
