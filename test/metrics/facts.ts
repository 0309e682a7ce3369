// Facts of a healthy interface and peer, for tests that change what they are about.
import type { HeadFacts, PeerDetails, PeerFacts } from "../../src/metrics/diagnosis-facts.js";
import type {
  DropCount,
  HandshakeStatus,
  PathStatus,
  PeerDrops,
  PeerTraffic,
  RoundTripStatus,
} from "../../src/metrics/status.js";

/** A noon, by whatever time zone the test runs in. */
export const NOW_MS = new Date(2026, 10, 24, 12, 0, 0).getTime();
export const OWN_KEY = "b3duIGtleSBvd24ga2V5IG93biBrZXkgb3duIGtleQ==";
export const PEER_KEY = "cGVlciBrZXkgcGVlciBrZXkgcGVlciBrZXkgcGVlciA=";

export const minutesAgo = (minutes: number): number => NOW_MS - minutes * 60_000;

const traffic: PeerTraffic = {
  sentPackets: 9_000,
  receivedPackets: 9_990,
  sentKeepalives: 4,
  receivedKeepalives: 10,
  sentInnerBytes: 700_000,
  receivedInnerBytes: 12_000_000,
  sentBitsPerSecond: 2_000_000,
  receivedBitsPerSecond: 412_000_000,
  sentGoodBitsPerSecond: 1_900_000,
  receivedGoodBitsPerSecond: 400_000_000,
  stagedPackets: 0,
};

const path: PathStatus = {
  received: 10_000,
  lost: 0,
  late: 0,
  reordered: 0,
  reorderExtentSum: 0,
  reorderExtentMax: 0,
  duplicates: 0,
  lossBursts: 0,
  lossBurstMax: 0,
  lossBurstLengths: [],
  skipped: 0,
  recentLoss: 0,
};

const roundTrip: RoundTripStatus = {
  samples: 3,
  lastSeconds: 0.0809,
  smoothedSeconds: 0.0812,
  variationSeconds: 0.001,
  leastSeconds: 0.0802,
  lastSampleAtMs: NOW_MS - 30_000,
};

const handshakes: HandshakeStatus = {
  initiationsSent: 3,
  initiationsUnanswered: 0,
  unansweredSinceMs: null,
  initiationSentAtMs: NOW_MS - 30_000,
  responsesReceived: 3,
  cookieRepliesReceived: 0,
  cookieReplyAtMs: null,
  initiationsReceived: 0,
  responsesSent: 0,
  completed: 3,
  givenUp: 0,
  refused: 0,
  lastRefusedReason: null,
  lastRefusedAtMs: null,
};

const drops: PeerDrops = {
  inbound: [],
  outbound: [],
  sendsRefused: 0,
  lastSendRefusedReason: null,
  lastSendRefusedAtMs: null,
  lastRefusedSource: null,
};

export interface PeerChanges {
  readonly peer?: Partial<PeerFacts & PeerDetails>;
  readonly traffic?: Partial<PeerTraffic>;
  readonly path?: Partial<PathStatus>;
  readonly roundTrip?: Partial<RoundTripStatus>;
  readonly handshakes?: Partial<HandshakeStatus>;
  readonly drops?: Partial<PeerDrops>;
}

/** A peer that is up, but for what is changed. */
export function peerFacts(changes: PeerChanges = {}): PeerFacts & PeerDetails {
  return {
    name: "lisbon",
    publicKey: PEER_KEY,
    endpoint: "203.0.113.7:51820",
    endpointName: null,
    allowedIps: ["10.99.0.2/32", "192.168.20.0/24"],
    persistentKeepaliveSeconds: 0,
    latestHandshakeAtMs: NOW_MS - 30_000,
    lastReceivedAtMs: NOW_MS - 200,
    sentBytes: 800_000,
    receivedBytes: 13_000_000,
    traffic: { ...traffic, ...changes.traffic },
    path: { ...path, ...changes.path },
    roundTrip: { ...roundTrip, ...changes.roundTrip },
    handshakes: { ...handshakes, ...changes.handshakes },
    drops: { ...drops, ...changes.drops },
    endpointChanges: 0,
    endpointChangedAtMs: null,
    ...changes.peer,
  };
}

/** A peer that nothing was ever sent to. */
export const untouched: PeerChanges = {
  peer: { latestHandshakeAtMs: null, lastReceivedAtMs: null, sentBytes: 0, receivedBytes: 0 },
  traffic: { sentPackets: 0, receivedPackets: 0, sentKeepalives: 0, receivedKeepalives: 0, receivedInnerBytes: 0 },
  path: { received: 0, recentLoss: null },
  roundTrip: { samples: 0, smoothedSeconds: null },
  handshakes: { initiationsSent: 0, initiationSentAtMs: null, responsesReceived: 0, completed: 0 },
};

/** A peer that has never answered; changes on top of `more`. */
export function silentPeer(more: PeerChanges = {}): PeerFacts & PeerDetails {
  return peerFacts({
    ...untouched,
    ...more,
    peer: { ...untouched.peer, sentBytes: 1_776, ...more.peer },
    handshakes: {
      ...untouched.handshakes,
      initiationsSent: 12,
      initiationsUnanswered: 12,
      unansweredSinceMs: minutesAgo(2),
      initiationSentAtMs: NOW_MS - 3_000,
      ...more.handshakes,
    },
  });
}

/** What `wg show` knows of a peer. */
export function bareFacts(changes: Partial<PeerFacts> = {}): PeerFacts {
  const {
    name,
    publicKey,
    endpoint,
    allowedIps,
    persistentKeepaliveSeconds,
    latestHandshakeAtMs,
    sentBytes,
    receivedBytes,
  } = peerFacts();
  return {
    ...{
      name,
      publicKey,
      endpoint,
      allowedIps,
      persistentKeepaliveSeconds,
      latestHandshakeAtMs,
      sentBytes,
      receivedBytes,
    },
    ...changes,
  } as PeerFacts;
}

export interface HeadChanges {
  readonly readAtMs?: number;
  readonly interface?: Partial<HeadFacts["interface"]>;
  readonly inbound?: readonly DropCount[];
  readonly outbound?: readonly DropCount[];
  readonly refusals?: HeadFacts["refusals"];
  readonly absenceSecondsMax?: number;
}

export function headFacts(changes: HeadChanges = {}): HeadFacts {
  const law = { in: 20_000, unaccounted: 0, keepalives: 10, handshakes: 3 };
  return {
    readAtMs: changes.readAtMs ?? NOW_MS,
    interface: {
      name: "hq",
      publicKey: OWN_KEY,
      listenPort: 51_820,
      fwmark: 0,
      mtu: 1_420,
      isUp: true,
      ...changes.interface,
    },
    ledger: {
      inbound: { ...law, delivered: 9_990, drops: changes.inbound ?? [] },
      outbound: { ...law, sent: 9_000, staged: 0, controlFailed: 0, drops: changes.outbound ?? [] },
    },
    loop: {
      turns: 1_000,
      turnSecondsSum: 0.2,
      turnSecondsMax: 0.001,
      absences: 1_000,
      absenceSecondsSum: 0.2,
      absenceSecondsMax: changes.absenceSecondsMax ?? 0.002,
      queuedPackets: 20_000,
      queuedSecondsSum: 0.5,
      queuedSecondsMax: 0.001,
    },
    refusals: changes.refusals ?? [],
  };
}
