// Sorts received datagrams into the runs of a batch by WireGuard message type, length and receiver index.
// Bytes in, rows out: no system calls, no allocation. Nothing here trusts a datagram. Source: [W] 5.4.
#pragma once

#include <cstddef>
#include <cstdint>

#include "layout.h"

namespace tuntap {

constexpr uint32_t kInitiationBytes = 148;
constexpr uint32_t kResponseBytes = 92;
constexpr uint32_t kCookieReplyBytes = 64;
constexpr uint32_t kDataBytesMin = 32;  // header and tag: a keepalive

/// One kernel message: equal datagrams one behind the other, the last one may be shorter.
struct ReceivedMessage {
  size_t offset;          // in the arena, where the caller received it
  size_t bytes;
  size_t datagramBytes;   // 0: one datagram
  int endpoint;           // row of the batch's records
  int tos;
  int firstRun;           // runs from here on may be continued: those of this receive
};

/// Appends the datagrams, moving the packet and run counts. Transport data for one receiver index from one endpoint
/// continues the run before it; so do malformed datagrams; every handshake message is a run of its own.
/// @param message  lies in the arena. @return datagrams appended; fewer than the message holds when slots or runs ran
///                 out. Allocates nothing.
int AppendDatagrams(const ReceivedMessage& message, Batch& batch);

}  // namespace tuntap
