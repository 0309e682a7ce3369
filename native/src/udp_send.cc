// HOT PATH: a batch into sendmmsg, equal datagrams merged by UDP_SEGMENT.
#include <algorithm>
#include <cstring>

#include "system.h"
#include "udp.h"
#include "udp_scratch.h"

namespace tuntap {
namespace {

constexpr int kPayloadMax4 = 65507;
constexpr int kPayloadMax6 = 65487;

template <class T>
cmsghdr* PutControl(cmsghdr* at, int level, int type, const T& value, size_t* used) {
  at->cmsg_level = level;
  at->cmsg_type = type;
  at->cmsg_len = CMSG_LEN(sizeof value);
  memcpy(CMSG_DATA(at), &value, sizeof value);
  *used += CMSG_SPACE(sizeof value);
  return reinterpret_cast<cmsghdr*>(reinterpret_cast<uint8_t*>(at) + CMSG_SPACE(sizeof value));
}

bool IsLinkLocal(const uint8_t* address) { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

// The source address alone: naming the interface too would pin the route, and a reply has to follow a changed one.
// A link-local address means nothing without its interface.
cmsghdr* PutSource(cmsghdr* at, const EndpointRecord& record, size_t* used) {
  if (record.family == AF_INET) {
    in_pktinfo info = {};
    memcpy(&info.ipi_spec_dst, record.source, 4);
    return PutControl(at, IPPROTO_IP, IP_PKTINFO, info, used);
  }
  in6_pktinfo info = {};
  memcpy(&info.ipi6_addr, record.source, 16);
  if (IsLinkLocal(record.source)) info.ipi6_ifindex = record.sourceIfindex;
  return PutControl(at, IPPROTO_IPV6, IPV6_PKTINFO, info, used);
}

socklen_t PutName(sockaddr_in6& name, const EndpointRecord& record) {
  if (record.family == AF_INET) {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = record.portNetworkOrder;
    memcpy(&v4.sin_addr, record.address, 4);
    memcpy(&name, &v4, sizeof v4);
    return sizeof v4;
  }
  name = {};
  name.sin6_family = AF_INET6;
  name.sin6_port = record.portNetworkOrder;
  memcpy(&name.sin6_addr, record.address, 16);
  name.sin6_scope_id = record.scopeId;
  return sizeof name;
}

bool LiesInArena(const Batch& batch, int slot) {
  const int64_t offset = batch.packetOffset[slot];
  const int64_t length = batch.packetLength[slot];
  return offset >= 0 && length >= 0 && offset + length <= batch.arenaBytes;
}

// Refusals that mean "not from this address"; the route decides then.
bool BlamesSource(int error) {
  return error == EINVAL || error == ENODEV || error == EADDRNOTAVAIL || error == ENETUNREACH;
}

// Refusals of UDP_SEGMENT: too many segments; one over the path MTU; no checksum offload below.
bool BlamesSegmentation(int error) { return error == EINVAL || error == EMSGSIZE || error == EIO; }

}  // namespace

bool UdpSocket::MaySegment(int row) {
  if (!segment_) return false;
  EndpointRecord& record = endpoints_[row];
  if (record.gsoRefusedUntilMs == 0) return true;
  Send& s = *send_;
  if (!s.knowsTime) s.nowMs = uint32_t(BootTimeMs());
  s.knowsTime = true;
  if (int32_t(s.nowMs - record.gsoRefusedUntilMs) < 0) return false;
  record.gsoRefusedUntilMs = 0;
  return true;
}

bool UdpSocket::MayJoin(const Batch& batch, int slot, int row, int tos) const {
  const Send& s = *send_;
  if (s.messageCount == 0) return false;
  const OutgoingMessage& m = s.messages[s.messageCount - 1];
  const int bytes = batch.packetLength[slot];
  return m.open && m.endpoint == row && m.tos == tos && bytes <= m.segmentBytes && bytes > 0 &&
         m.slotCount < kSegmentsPerMessage &&
         int64_t(m.bytes) + bytes <= (family_ == AF_INET ? kPayloadMax4 : kPayloadMax6);
}

void UdpSocket::Begin(const Batch& batch, int slot, int row, int tos) {
  Send& s = *send_;
  s.messages[s.messageCount++] = OutgoingMessage{row, tos, s.slotCount, 0, s.pieceCount, 0, batch.packetLength[slot], 0,
                                                 MaySegment(row)};
}

// Adds the slot to the newest message.
void UdpSocket::Join(const Batch& batch, int slot) {
  Send& s = *send_;
  OutgoingMessage& m = s.messages[s.messageCount - 1];
  uint8_t* start = batch.arena + batch.packetOffset[slot];
  const size_t bytes = size_t(batch.packetLength[slot]);
  iovec* last = m.pieceCount > 0 ? &s.pieces[s.pieceCount - 1] : nullptr;
  if (last != nullptr && static_cast<uint8_t*>(last->iov_base) + last->iov_len == start) {
    last->iov_len += bytes;
  } else {
    s.pieces[s.pieceCount++] = iovec{start, bytes};
    ++m.pieceCount;
  }
  s.slots[s.slotCount++] = slot;
  ++m.slotCount;
  m.bytes += int(bytes);
  if (int(bytes) < m.segmentBytes) m.open = false;
}

void UdpSocket::Prepare(int message) {
  Send& s = *send_;
  const OutgoingMessage& m = s.messages[message];
  const EndpointRecord& record = endpoints_[m.endpoint];
  msghdr& header = s.headers[message].msg_hdr;
  const socklen_t nameBytes = PutName(s.names[message], record);
  auto* at = reinterpret_cast<cmsghdr*>(s.control[message]);
  size_t used = 0;
  if (m.slotCount > 1) at = PutControl(at, IPPROTO_UDP, UDP_SEGMENT, uint16_t(m.segmentBytes), &used);
  if (m.tos != 0) {
    at = PutControl(at, family_ == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, family_ == AF_INET ? IP_TOS : IPV6_TCLASS,
                    int(m.tos), &used);
  }
  if (record.sourceIfindex != 0) at = PutSource(at, record, &used);
  header = msghdr{&s.names[message], nameBytes, &s.pieces[m.firstPiece], size_t(m.pieceCount),
                  used > 0 ? s.control[message] : nullptr, used, 0};
}

// Marks datagrams [from, slotCount) of a message as refused.
void UdpSocket::Refuse(Batch& batch, const OutgoingMessage& m, int from, int error) {
  for (int i = from; i < m.slotCount; ++i) {
    batch.packetStatus[send_->slots[m.firstSlot + i]] = -error;
    stats_[error == EAGAIN ? kUdpSendWouldBlock : error == ENOBUFS ? kUdpSendNoBuffers : kUdpSendFailures] += 1;
  }
}

// One sendmsg for each datagram of a message whose merged form the kernel refused. Returns datagrams sent.
int UdpSocket::SendSingly(Batch& batch, int message) {
  Send& s = *send_;
  const OutgoingMessage m = s.messages[message];
  s.messages[message].slotCount = 1;  // so that Prepare leaves UDP_SEGMENT out
  Prepare(message);
  msghdr& header = s.headers[message].msg_hdr;
  int sent = 0;
  for (int i = 0; i < m.slotCount; ++i) {
    const int slot = s.slots[m.firstSlot + i];
    iovec piece{batch.arena + batch.packetOffset[slot], size_t(batch.packetLength[slot])};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    ssize_t n;
    do {
      n = sendmsg(fd(), &header, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    stats_[kUdpSendCalls] += 1;
    if (n >= 0) {
      ++sent;
      stats_[kUdpSendMessages] += 1;
      stats_[kUdpSendDatagrams] += 1;
      stats_[kUdpSendBytes] += double(n);
    } else if (errno == EAGAIN) {
      s.blocked = true;
      Refuse(batch, m, i, EAGAIN);
      break;
    } else {
      Refuse(batch, OutgoingMessage{m.endpoint, m.tos, m.firstSlot + i, 1, 0, 0, 0, 0, false}, 0, errno);
    }
  }
  return sent;
}

// The kernel refused `message`. Returns true when it is to be tried again as prepared anew.
bool UdpSocket::HandleRefusal(Batch& batch, int message, int error, int* sent) {
  const OutgoingMessage& m = send_->messages[message];
  EndpointRecord& record = endpoints_[m.endpoint];
  if (record.sourceIfindex != 0 && BlamesSource(error)) {
    record.sourceIfindex = 0;
    memset(record.source, 0, sizeof record.source);
    stats_[kUdpSourceCleared] += 1;
    Prepare(message);
    return true;
  }
  if (m.slotCount > 1 && BlamesSegmentation(error)) {
    record.gsoRefusedUntilMs = std::max(uint32_t(BootTimeMs()) + kGsoRetryAfterMs, 1U);
    stats_[kUdpGsoRefused] += 1;
    stats_[kUdpGsoRetried] += m.slotCount;
    *sent += SendSingly(batch, message);
    return false;
  }
  Refuse(batch, m, 0, error);
  return false;
}

// Sends what has been gathered. Returns datagrams sent.
int UdpSocket::Flush(Batch& batch) {
  Send& s = *send_;
  for (int i = 0; i < s.messageCount; ++i) Prepare(i);
  int sent = 0;
  int done = 0;
  while (done < s.messageCount && !s.blocked) {
    const int n = sendmmsg(fd(), s.headers + done, unsigned(s.messageCount - done), MSG_DONTWAIT);
    stats_[kUdpSendCalls] += 1;
    for (int i = done; i < done + n; ++i) {
      const OutgoingMessage& m = s.messages[i];
      sent += m.slotCount;
      stats_[kUdpSendBytes] += m.bytes;
      stats_[kUdpSendDatagrams] += m.slotCount;
      if (m.slotCount > 1) stats_[kUdpSegmentedMessages] += 1;
    }
    if (n > 0) {
      stats_[kUdpSendMessages] += n;
      done += n;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      s.blocked = true;
    } else if (!HandleRefusal(batch, done, errno, &sent)) {
      ++done;
    }
  }
  for (; done < s.messageCount; ++done) Refuse(batch, s.messages[done], 0, EAGAIN);
  s.messageCount = s.slotCount = s.pieceCount = 0;
  return sent;
}

// Whether a run of the batch is this socket's to send. Counts the other family's.
bool UdpSocket::Sends(const Batch& batch, int run) const {
  const int row = batch.runEndpoint[run];
  if (row < 0 || row >= endpointRows_) return false;
  if (endpoints_[row].family != family_) {
    batch.header[kCellOtherFamily] += 1;
    return false;
  }
  const int kind = batch.runKind[run];
  if (kind == kRunData && batch.runKey[run] == kNoKey) return false;
  return kind == kRunData || kind == kRunRaw;
}

int UdpSocket::SendBatch(Batch& batch) {
  Send& s = *send_;
  s.messageCount = s.slotCount = s.pieceCount = 0;
  s.blocked = s.knowsTime = false;
  batch.header[kCellOtherFamily] = 0;
  const int runs = std::min(batch.header[kCellRunCount], batch.runs);
  int sent = 0;
  for (int run = 0; run < runs; ++run) {
    if (!Sends(batch, run)) continue;
    const int row = batch.runEndpoint[run];
    const int tos = batch.runTos[run] & 0xff;
    const int64_t first = std::max(batch.runFirst[run], 0);
    const int64_t end = std::min(first + batch.runCount[run], int64_t(batch.slots));
    for (int slot = int(first); slot < end; ++slot) {
      if (batch.packetStatus[slot] != 0) continue;
      if (s.blocked || !LiesInArena(batch, slot)) {
        batch.packetStatus[slot] = s.blocked ? -EAGAIN : -EINVAL;
        stats_[s.blocked ? kUdpSendWouldBlock : kUdpSendFailures] += 1;
        continue;
      }
      if (!MayJoin(batch, slot, row, tos)) {
        if (s.messageCount == kSendMessages) sent += Flush(batch);
        Begin(batch, slot, row, tos);
      }
      Join(batch, slot);
    }
  }
  if (s.messageCount > 0) sent += Flush(batch);
  return sent;
}

}  // namespace tuntap
