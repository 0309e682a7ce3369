// The status document: one JSON value that tells all there is to tell of an interface, for /status.json, the status page and
// `longhaul show --json`. A superset of what `wg show dump` tells, without its secrets. Fields are added freely; one that
// goes or changes its meaning makes STATUS_SCHEMA one higher. Units are in the names: bytes, packets, seconds, ms of time
// since 1970 (`…AtMs`), loss as a part of 1. `null`: never, none or not known.

/** Version of the form of the document. */
export const STATUS_SCHEMA = 1;

export interface StatusDocument extends StatusHead {
  /** In the order in which they were added. */
  readonly peers: readonly PeerStatus[];
}

/** The document without its peers: what does not grow. */
export interface StatusHead {
  readonly schema: typeof STATUS_SCHEMA;
  /** When this was read. */
  readonly readAtMs: number;
  readonly interface: InterfaceStatus;
  readonly health: HealthStatus;
  readonly ledger: { readonly inbound: InboundLedger; readonly outbound: OutboundLedger };
  readonly offloads: OffloadStatus;
  readonly loop: LoopStatus;
  /** Handshake messages that were refused of late and by whom they were sent, latest first. */
  readonly refusals: readonly RefusalStatus[];
  readonly peerCount: number;
}

export interface InterfaceStatus {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAtMs: number;
  /** Base64; null: no private key is set. */
  readonly publicKey: string | null;
  /** UDP port; 0: none yet. */
  readonly listenPort: number;
  /** 0: none. */
  readonly fwmark: number;
  readonly mtu: number;
  readonly isUp: boolean;
  /** What seals packets. */
  readonly aead: string;
  /** Super-packets that the interface gives and takes. */
  readonly tcpSegmentation: boolean;
  readonly udpSegmentation: boolean;
}

export interface HealthStatus {
  /** Whether it does its work. */
  readonly isReady: boolean;
  /** Why not, or what is worth a look though it works; sentences. */
  readonly reasons: readonly string[];
}

/** Packets that were refused, by the name of the reason; docs/metrics.md has what each means. */
export interface DropCount {
  readonly reason: string;
  readonly packets: number;
}

/** in = delivered + keepalives + handshakes + drops + unaccounted. Packets. */
export interface InboundLedger {
  readonly in: number;
  readonly delivered: number;
  readonly keepalives: number;
  readonly handshakes: number;
  /** Every reason that has happened since the start. */
  readonly drops: readonly DropCount[];
  /** 0, unless there is a bug. */
  readonly unaccounted: number;
}

/** in = sent + staged + drops + unaccounted. Packets. */
export interface OutboundLedger {
  readonly in: number;
  readonly sent: number;
  /** Wait for a handshake now. */
  readonly staged: number;
  readonly drops: readonly DropCount[];
  readonly unaccounted: number;
  // what the daemon itself sends, which is not in the law
  readonly keepalives: number;
  readonly handshakes: number;
  readonly controlFailed: number;
}

/** How many packets a system call moves, and how many segments a message holds: what the offloads are worth. */
export interface OffloadStatus {
  readonly tunReads: number;
  readonly tunReadPackets: number;
  readonly tunWrites: number;
  readonly tunWrittenPackets: number;
  readonly tunRetriedUncoalesced: number;
  readonly udpReceiveCalls: number;
  readonly udpReceiveMessages: number;
  readonly udpReceivedDatagrams: number;
  readonly udpSendCalls: number;
  readonly udpSendMessages: number;
  readonly udpSentDatagrams: number;
  readonly udpGsoRefused: number;
  readonly udpGsoRetried: number;
}

/** Times of the event loop; each a count, a sum and the greatest. */
export interface LoopStatus {
  readonly turns: number;
  readonly turnSecondsSum: number;
  readonly turnSecondsMax: number;
  /** Away from the descriptors. */
  readonly absences: number;
  readonly absenceSecondsSum: number;
  readonly absenceSecondsMax: number;
  /** Packets that waited in the queues of TUN and sockets, and an upper bound of how long. */
  readonly queuedPackets: number;
  readonly queuedSecondsSum: number;
  readonly queuedSecondsMax: number;
}

export interface RefusalStatus {
  readonly reason: string;
  readonly count: number;
  readonly lastAtMs: number;
  readonly from: string | null;
}

/** An endpoint that the file gives by a name. */
export interface EndpointNameStatus {
  readonly host: string;
  /** Why it was not found when it was last looked for; null: it was. */
  readonly problem: string | null;
}

export interface PeerStatus {
  /** Friendly name, else the first characters of the key. */
  readonly name: string;
  readonly friendlyName: string | null;
  /** Base64. */
  readonly publicKey: string;
  readonly hasPresharedKey: boolean;
  /** `192.0.2.1:51820`. */
  readonly endpoint: string | null;
  /** Null: the file gives no name. */
  readonly endpointName: EndpointNameStatus | null;
  /** The first thousand. */
  readonly allowedIps: readonly string[];
  readonly allowedIpCount: number;
  /** 0: off. */
  readonly persistentKeepaliveSeconds: number;
  readonly latestHandshakeAtMs: number | null;
  readonly lastReceivedAtMs: number | null;
  /** On the wire, UDP payload. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly traffic: PeerTraffic;
  readonly path: PathStatus;
  readonly roundTrip: RoundTripStatus;
  readonly handshakes: HandshakeStatus;
  readonly drops: PeerDrops;
  readonly endpointChanges: number;
  readonly endpointChangedAtMs: number | null;
  readonly diagnosis: Diagnosis;
}

export interface PeerTraffic {
  readonly sentPackets: number;
  readonly receivedPackets: number;
  readonly sentKeepalives: number;
  readonly receivedKeepalives: number;
  /** Goodput: bytes of inner packets. */
  readonly sentInnerBytes: number;
  readonly receivedInnerBytes: number;
  // averages over the last seconds, on the wire and of inner packets
  readonly sentBitsPerSecond: number;
  readonly receivedBitsPerSecond: number;
  readonly sentGoodBitsPerSecond: number;
  readonly receivedGoodBitsPerSecond: number;
  /** Wait for a handshake now. */
  readonly stagedPackets: number;
}

/** What the path from the peer to here does to transport data, read from the counters that arrive. Packets. */
export interface PathStatus {
  readonly received: number;
  /** Did not come within a second or two; less those that came after all: `late`. */
  readonly lost: number;
  readonly late: number;
  readonly reordered: number;
  /** How far behind, in packets: sum and greatest. */
  readonly reorderExtentSum: number;
  readonly reorderExtentMax: number;
  readonly duplicates: number;
  readonly lossBursts: number;
  readonly lossBurstMax: number;
  /** Loss bursts by length: up to so many packets; null: longer ones. */
  readonly lossBurstLengths: readonly { readonly upTo: number | null; readonly bursts: number }[];
  /** Counters that the peer itself left out. */
  readonly skipped: number;
  /** Of the last minute or so; null: nothing came. */
  readonly recentLoss: number | null;
}

export interface RoundTripStatus {
  readonly samples: number;
  readonly lastSeconds: number | null;
  readonly smoothedSeconds: number | null;
  readonly variationSeconds: number | null;
  readonly leastSeconds: number | null;
  readonly lastSampleAtMs: number | null;
}

export interface HandshakeStatus {
  readonly initiationsSent: number;
  /** Since the peer was last heard of. */
  readonly initiationsUnanswered: number;
  readonly unansweredSinceMs: number | null;
  readonly initiationSentAtMs: number | null;
  readonly responsesReceived: number;
  readonly cookieRepliesReceived: number;
  readonly cookieReplyAtMs: number | null;
  readonly initiationsReceived: number;
  readonly responsesSent: number;
  readonly completed: number;
  readonly givenUp: number;
  /** Handshake messages refused that claimed to be the peer's. */
  readonly refused: number;
  readonly lastRefusedReason: string | null;
  readonly lastRefusedAtMs: number | null;
}

export interface PeerDrops {
  readonly inbound: readonly DropCount[];
  readonly outbound: readonly DropCount[];
  /** What the kernel refused to send: packets, keepalives and handshake messages. */
  readonly sendsRefused: number;
  readonly lastSendRefusedReason: string | null;
  /** Inner source address of the last packet refused as source_not_allowed. */
  readonly lastRefusedSource: string | null;
  readonly lastSendRefusedAtMs: number | null;
}

/** How a peer is doing. */
export interface Diagnosis {
  /** up: it answers; degraded: it loses 1 % and more; silent: it was asked and does not answer; idle: nobody asks. */
  readonly state: "up" | "degraded" | "silent" | "idle";
  /** For a person in a hurry: what and, if something is wrong, where to look. */
  readonly sentence: string;
}
