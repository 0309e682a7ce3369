// Fuzzes the receive side of a UDP socket: what recvmmsg gives (lengths, senders, control messages with UDP_GRO, PKTINFO,
// TOS and SO_RXQ_OVFL, whole, cut and of no sense) becomes runs of a batch.
#include <algorithm>
#include <cstdarg>
#include <cstring>

#include "fake_kernel.h"
#include "fuzz_driver.h"
#include "raw_batch.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

struct Kind {
  int level;
  int type;
  size_t bytes;
};

constexpr Kind kKinds[] = {
    {IPPROTO_UDP, UDP_GRO, sizeof(int)},           {IPPROTO_IP, IP_PKTINFO, sizeof(in_pktinfo)},
    {IPPROTO_IPV6, IPV6_PKTINFO, sizeof(in6_pktinfo)}, {IPPROTO_IP, IP_TOS, 1},
    {IPPROTO_IPV6, IPV6_TCLASS, sizeof(int)},      {SOL_SOCKET, SO_RXQ_OVFL, sizeof(uint32_t)},
    {SOL_SOCKET, SO_TIMESTAMP, sizeof(timeval)},
};
constexpr size_t kKindCount = sizeof kKinds / sizeof kKinds[0];

// One message as the input says. The bytes of a long one go on as those before them.
class Sender {
 public:
  explicit Sender(InputReader& in) : in_(in) {}

  bool Fill(mmsghdr& m) {
    if (in_.left() == 0 || in_.Below(16) == 15) return false;
    msghdr& h = m.msg_hdr;
    const bool version6 = in_.Flag();
    auto* name = static_cast<sockaddr_in6*>(h.msg_name);
    memset(name, 0, sizeof *name);
    name->sin6_family = version6 ? AF_INET6 : AF_INET;
    name->sin6_port = in_.U8();
    h.msg_namelen = version6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    h.msg_flags = in_.Below(16) == 15 ? MSG_TRUNC : 0;
    FillControl(h);
    FillBytes(m);
    return true;
  }

  size_t datagrams = 0;  // that the messages so far hold

 private:
  void FillControl(msghdr& h) {
    const size_t room = h.msg_controllen;
    auto* control = static_cast<uint8_t*>(h.msg_control);
    segment_ = 0;
    size_t used = 0;
    for (size_t n = in_.Below(6); n > 0 && room - used >= sizeof(cmsghdr); n--) {
      const Kind& kind = kKinds[in_.Below(kKindCount)];
      const uint8_t cut = in_.U8();
      // A kernel that finds too little room cuts the last one.
      size_t bytes = cut < 200 ? kind.bytes : cut % (kind.bytes + 1);
      bytes = std::min(bytes, room - used - sizeof(cmsghdr));
      const Bytes value = in_.Take(bytes);
      cmsghdr header = {};
      header.cmsg_level = kind.level;
      header.cmsg_type = kind.type;
      header.cmsg_len = CMSG_LEN(bytes);
      memcpy(control + used, &header, sizeof header);
      memset(control + used + sizeof header, 0, bytes);
      std::copy(value.begin(), value.end(), control + used + sizeof header);
      if (kind.type == UDP_GRO && kind.level == IPPROTO_UDP && bytes == sizeof(int)) {
        memcpy(&segment_, control + used + sizeof header, sizeof segment_);
      }
      used = std::min(room, used + CMSG_SPACE(bytes));
    }
    h.msg_controllen = used;
  }

  void FillBytes(mmsghdr& m) {
    const size_t room = m.msg_hdr.msg_iov->iov_len;
    const size_t length = in_.Flag() ? in_.U16() % (room + 1) : in_.U8();
    auto* at = static_cast<uint8_t*>(m.msg_hdr.msg_iov->iov_base);
    const Bytes start = in_.Take(std::min<size_t>(length, in_.U8()));
    std::copy(start.begin(), start.end(), at);
    for (size_t i = start.size(); i < length; i++) at[i] = start.empty() ? uint8_t(i) : at[i - start.size()];
    m.msg_len = unsigned(length);
    if ((m.msg_hdr.msg_flags & MSG_TRUNC) != 0) return;
    const size_t step = segment_ > 0 ? size_t(segment_) : length;
    datagrams += length == 0 ? 1 : (length + step - 1) / step;
  }

  InputReader& in_;
  int segment_ = 0;
};

int KindOf(const Bytes& d) {
  if (d.size() < 4 || d[1] != 0 || d[2] != 0 || d[3] != 0) return kRunMalformed;
  if (d[0] == 1 && d.size() == 148) return kRunInitiation;
  if (d[0] == 2 && d.size() == 92) return kRunResponse;
  if (d[0] == 3 && d.size() == 64) return kRunCookieReply;
  return d[0] == 4 && d.size() >= 32 ? kRunData : kRunMalformed;
}

// Rows are what the bytes say, runs follow each other without a gap, and every packet lies in the used arena.
void CheckBatch(const Batch& b) {
  int next = 0;
  for (int run = 0; run < b.header[kCellRunCount]; run++) {
    EXPECT(b.runFirst[run] == next && b.runCount[run] > 0);
    next = b.runFirst[run] + b.runCount[run];
    EXPECT(b.runEndpoint[run] >= 0 && b.runEndpoint[run] < b.header[kCellEndpointCount] && b.runKey[run] == kNoKey);
    for (int slot = b.runFirst[run]; slot < next && slot < b.slots; slot++) {
      const int64_t offset = b.packetOffset[slot];
      const int64_t length = b.packetLength[slot];
      if (!EXPECT(offset >= 0 && length >= 0 && offset + length <= b.header[kCellArenaUsed])) return;
      const Bytes datagram(b.arena + offset, b.arena + offset + length);
      EXPECT(b.runKind[run] == KindOf(datagram) && b.packetStatus[slot] == 0);
    }
  }
  EXPECT(next == b.header[kCellPacketCount] && next <= b.slots);
  EXPECT(b.header[kCellArenaUsed] <= b.arenaBytes && b.header[kCellEndpointCount] <= b.endpointRows);
}

}  // namespace

Bytes tuntap::test::MakeInput(Random& random) {
  Bytes input = {uint8_t(random()), uint8_t(random()), uint8_t(random()), uint8_t(random())};
  for (size_t n = 1 + Below(random, 6); n > 0; n--) {
    for (const uint8_t byte : {0, int(random() & 1), int(random() & 3), 0, 1}) input.push_back(uint8_t(byte));
    const size_t kind = Below(random, kKindCount);
    input.push_back(uint8_t(kind));
    input.push_back(uint8_t(random() % 220));
    Bytes value = RandomBytes(random, kKinds[kind].bytes);
    if (kind == 0) value = {uint8_t(1 + Below(random, 200)), 0, 0, 0};
    AppendAll(input, value);
    const size_t sizes[] = {148, 92, 64, 32, 48, 200};
    const uint8_t type = uint8_t(1 + Below(random, 4));
    const size_t size = OneIn(random, 2) ? sizes[type - 1] : sizes[Below(random, 6)];
    input.push_back(0);
    input.push_back(uint8_t(size));
    input.push_back(uint8_t(size));
    Bytes datagram(size);
    datagram[0] = type;
    AppendAll(input, datagram);
  }
  if (OneIn(random, 2)) Mutate(random, input);
  return input;
}

void tuntap::test::CheckInput(const uint8_t* data, size_t size) {
  InputReader in(data, size);
  static FakeSocket sockets[2] = {FakeSocket(AF_INET), FakeSocket(AF_INET6)};
  FakeSocket& socket = sockets[in.U8() & 1];
  RawBatch memory(1 + int(in.Below(70)), 1 + int(in.Below(20)), 1 + int(in.Below(8)), 3 * kReceiveStretchBytes);
  Batch& batch = memory.batch;
  std::fill_n(socket.stats.get(), size_t(kUdpStatCount), 0.0);
  Sender sender(in);
  fakeKernel.receive = [&](mmsghdr& m) { return sender.Fill(m); };
  double placed = 0;
  for (int i = 0; i < 4; i++) {
    const int n = socket.socket->ReceiveBatch(batch);
    EXPECT(n >= 0 || n == -EAGAIN || n == -ENOBUFS);
    placed += std::max(n, 0);
    CheckBatch(batch);
    if (n < 0) break;
  }
  EXPECT(placed == socket.stats[kUdpReceiveDatagrams] && placed == batch.header[kCellPacketCount]);
  EXPECT(placed + socket.stats[kUdpNoSlot] == double(sender.datagrams));
  fakeKernel.receive = [](mmsghdr&) { return false; };
}
