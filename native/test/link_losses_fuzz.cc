// Fuzzes the reading of netlink answers about an interface's losses. Input: answers, each behind its length (2 bytes).
#include "link_losses.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "fuzz_driver.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr uint32_t kSequence = 7;

void AppendStruct(Bytes& out, const void* from, size_t n) {
  const auto* at = static_cast<const uint8_t*>(from);
  out.insert(out.end(), at, at + n);
}

Bytes GoodAnswer(Random& random) {
  nlmsghdr header = {};
  header.nlmsg_type = uint16_t(OneIn(random, 4) ? NLMSG_ERROR : RTM_NEWSTATS);
  header.nlmsg_seq = OneIn(random, 4) ? 1 : kSequence;
  const if_stats_msg message = {};
  const Bytes values = RandomBytes(random, sizeof(rtnl_link_stats64));
  const rtattr attribute = {uint16_t(sizeof(rtattr) + values.size()), IFLA_STATS_LINK_64};
  header.nlmsg_len = uint32_t(NLMSG_LENGTH(sizeof message) + sizeof attribute + values.size());
  Bytes out;
  AppendStruct(out, &header, sizeof header);
  AppendStruct(out, &message, sizeof message);
  AppendStruct(out, &attribute, sizeof attribute);
  AppendAll(out, values);
  return out;
}

}  // namespace

Bytes tuntap::test::MakeInput(Random& random) {
  Bytes input;
  for (size_t n = 1 + Below(random, 3); n > 0; n--) {
    Bytes answer = GoodAnswer(random);
    if (OneIn(random, 2)) Mutate(random, answer);
    Append16(input, uint32_t(answer.size()));
    AppendAll(input, answer);
  }
  return input;
}

void tuntap::test::CheckInput(const uint8_t* data, size_t size) {
  int ends[2];
  if (!EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0)) return;
  InputReader in(data, size);
  for (int answers = 0; in.left() > 0 && answers < 8; answers++) {
    const Bytes answer = in.Take(in.U16() % 1500);
    EXPECT(send(ends[1], answer.data(), answer.size(), 0) == ssize_t(answer.size()));
  }
  LinkLosses losses = {1, 2};
  const int result = ReadLinkLosses(ends[0], 3, kSequence, losses);
  // What was not read changes nothing, and a refusal is an error, never a length.
  if (result != 0) EXPECT(losses.txDropped == 1 && losses.rxDropped == 2);
  close(ends[0]);
  close(ends[1]);
}
