// HOT PATH: recvmmsg into a batch.
#include <algorithm>
#include <cstring>

#include "datagram_runs.h"
#include "udp.h"
#include "udp_scratch.h"

namespace tuntap {
namespace {

// Of large messages a receive takes few and of small ones many, about half a millisecond's work; and it makes no burst that
// overruns the buffer of whoever is to receive the packets.
constexpr double kReceiveTargetBytes = 512 * 1024;
constexpr double kReceiveTargetDatagrams = 384;
constexpr int kReceiveMessagesMin = 4;
constexpr int kMessageBytes = 65536;
constexpr size_t kAlignBytes = 64;  // a cache line

// Where in the arena the first message goes. The used bytes must make sense.
size_t ReceiveStart(const Batch& batch) { return AlignUp(size_t(batch.header[kCellArenaUsed]), kAlignBytes); }

// What is left of `capacity`; nothing when the batch's own count makes no sense.
int Free(int capacity, int used) { return used < 0 || used > capacity ? 0 : capacity - used; }

// Leaves `value` alone when the kernel cut the message: an inherited socket may have more switched on than there is room for.
template <class T>
bool ReadControl(const cmsghdr* header, T& value) {
  if (header->cmsg_len < CMSG_LEN(sizeof value)) return false;
  memcpy(&value, CMSG_DATA(header), sizeof value);
  return true;
}

void SetSender(EndpointRecord& record, const sockaddr_in6& name) {
  record.family = name.sin6_family;
  record.portNetworkOrder = name.sin6_port;
  if (name.sin6_family == AF_INET) {
    memcpy(record.address, &reinterpret_cast<const sockaddr_in&>(name).sin_addr, 4);
  } else {
    memcpy(record.address, &name.sin6_addr, 16);
    record.scopeId = name.sin6_scope_id;
  }
}

}  // namespace

int UdpSocket::MessagesToAskFor(const Inlet& inlet, const Batch& batch) const {
  const int32_t* header = batch.header;
  const int slots = Free(batch.slots, header[kCellPacketCount]);
  const bool knowsUsed = header[kCellArenaUsed] >= 0 && header[kCellArenaUsed] <= batch.arenaBytes;
  const int arena = knowsUsed ? Free(batch.arenaBytes, int(ReceiveStart(batch))) : 0;
  if (slots == 0 || Free(batch.runs, header[kCellRunCount]) == 0) return 0;
  const int fitting = std::min({kReceiveMessages, Free(batch.endpointRows, header[kCellEndpointCount]),
                                arena / kReceiveStretchBytes, std::max(slots / kDatagramsPerMessage, 1)});
  const double byBytes = kReceiveTargetBytes / inlet.bytesPerMessage;
  const double byDatagrams = kReceiveTargetDatagrams / inlet.datagramsPerMessage;
  return std::min(fitting, std::max(int(std::min(byBytes, byDatagrams)), kReceiveMessagesMin));
}

void UdpSocket::NoteOverflow(Inlet& inlet, uint32_t dropped) {
  stats_[kUdpRxOverflow] += double(dropped - inlet.lastDropCount);  // modulo 2^32
  inlet.lastDropCount = dropped;
}

// Who sent the message and what the kernel says about it.
void UdpSocket::FillRecord(Inlet& inlet, EndpointRecord& record, int message, int* segmentBytes, int* tos) {
  msghdr& header = receive_->headers[message].msg_hdr;
  memset(&record, 0, sizeof record);
  SetSender(record, receive_->names[message]);
  in_pktinfo info4 = {};
  in6_pktinfo info6 = {};
  uint8_t tos4 = 0;
  uint32_t dropped = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      if (!ReadControl(c, info4)) continue;
      record.sourceIfindex = uint32_t(info4.ipi_ifindex);
      memcpy(record.source, &info4.ipi_spec_dst, 4);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      if (!ReadControl(c, info6)) continue;
      record.sourceIfindex = info6.ipi6_ifindex;
      memcpy(record.source, &info6.ipi6_addr, 16);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
      if (ReadControl(c, tos4)) *tos = tos4;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
      if (ReadControl(c, *tos)) *tos &= 0xff;
    } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      ReadControl(c, *segmentBytes);
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
      if (ReadControl(c, dropped)) NoteOverflow(inlet, dropped);
    }
  }
}

// Sorts message `message` into the batch. Returns datagrams placed.
int UdpSocket::Place(Inlet& inlet, Batch& batch, int message, int firstRun) {
  const mmsghdr& received = receive_->headers[message];
  int32_t& rows = batch.header[kCellEndpointCount];
  int segmentBytes = 0;
  int tos = 0;
  FillRecord(inlet, batch.endpoints[rows], message, &segmentBytes, &tos);
  if ((received.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
    stats_[kUdpTruncated] += 1;
    return 0;
  }
  // A sender's messages in a row share one record, and with it their runs.
  const bool same = rows > 0 && memcmp(&batch.endpoints[rows], &batch.endpoints[rows - 1], sizeof(EndpointRecord)) == 0;
  const int row = same ? rows - 1 : rows++;
  const size_t bytes = received.msg_len;
  const size_t step = segmentBytes <= 0 ? bytes : size_t(segmentBytes);
  const auto* start = static_cast<const uint8_t*>(receive_->pieces[message].iov_base);
  const size_t offset = size_t(start - batch.arena);
  const size_t datagramBytes = size_t(std::max(segmentBytes, 0));
  const int placed = AppendDatagrams(ReceivedMessage{offset, bytes, datagramBytes, row, tos, firstRun}, batch);
  const size_t datagrams = bytes == 0 ? 1 : (bytes + step - 1) / step;
  stats_[kUdpReceiveBytes] += double(bytes);
  stats_[kUdpReceiveDatagrams] += placed;
  stats_[kUdpNoSlot] += double(datagrams - size_t(placed));
  if (datagrams > 1) stats_[kUdpMergedMessages] += 1;
  return placed;
}

int UdpSocket::ReceiveSmallBatch(Batch& batch) {
  if (!small_.fd.valid()) return -EAGAIN;
  const int datagrams = ReceiveFrom(small_, batch);
  if (datagrams > 0) stats_[kUdpSmallDatagrams] += datagrams;
  return datagrams;
}

int UdpSocket::ReceiveFrom(Inlet& inlet, Batch& batch) {
  const int wanted = MessagesToAskFor(inlet, batch);
  batch.header[kCellMore] = 1;
  if (wanted <= 0) return -ENOBUFS;
  Receive& r = *receive_;
  uint8_t* start = batch.arena + ReceiveStart(batch);
  for (int i = 0; i < wanted; ++i) {
    r.pieces[i] = iovec{start + size_t(i) * kReceiveStretchBytes, kMessageBytes};
    r.headers[i].msg_hdr = msghdr{&r.names[i], sizeof r.names[i],       &r.pieces[i], 1,
                                  r.control[i], sizeof r.control[i], 0};
  }
  int n;
  do {
    n = recvmmsg(inlet.fd.get(), r.headers, unsigned(wanted), MSG_DONTWAIT, nullptr);
  } while (n < 0 && errno == EINTR);
  batch.header[kCellMore] = n == wanted ? 1 : 0;
  if (n < 0) return -errno;
  const int firstRun = batch.header[kCellRunCount];
  int datagrams = 0;
  double bytes = 0;
  for (int i = 0; i < n; ++i) {
    datagrams += Place(inlet, batch, i, firstRun);
    bytes += r.headers[i].msg_len;
  }
  batch.header[kCellArenaUsed] = int32_t(start - batch.arena) + n * kReceiveStretchBytes;
  stats_[kUdpReceiveCalls] += 1;
  stats_[kUdpReceiveMessages] += n;
  if (n > 0) {
    inlet.datagramsPerMessage += (std::max(double(datagrams) / n, 1.0) - inlet.datagramsPerMessage) / 4;
    inlet.bytesPerMessage += (std::max(bytes / n, 1.0) - inlet.bytesPerMessage) / 4;
  }
  return datagrams;
}

}  // namespace tuntap
