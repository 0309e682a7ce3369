// Tells the log what the ledger has counted since the last line: one line a reason and direction, never one a packet. What was lost
// inside this host is worth an admin's attention; the rest is for whoever looks closer.

import type { Peer } from "../core/device/peer.js";
import type { Statistics } from "../core/device/statistics.js";
import { DROP_REASON_COUNT, DropReason, dropReasonNames } from "../core/drop-reason.js";
import type { DaemonLog } from "./log.js";

/** A reason is told of at most so often; what comes in between is in the next line's count. */
const QUIET_MS = 10_000;
/** What goes on and on is told of half as often each time, down to this: a line that is away for a day is not a full journal. */
const QUIET_MS_MAX = 640_000;
const NAMED_PEERS_MAX = 3;
/** The law is looked at in every so-manieth call: its sums make more garbage than all the rest of a second. */
const CALLS_A_LOOK = 10;

/** Lost between the tunnel interface and the socket, or refused there by the kernel, whatever the network does. */
const lostInHost: ReadonlySet<number> = new Set([
  DropReason.SocketOverflow,
  DropReason.BatchFull,
  DropReason.KeyMissing,
  DropReason.TunQueueFull,
  DropReason.TunMalformed,
  DropReason.TunTooLarge,
  DropReason.SealFailed,
  DropReason.SendWouldBlock,
  DropReason.SendNoBuffers,
  DropReason.SendNoSocket,
  DropReason.SendTooLarge,
  DropReason.SendUnreachable,
  DropReason.SendForbidden,
  DropReason.SendFailed,
  DropReason.RoutingLoop,
  DropReason.TunWriteFailed,
]);

const directions = ["inbound", "outbound"] as const;
type Direction = (typeof directions)[number];

export class DropLog {
  readonly #statistics: Statistics;
  readonly #log: DaemonLog;
  readonly #told = { inbound: new Float64Array(DROP_REASON_COUNT), outbound: new Float64Array(DROP_REASON_COUNT) };
  readonly #toldMs = {
    inbound: new Float64Array(DROP_REASON_COUNT).fill(Number.NEGATIVE_INFINITY),
    outbound: new Float64Array(DROP_REASON_COUNT).fill(Number.NEGATIVE_INFINITY),
  };
  readonly #quietMs = {
    inbound: new Float64Array(DROP_REASON_COUNT).fill(QUIET_MS),
    outbound: new Float64Array(DROP_REASON_COUNT).fill(QUIET_MS),
  };
  readonly #toldOfPeer = new WeakMap<Peer, Record<Direction, Float64Array>>();
  #unaccountedTold = false;
  #calls = 0;

  constructor(statistics: Statistics, log: DaemonLog) {
    this.#statistics = statistics;
    this.#log = log;
  }

  /** Logs what is new. Call about once a second. @param nowMs  a clock that only goes forward */
  tell(nowMs: number): void {
    for (const direction of directions) {
      const drops = this.#dropsOf(this.#statistics.ledger, direction);
      if (alike(drops, this.#told[direction])) continue;
      for (let reason = 1; reason < DROP_REASON_COUNT; reason++) {
        const packets = drops[reason] - this.#told[direction][reason];
        if (packets > 0 && this.#isDue(direction, reason, nowMs)) {
          this.#tellReason(direction, reason, packets);
          this.#told[direction][reason] = drops[reason];
          this.#toldMs[direction][reason] = nowMs;
        }
      }
    }
    if (this.#calls++ % CALLS_A_LOOK === 0) this.#tellUnaccounted();
  }

  /** Whether a reason has been quiet for long enough. What comes again at once has to be quiet for longer the next time. */
  #isDue(direction: Direction, reason: number, nowMs: number): boolean {
    const quietMs = this.#quietMs[direction];
    const sinceMs = nowMs - this.#toldMs[direction][reason];
    if (sinceMs < quietMs[reason]) return false;
    quietMs[reason] = sinceMs < 2 * quietMs[reason] ? Math.min(2 * quietMs[reason], QUIET_MS_MAX) : QUIET_MS;
    return true;
  }

  #tellReason(direction: Direction, reason: number, packets: number): void {
    const isLost = lostInHost.has(reason);
    if (!this.#log.tells(isLost ? "info" : "debug")) return;
    const peers = this.#log.tells("debug") ? this.#peersOf(direction, reason) : [];
    const fields = { direction, reason: dropReasonNames[reason], packets, ...(peers.length > 0 ? { peers } : {}) };
    if (isLost) this.#log.info(fields, "packets lost in this host");
    else this.#log.debug(fields, "packets dropped");
  }

  /** Names of the peers whose counter moved, the first few. */
  #peersOf(direction: Direction, reason: number): string[] {
    const names: string[] = [];
    for (const peer of this.#statistics.peers()) {
      const drops = this.#dropsOf(peer.statistics, direction);
      const told = this.#toldOf(peer)[direction];
      if (drops[reason] > told[reason] && names.length < NAMED_PEERS_MAX) names.push(this.#log.peerName(peer));
      told[reason] = drops[reason];
    }
    return names;
  }

  #toldOf(peer: Peer): Record<Direction, Float64Array> {
    let told = this.#toldOfPeer.get(peer);
    if (told === undefined) {
      told = { inbound: new Float64Array(DROP_REASON_COUNT), outbound: new Float64Array(DROP_REASON_COUNT) };
      this.#toldOfPeer.set(peer, told);
    }
    return told;
  }

  #dropsOf(of: { inboundDrops: Float64Array; outboundDrops: Float64Array }, direction: Direction): Float64Array {
    return direction === "inbound" ? of.inboundDrops : of.outboundDrops;
  }

  #tellUnaccounted(): void {
    const { inboundUnaccounted: inbound, outboundUnaccounted: outbound } = this.#statistics;
    if ((inbound === 0 && outbound === 0) || this.#unaccountedTold) return;
    this.#unaccountedTold = true;
    this.#log.error({ inbound, outbound }, "packets that the ledger cannot account for: a bug, please report it");
  }
}

/** Whether both hold the same bytes, as is the rule; without a number on the heap for each cell. */
function alike(a: Float64Array, b: Float64Array): boolean {
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

const views = new WeakMap<Float64Array, Uint8Array>();

function bytesOf(cells: Float64Array): Uint8Array {
  let view = views.get(cells);
  if (view === undefined) {
    view = new Uint8Array(cells.buffer, cells.byteOffset, cells.byteLength);
    views.set(cells, view);
  }
  return view;
}
