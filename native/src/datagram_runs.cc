// HOT PATH
#include "datagram_runs.h"

#include <endian.h>

#include <cstring>

namespace tuntap {
namespace {

constexpr uint64_t kCounterLimit = uint64_t(1) << 53;  // JavaScript numbers are exact below

uint32_t Load32(const uint8_t* p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return le32toh(v);
}

double LoadCounter(const uint8_t* p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  v = le64toh(v);
  return double(v < kCounterLimit ? v : kCounterLimit);
}

// The whole first word is the type: its reserved bytes must be zero.
RunKind Classify(const uint8_t* datagram, size_t bytes) {
  if (bytes < sizeof(uint32_t)) return kRunMalformed;
  switch (Load32(datagram)) {
    case 1:
      return bytes == kInitiationBytes ? kRunInitiation : kRunMalformed;
    case 2:
      return bytes == kResponseBytes ? kRunResponse : kRunMalformed;
    case 3:
      return bytes == kCookieReplyBytes ? kRunCookieReply : kRunMalformed;
    case 4:
      return bytes >= kDataBytesMin ? kRunData : kRunMalformed;
    default:
      return kRunMalformed;
  }
}

bool Continues(const Batch& batch, const ReceivedMessage& message, int run, RunKind kind, uint32_t receiver) {
  return run >= message.firstRun && batch.runKind[run] == kind && batch.runReceiver[run] == receiver &&
         batch.runEndpoint[run] == message.endpoint && batch.runTos[run] == message.tos &&
         (kind == kRunData || kind == kRunMalformed);
}

void BeginRun(Batch& batch, const ReceivedMessage& message, int run, int slot, RunKind kind, uint32_t receiver) {
  batch.runFirst[run] = slot;
  batch.runCount[run] = 0;
  batch.runKind[run] = kind;
  batch.runReceiver[run] = receiver;
  batch.runCounter[run] = 0;
  batch.runKey[run] = kNoKey;
  batch.runEndpoint[run] = message.endpoint;
  batch.runTos[run] = message.tos;
}

}  // namespace

int AppendDatagrams(const ReceivedMessage& message, Batch& batch) {
  int32_t& packets = batch.header[kCellPacketCount];
  int32_t& runs = batch.header[kCellRunCount];
  const int before = packets;
  const size_t step = message.datagramBytes == 0 ? message.bytes : message.datagramBytes;
  size_t at = 0;
  do {
    const size_t left = message.bytes - at;
    const size_t bytes = left < step ? left : step;
    const uint8_t* datagram = batch.arena + message.offset + at;
    const RunKind kind = Classify(datagram, bytes);
    const uint32_t receiver = kind == kRunData ? Load32(datagram + 4) : 0;
    if (packets >= batch.slots) break;
    if (runs == 0 || !Continues(batch, message, runs - 1, kind, receiver)) {
      if (runs >= batch.runs) break;
      BeginRun(batch, message, runs++, packets, kind, receiver);
    }
    batch.runCount[runs - 1] += 1;
    batch.packetOffset[packets] = int32_t(message.offset + at);
    batch.packetLength[packets] = int32_t(bytes);
    batch.packetStatus[packets] = 0;
    batch.packetCounter[packets] = kind == kRunData ? LoadCounter(datagram + 8) : 0;
    ++packets;
    at += bytes;
  } while (at < message.bytes);
  return packets - before;
}

}  // namespace tuntap
