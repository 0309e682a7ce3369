// The shared memory of a packet batch, as JavaScript (packet-batch.ts) and native code both see it.
// One ArrayBuffer: header, packet columns, run columns, endpoint records, arena. All integers are host order.
// It must not know what a packet means; a test compares every number here with packet-batch.ts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tuntap {

// Header: int32 cells at byte 0.
enum HeaderCell : int {
  kCellPacketCount = 0,  // packets in the batch; slots [0, n) are meaningful
  kCellRunCount = 1,     // runs in the batch
  kCellArenaUsed = 2,    // bytes of the arena in use, counted from its start
  kCellEndpointCount = 3,// endpoint records filled by a receive (one a kernel message)
  kCellPadLimit = 4,     // a sealed plaintext is padded to 16 bytes but never beyond this (the interface MTU)
  kCellMore = 5,         // after a fill: 1 if it stopped for want of room and more may wait, 0 if the source was empty
  kCellOtherFamily = 6,  // after a send: runs for endpoints of the other address family, which this socket left alone
  kHeaderCells = 16,
};
constexpr size_t kHeaderBytes = kHeaderCells * sizeof(int32_t);

// Headroom before and tailroom behind the bytes of every packet that a TUN read places: room for the 16-byte data
// header, up to 15 bytes of padding and the 16-byte tag. Packets of a read stand so that sealed datagrams are
// contiguous: datagram k+1 starts where datagram k ends.
constexpr size_t kHeadroomBytes = 16;
constexpr size_t kTagBytes = 16;
constexpr size_t kPadToBytes = 16;

// One endpoint record: where a datagram came from or goes to, and the local address it arrived at (sticky source).
struct EndpointRecord {
  uint16_t family;           // AF_INET, AF_INET6, or 0: unset
  uint16_t portNetworkOrder;
  uint32_t scopeId;          // IPv6 link-local scope, else 0
  uint8_t address[16];       // IPv4 in the first 4 bytes, the rest zero
  uint32_t sourceIfindex;    // pktinfo; 0: no sticky source
  uint32_t reserved;
  uint8_t source[16];        // local address, family as above
  uint32_t gsoRefusedUntilMs;// low 32 bits of boot-time ms until which UDP_SEGMENT is not tried for this endpoint; 0: try
  uint8_t unused[12];
};
static_assert(sizeof(EndpointRecord) == 64, "packet-batch.ts counts on 64");
static_assert(offsetof(EndpointRecord, address) == 8);
static_assert(offsetof(EndpointRecord, sourceIfindex) == 24);
static_assert(offsetof(EndpointRecord, source) == 32);
static_assert(offsetof(EndpointRecord, gsoRefusedUntilMs) == 48);

// packetStatus: 0 good; > 0 a reason that JavaScript set; < 0 a native refusal, -errno
// (-EBADMSG: tag did not verify; other: what the system call said).

// runKind: what stands in the run's slots.
enum RunKind : int {
  kRunMalformed = 0,   // inbound: no known message type, or length impossible for its type
  kRunInitiation = 1,  // inbound handshake initiation, one packet a run
  kRunResponse = 2,
  kRunCookieReply = 3,
  kRunData = 4,        // inbound: transport data of one receiver index; outbound: inner packets of one TUN read
  kRunRaw = 5,         // outbound: slots already hold complete datagrams; seal passes them by
};

constexpr int kNoKey = -1;       // runKey: seal and open skip the run
constexpr int kNoEndpoint = -1;  // runEndpoint: send skips the run

// Byte offsets of the columns for a batch of `slots` packets, `runs` runs, `endpoints` records.
struct Layout {
  size_t packetCounter;   // f64[slots]   inbound: counter of the datagram
  size_t runCounter;      // f64[runs]    outbound: counter of the run's first packet
  size_t packetOffset;    // i32[slots]   from the arena's start
  size_t packetLength;    // i32[slots]
  size_t packetStatus;    // i32[slots]
  size_t runFirst;        // i32[runs]    first slot
  size_t runCount;        // i32[runs]    slots
  size_t runKind;         // i32[runs]    RunKind
  size_t runReceiver;     // u32[runs]    receiver index on the wire
  size_t runKey;          // i32[runs]    key slot, or kNoKey
  size_t runEndpoint;     // i32[runs]    outbound: row of the endpoint table; inbound: row of this batch's records
  size_t runTos;          // i32[runs]    outer IPv4 TOS / IPv6 traffic class byte
  size_t endpoints;       // EndpointRecord[endpoints]
  size_t arena;
  size_t totalBytes;
};

constexpr size_t AlignUp(size_t n, size_t a) { return (n + a - 1) / a * a; }

/// Length of a plaintext of n bytes once padded with zeros: to 16 bytes, never beyond padLimit, never shortened.
/// An empty plaintext (keepalive) stays empty. Source: [W] 5.4.6.
constexpr size_t PaddedLength(size_t n, size_t padLimit) {
  if (n > padLimit) return n;
  const size_t rounded = AlignUp(n, kPadToBytes);
  return rounded < padLimit ? rounded : padLimit;
}

constexpr Layout MakeLayout(size_t slots, size_t runs, size_t endpoints, size_t arenaBytes) {
  Layout l{};
  size_t at = kHeaderBytes;
  l.packetCounter = at; at += slots * 8;
  l.runCounter = at; at += runs * 8;
  l.packetOffset = at; at += slots * 4;
  l.packetLength = at; at += slots * 4;
  l.packetStatus = at; at += slots * 4;
  l.runFirst = at; at += runs * 4;
  l.runCount = at; at += runs * 4;
  l.runKind = at; at += runs * 4;
  l.runReceiver = at; at += runs * 4;
  l.runKey = at; at += runs * 4;
  l.runEndpoint = at; at += runs * 4;
  l.runTos = at; at += runs * 4;
  at = AlignUp(at, 64);
  l.endpoints = at; at += endpoints * sizeof(EndpointRecord);
  l.arena = AlignUp(at, 64);
  l.totalBytes = l.arena + arenaBytes;
  return l;
}

// A batch as native code sees it after attach. Borrowed memory: JavaScript owns the ArrayBuffer, the addon holds a
// reference for as long as the handle lives.
struct Batch {
  int32_t* header;
  double* packetCounter;
  double* runCounter;
  int32_t* packetOffset;
  int32_t* packetLength;
  int32_t* packetStatus;
  int32_t* runFirst;
  int32_t* runCount;
  int32_t* runKind;
  uint32_t* runReceiver;
  int32_t* runKey;
  int32_t* runEndpoint;
  int32_t* runTos;
  EndpointRecord* endpoints;
  uint8_t* arena;
  int slots;
  int runs;
  int endpointRows;
  int arenaBytes;
};

inline Batch MakeBatch(uint8_t* base, int slots, int runs, int endpoints, int arenaBytes) {
  const Layout l = MakeLayout(size_t(slots), size_t(runs), size_t(endpoints), size_t(arenaBytes));
  Batch b{};
  b.header = reinterpret_cast<int32_t*>(base);
  b.packetCounter = reinterpret_cast<double*>(base + l.packetCounter);
  b.runCounter = reinterpret_cast<double*>(base + l.runCounter);
  b.packetOffset = reinterpret_cast<int32_t*>(base + l.packetOffset);
  b.packetLength = reinterpret_cast<int32_t*>(base + l.packetLength);
  b.packetStatus = reinterpret_cast<int32_t*>(base + l.packetStatus);
  b.runFirst = reinterpret_cast<int32_t*>(base + l.runFirst);
  b.runCount = reinterpret_cast<int32_t*>(base + l.runCount);
  b.runKind = reinterpret_cast<int32_t*>(base + l.runKind);
  b.runReceiver = reinterpret_cast<uint32_t*>(base + l.runReceiver);
  b.runKey = reinterpret_cast<int32_t*>(base + l.runKey);
  b.runEndpoint = reinterpret_cast<int32_t*>(base + l.runEndpoint);
  b.runTos = reinterpret_cast<int32_t*>(base + l.runTos);
  b.endpoints = reinterpret_cast<EndpointRecord*>(base + l.endpoints);
  b.arena = base + l.arena;
  b.slots = slots;
  b.runs = runs;
  b.endpointRows = endpoints;
  b.arenaBytes = arenaBytes;
  return b;
}

}  // namespace tuntap
