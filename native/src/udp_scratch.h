// Preallocated system call arguments of one socket.
#pragma once

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "udp.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace tuntap {

// Received with a datagram: packet info, TOS, GRO size, drop count. Both families fit.
constexpr size_t kReceiveControlBytes =
    CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint32_t));

struct UdpSocket::Receive {
  mmsghdr headers[kReceiveMessages];
  iovec pieces[kReceiveMessages];
  sockaddr_in6 names[kReceiveMessages];
  alignas(cmsghdr) uint8_t control[kReceiveMessages][kReceiveControlBytes];
};

// Sent with a message: segment size, TOS, packet info.
constexpr size_t kSendControlBytes =
    CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(in6_pktinfo));

constexpr int kSendSlots = kSendMessages * kSegmentsPerMessage;

// One kernel message in the making: datagrams of one endpoint, equal in size but for the last.
struct OutgoingMessage {
  int endpoint;      // row
  int tos;
  int firstSlot;     // index into Send::slots
  int slotCount;
  int firstPiece;    // index into Send::pieces
  int pieceCount;
  int segmentBytes;  // size of all datagrams but the last
  int bytes;
  bool open;         // another datagram may join
};

struct UdpSocket::Send {
  mmsghdr headers[kSendMessages];
  iovec pieces[kSendSlots];  // a piece is a contiguous stretch of datagrams
  sockaddr_in6 names[kSendMessages];
  alignas(cmsghdr) uint8_t control[kSendMessages][kSendControlBytes];
  OutgoingMessage messages[kSendMessages];
  int32_t slots[kSendSlots];
  int messageCount;
  int slotCount;
  int pieceCount;
  bool blocked;  // the socket's buffer is full: what is left is not tried
  bool knowsTime;
  uint32_t nowMs;  // low half of the boot-time clock
};

}  // namespace tuntap
