// Why a packet was not delivered: one row a cause, no I/O. [W] is the WireGuard paper.

/** Every refusal names one of these. `docs/metrics.md` and the exported ledger follow this table. */
export const DropReason = {
  None: 0,
  // network → TUN, before authentication
  Malformed: 1, //  no known type, or a length that the type cannot have
  UnknownReceiver: 2, //  [W] 5.4.6: receiver index not in the index table
  KeypairExpired: 3, //  [W] 6.2: keypair past REJECT_AFTER_TIME or REJECT_AFTER_MESSAGES
  AuthenticationFailed: 4, //  AEAD tag did not verify
  // network → TUN, after authentication
  CounterReplayed: 5, //  [W] 5.4.6, RFC 6479
  CounterTooOld: 6, //  behind the replay window
  CounterTooLarge: 7, //  at or above 2^53, or past REJECT_AFTER_MESSAGES
  InnerMalformed: 8, //  not IPv4 or IPv6, or its length field disagrees
  SourceNotAllowed: 9, //  cryptokey routing: inner source is not this peer's
  EcnInvalid: 10, //  RFC 6040: outer CE on an inner packet that is not ECN-capable
  TunWriteFailed: 11, //  the kernel refused the write
  InterfaceDown: 12, //  interface is administratively down
  // TUN → network
  NoRoute: 13, //  no peer has the inner destination in its allowed-ips
  NoEndpoint: 14, //  the peer has no endpoint yet
  StagedOverflow: 15, //  oldest staged packet made room for a newer one
  StagedExpired: 16, //  handshake was given up, or the peer or key went away
  SendNoSocket: 17, //  no socket of the endpoint's address family is open
  SendFailed: 18, //  the kernel refused the datagram, for a cause without a row of its own
  // handshake messages
  Mac1Invalid: 19, //  [W] 5.4.4
  HandshakeInvalid: 20, //  a static, timestamp or empty field did not verify, or an all-zero shared secret
  UnknownPeer: 21, //  initiator's static key is no peer's
  TimestampReplayed: 22, //  [W] 5.1: TAI64N not greater than the last one
  InitiationFlood: 23, //  more than 50 initiations a second from one peer
  UnderLoad: 24, //  mac2 missing while under load: a cookie reply was sent instead
  RateLimited: 25, //  under load and over the source's token bucket
  HandshakeUnexpected: 26, //  a response or cookie reply that no outstanding initiation asked for
  CookieInvalid: 27, //  cookie reply that did not open
  OwnKey: 28, //  the peer's key is our own
  // network → TUN, in the kernel and in native code
  SocketOverflow: 29, //  SO_RXQ_OVFL: the socket's receive buffer was full
  DatagramTruncated: 30, //  longer than the room for a kernel message
  BatchFull: 31, //  no slot or run was left for it in the batch
  KeyMissing: 32, //  its key slot was empty: a bug
  // TUN → network, in the kernel and in native code
  TunQueueFull: 33, //  tx_dropped of the interface: its queue was full
  TunMalformed: 34, //  not what its virtio header promised
  TunTooLarge: 35, //  did not fit even an empty batch
  SealFailed: 36, //  the cipher refused: a bug
  SendWouldBlock: 37, //  EAGAIN: the socket's send buffer was full
  SendNoBuffers: 38, //  ENOBUFS: the queue of the interface below was full
  SendTooLarge: 39, //  EMSGSIZE: over the MTU of the interface below
  SendUnreachable: 40, //  no route, network or host unreachable, interface below down
  SendForbidden: 41, //  EPERM, EACCES: a firewall of this host
  // handshake messages
  HandshakeBacklog: 42, //  more good ones came than could be answered: no room to wait in, no cookie for a source that just got one
  // TUN → network
  RoutingLoop: 43, //  a datagram of our own came back out of the TUN: the endpoint is routed into the tunnel
} as const;
export type DropReason = (typeof DropReason)[keyof typeof DropReason];

/** Rows of the table, for typed arrays indexed by reason. */
export const DROP_REASON_COUNT = 44;

/** snake_case name of each reason, indexed by its number. */
export const dropReasonNames: readonly string[] = Object.entries(DropReason)
  .sort((a, b) => a[1] - b[1])
  .map(([name]) => name.replace(/(?<=[a-z0-9])([A-Z])/g, "_$1").toLowerCase());
