// A UDP socket that sends and receives batches: recvmmsg with UDP_GRO, sendmmsg with UDP_SEGMENT.
// It knows the lengths and types of WireGuard messages, so that it can sort datagrams into runs, and nothing more.
// Sources: udp(7), ip(7), ipv6(7), Linux net/ipv4/udp.c; [W] 5.4 for the message types.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "layout.h"
#include "syscall_error.h"
#include "unique_fd.h"

namespace tuntap {

/// Cells of a socket's statistics, doubles that JavaScript reads directly. udp.ts has the same list; a test compares.
enum UdpStat : int {
  kUdpReceiveCalls = 0,      // recvmmsg calls that gave something
  kUdpReceiveMessages,       // kernel messages, each one datagram or several merged by UDP_GRO
  kUdpReceiveDatagrams,
  kUdpReceiveBytes,
  kUdpMergedMessages,        // messages that held several datagrams
  kUdpTruncated,             // messages longer than the room for them: dropped
  kUdpNoSlot,                // datagrams dropped because the batch had no slot or run left for them
  kUdpRxOverflow,            // datagrams the kernel dropped because the socket's buffer was full (SO_RXQ_OVFL)
  kUdpSendCalls,             // sendmmsg calls
  kUdpSendMessages,          // kernel messages that were taken
  kUdpSendDatagrams,
  kUdpSendBytes,
  kUdpSegmentedMessages,     // messages that held several datagrams
  kUdpGsoRefused,            // UDP_SEGMENT messages that the kernel refused
  kUdpGsoRetried,            // datagrams of those, sent again singly
  kUdpSourceCleared,         // sticky sources given up because the kernel refused them
  kUdpSendWouldBlock,        // datagrams left unsent because the socket's buffer was full
  kUdpSendNoBuffers,         // datagrams refused with ENOBUFS: an interface queue was full
  kUdpSendFailures,          // datagrams refused for any other reason
  kUdpSmallDatagrams,        // received ones that came by the socket for small datagrams
  kUdpStatCount,
};

struct UdpOptions {
  int family;  // AF_INET or AF_INET6; the latter never carries IPv4
  int port;    // host order; 0: the kernel chooses
  uint8_t address[16];  // to bind to; zero: any
  uint32_t mark;        // SO_MARK, 0: none
  int receiveBufferBytes;  // 0: the system's default
  int sendBufferBytes;
  bool offloads;
  bool splitSmall;  // a second socket on the port for small datagrams, see udp_steering.h
  int fd = -1;  // a bound socket to take over; port and address are then as it was bound
};

/// Arena bytes that one kernel message needs. Not a multiple of a power of two: messages that start 64 KiB apart would
/// all fall into the same few cache sets.
constexpr int kReceiveStretchBytes = 65536 + 192;
/// A GRO message holds at most so many datagrams, and a receive asks for no more messages than slots allow.
constexpr int kDatagramsPerMessage = 64;
constexpr int kReceiveMessages = 64;

constexpr int kSendMessages = 64;
constexpr int kSegmentsPerMessage = 64;  // UDP_MAX_SEGMENTS of older kernels
constexpr uint32_t kGsoRetryAfterMs = 60'000;

struct OutgoingMessage;

class UdpSocket {
 public:
  /// @param stats  kUdpStatCount doubles, borrowed for the object's life.
  /// @return the socket in `out`, or the call that failed. A descriptor passed in stays the caller's on failure.
  static Outcome Open(const UdpOptions& options, double* stats, std::unique_ptr<UdpSocket>& out);
  ~UdpSocket();

  int fd() const { return main_.fd.get(); }
  /// Descriptor of the socket for small datagrams; -1: there is none, and all come by the first.
  int smallFd() const { return small_.fd.get(); }
  int port() const { return port_; }
  bool segment() const { return segment_; }
  bool gro() const { return gro_; }
  int receiveBufferBytes() const;
  int sendBufferBytes() const;

  Outcome SetMark(uint32_t mark);
  /// @param table  borrowed for the object's life; `rows` records that runEndpoint of a send points into.
  void SetEndpoints(EndpointRecord* table, int rows);

  /// Brings kUdpRxOverflow up to date: SO_RXQ_OVFL tells of drops only with the next datagram. @return 0 or -errno.
  int RefreshOverflow();

  /// Appends datagrams to the batch, without blocking, as many as one recvmmsg gives. One endpoint record a sender.
  /// @return datagrams appended, > 0; -EAGAIN: none; -ENOBUFS: the batch has no room. Allocates nothing.
  int ReceiveBatch(Batch& batch) { return ReceiveFrom(main_, batch); }
  /// The same from the socket for small datagrams. -EAGAIN without one.
  int ReceiveSmallBatch(Batch& batch);

  /// Sends, in order, every sealed packet of status 0 whose endpoint has this socket's family. Data runs without a key
  /// hold plaintext and are never sent. A refused datagram gets packetStatus -errno; on -EAGAIN the rest gets it too.
  /// @return datagrams sent. Allocates nothing.
  int SendBatch(Batch& batch);

 private:
  struct Receive;
  struct Send;

  // What datagrams come in by.
  struct Inlet {
    UniqueFd fd;
    uint32_t lastDropCount = 0;
    double bytesPerMessage = 2048;  // moving averages
    double datagramsPerMessage = 1;
  };

  UdpSocket(UniqueFd fd, int family, double* stats);
  Outcome Configure(int fd, const UdpOptions& options);
  Outcome Bind(const UdpOptions& options);
  Outcome ReadPort();
  void OpenSmall(UdpOptions options);

  int MessagesToAskFor(const Inlet& inlet, const Batch& batch) const;
  int RefreshOverflow(Inlet& inlet);
  void NoteOverflow(Inlet& inlet, uint32_t dropped);
  int ReceiveFrom(Inlet& inlet, Batch& batch);
  int Place(Inlet& inlet, Batch& batch, int message, int firstRun);
  void FillRecord(Inlet& inlet, EndpointRecord& record, int message, int* segmentBytes, int* tos);

  bool Sends(const Batch& batch, int run) const;
  bool MaySegment(int row);
  bool MayJoin(const Batch& batch, int slot, int row, int tos) const;
  void Begin(const Batch& batch, int slot, int row, int tos);
  void Join(const Batch& batch, int slot);
  void Prepare(int message);
  int Flush(Batch& batch);
  bool HandleRefusal(Batch& batch, int message, int error, int* sent);
  int SendSingly(Batch& batch, int message);
  void Refuse(Batch& batch, const OutgoingMessage& message, int from, int error);

  Inlet main_;
  Inlet small_;
  int family_;
  int port_ = 0;
  bool segment_ = false;
  bool gro_ = false;
  double* stats_;
  EndpointRecord* endpoints_ = nullptr;
  int endpointRows_ = 0;
  std::unique_ptr<Receive> receive_;
  std::unique_ptr<Send> send_;
};

}  // namespace tuntap
