// What the parts of a device share: peers, tables, ledger, and what the device was given to work with. No I/O.

import type { DropReason } from "../drop-reason.js";
import type { CookieChecker } from "../noise/cookie.js";
import type { HandshakeContext } from "../noise/handshake.js";
import type { Identity } from "../noise/identity.js";
import type { Primitives } from "../noise/primitives.js";
import type { TimestampSource } from "../noise/tai64n.js";
import type { TimestampKeeper } from "../noise/timestamp-keeper.js";
import type { PeerTimers } from "../timers/peer-timers.js";
import type { DataPath, Transmitter } from "../transport/data-path.js";
import { NO_ENDPOINT, NO_KEY, type PacketBatch } from "../transport/packet-batch.js";
import type { StagedPackets } from "../transport/staging.js";
import type { AllowedIps } from "./allowed-ips.js";
import type { HostAnswers } from "./host-answers.js";
import type { IndexTable } from "./index-table.js";
import type { KeypairPool } from "./keypair-pool.js";
import type { Ledger } from "./ledger.js";
import type { Outbox } from "./outbox.js";
import type { Peer } from "./peer.js";
import type { RateLimiter } from "./rate-limiter.js";
import type { RefusalMemory } from "./refusal-memory.js";
import type { WorkBudget } from "./work-budget.js";

/** State changes worth a log line. None is called per packet; none may throw. */
export interface DeviceEvents {
  handshakeCompleted?(peer: Peer, role: "initiator" | "responder"): void;
  handshakeSent?(peer: Peer, attempt: number): void;
  handshakeGivenUp?(peer: Peer): void;
  endpointChanged?(peer: Peer): void;
  underLoad?(on: boolean): void;
  handshakeRefused?(peer: Peer | undefined, reason: DropReason): void;
}

/** What a device is given: everything that touches the world. */
export interface DeviceDependencies {
  readonly primitives: Primitives;
  readonly dataPath: DataPath;
  readonly transmitter: Transmitter;
  /** Fills with cryptographically secure random bytes. */
  readonly random: (into: Uint8Array) => void;
  /** Wall time, ms since 1970, fractions allowed. */
  readonly wallMs: () => number;
  /** Monotonic ms with fractions, for round-trip times; read twice a handshake. Without it they are whole turns. */
  readonly fineMs?: () => number;
  /** Endpoint table: one record a peer, then REPLY_ROWS for answers to strangers. */
  readonly endpoints: Uint8Array;
  /** Whether routes let the peer of a record in `endpoints` be answered from its sticky source; without it they do. Called rarely. */
  readonly canAnswerFrom?: (record: number) => boolean;
  /** Memory for what the core itself sends. */
  readonly outbox: PacketBatch;
  readonly events?: DeviceEvents;
  /** Hands this host a packet that the device made, by way of the TUN. @returns whether it took it. Called rarely. */
  readonly writeToHost?: (packet: Uint8Array) => boolean;
  /** Memory for packets that wait for a keypair, of all peers; without it 16 MiB. */
  readonly stagedPoolBytes?: number;
  /** Keeps sent timestamps across restarts. */
  readonly timestampKeeper?: TimestampKeeper | undefined;
}

/** Rows at the end of the endpoint table for cookie replies. */
export const REPLY_ROWS = 64;

/** Shared by the device's parts; owned by the device. */
export interface DeviceState {
  readonly deps: DeviceDependencies;
  readonly events: DeviceEvents;
  /** By peer id; a hole is a removed peer. */
  readonly peers: (Peer | undefined)[];
  /** By public key, hex. */
  readonly peerByKey: Map<string, Peer>;
  readonly peersMax: number;
  readonly allowedIps: AllowedIps;
  readonly indices: IndexTable;
  readonly keypairs: KeypairPool;
  readonly staged: StagedPackets;
  readonly timers: PeerTimers;
  readonly limiter: RateLimiter;
  readonly timestamps: TimestampSource;
  readonly ledger: Ledger;
  readonly refusals: RefusalMemory;
  readonly hostAnswers: HostAnswers;
  readonly outbox: Outbox;
  readonly budget: WorkBudget;
  /** Undefined: no private key is set, nobody is spoken to and nobody is heard. */
  identity: Identity | undefined;
  /** Of the identity; without one, of a key that is never used. */
  noise: HandshakeContext;
  cookies: CookieChecker | undefined;
  /** The interface is up: peers may talk. */
  isUp: boolean;
}

/**
 * Refuses every packet of a run from the TUN: status, ledger, and seal and send pass it by.
 * @param peer  whom the packets are for, if that is known
 * @returns packets refused
 */
export function refuseOutboundRun(
  state: DeviceState,
  batch: PacketBatch,
  run: number,
  reason: DropReason,
  peer?: Peer,
): number {
  const count = markRun(batch, run, reason);
  state.ledger.outboundDrops[reason] += count;
  if (peer !== undefined) peer.statistics.outboundDrops[reason] += count;
  return count;
}

/** Refuses every datagram of a run from the network. @param peer  whose they are, if known @returns datagrams refused */
export function refuseInboundRun(
  state: DeviceState,
  batch: PacketBatch,
  run: number,
  reason: DropReason,
  peer?: Peer,
): number {
  const count = markRun(batch, run, reason);
  state.ledger.inboundDrops[reason] += count;
  if (peer !== undefined) peer.statistics.inboundDrops[reason] += count;
  return count;
}

/** Drops what waits for a keypair of this peer. */
export function dropStaged(state: DeviceState, peer: Peer, reason: DropReason): void {
  const count = state.staged.clear(peer.id);
  state.ledger.outboundDrops[reason] += count;
  peer.statistics.outboundDrops[reason] += count;
}

/** Takes a run out of the batch with a status that is no drop (staged, consumed). @returns its packets */
export function markRun(batch: PacketBatch, run: number, status: number): number {
  const first = batch.runFirst[run];
  const count = batch.runCount[run];
  for (let slot = first; slot < first + count; slot++) batch.packetStatus[slot] = status;
  batch.runKey[run] = NO_KEY;
  batch.runEndpoint[run] = NO_ENDPOINT;
  return count;
}

/** Status of a packet that left the batch without being dropped. */
export const STATUS_TAKEN = 0x7fff;
