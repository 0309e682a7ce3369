// HOT PATH: the five timers of a peer, [W] 6.1–6.5, on the wheel. Packets only write deadlines; the wheel is armed when it is
// not armed soon enough already, and a timer that fires before its deadline re-arms itself: no packet moves a timer.
//
// retransmitHandshake   an initiation went out and nothing came back for REKEY_TIMEOUT.
// sendKeepalive         data came in and nothing went out for KEEPALIVE_TIMEOUT.
// newHandshake          data went out and nothing came back for KEEPALIVE_TIMEOUT + REKEY_TIMEOUT.
// zeroKeyMaterial       no handshake completed for three times REJECT_AFTER_TIME.
// persistentKeepalive   nothing went either way for the interval that the admin set.

import type { TimerWheel } from "./timer-wheel.js";

/** Timer kinds; a timer's id on the wheel is peerId × TIMERS_PER_PEER + kind. */
export const PeerTimer = {
  RetransmitHandshake: 0,
  SendKeepalive: 1,
  NewHandshake: 2,
  ZeroKeyMaterial: 3,
  PersistentKeepalive: 4,
} as const;
export type PeerTimer = (typeof PeerTimer)[keyof typeof PeerTimer];
export const TIMERS_PER_PEER = 5;

export class PeerTimers {
  readonly #wheel: TimerWheel;
  readonly #onExpire: (peerId: number, kind: PeerTimer, nowMs: number) => void;
  readonly #fire: (id: number, nowMs: number) => void;
  #deadlines: Float64Array;

  /**
   * @param wheel  shared by all peers of a device
   * @param peersMax  peers that there is room for; see {@link grow}
   * @param onExpire  called once per expiry, after the deadline
   */
  constructor(wheel: TimerWheel, peersMax: number, onExpire: (peerId: number, kind: PeerTimer, nowMs: number) => void) {
    this.#wheel = wheel;
    this.#onExpire = onExpire;
    this.#deadlines = new Float64Array(peersMax * TIMERS_PER_PEER).fill(Number.POSITIVE_INFINITY);
    this.#fire = this.#fired.bind(this);
  }

  /** Makes room for `peersMax` peers. */
  grow(peersMax: number): void {
    const grown = new Float64Array(peersMax * TIMERS_PER_PEER).fill(Number.POSITIVE_INFINITY); // cold: peers added
    grown.set(this.#deadlines);
    this.#deadlines = grown;
    this.#wheel.grow(peersMax * TIMERS_PER_PEER);
  }

  /**
   * Sets the deadline to `delayMs` from now. Touches the wheel only if it would fire later than this. Time and delay come
   * apart, because their sum as an argument would be a new number on the heap.
   */
  arm(peerId: number, kind: PeerTimer, nowMs: number, delayMs: number): void {
    const id = peerId * TIMERS_PER_PEER + kind;
    const deadlineMs = nowMs + delayMs;
    this.#deadlines[id] = deadlineMs;
    if (!this.#wheel.isArmed(id) || this.#wheel.deadlineMs(id) > deadlineMs) this.#wheel.arm(id, deadlineMs);
  }

  /** Sets the deadline unless one is pending. @returns whether it was set. */
  armIfIdle(peerId: number, kind: PeerTimer, nowMs: number, delayMs: number): boolean {
    if (this.#deadlines[peerId * TIMERS_PER_PEER + kind] !== Number.POSITIVE_INFINITY) return false;
    this.arm(peerId, kind, nowMs, delayMs);
    return true;
  }

  /** Forgets the deadline; the wheel entry, if any, finds nothing to do when it fires. */
  cancel(peerId: number, kind: PeerTimer): void {
    this.#deadlines[peerId * TIMERS_PER_PEER + kind] = Number.POSITIVE_INFINITY;
  }

  isPending(peerId: number, kind: PeerTimer): boolean {
    return this.#deadlines[peerId * TIMERS_PER_PEER + kind] !== Number.POSITIVE_INFINITY;
  }

  /** Takes all timers of a peer off the wheel. */
  cancelAll(peerId: number): void {
    for (let kind = 0; kind < TIMERS_PER_PEER; kind++) {
      const id = peerId * TIMERS_PER_PEER + kind;
      this.#deadlines[id] = Number.POSITIVE_INFINITY;
      this.#wheel.cancel(id);
    }
  }

  /** Fires what is due. @param firedMax  timers at most; the others wait for the next call @returns timers that were. */
  expire(nowMs: number, firedMax: number): number {
    return this.#wheel.expire(nowMs, this.#fire, firedMax);
  }

  /** @returns boot-time ms of the next look that is needed; may be early, never late; Infinity: none. */
  nextDeadlineMs(): number {
    return this.#wheel.nextDeadlineMs();
  }

  #fired(id: number, nowMs: number): void {
    const deadlineMs = this.#deadlines[id];
    if (deadlineMs === Number.POSITIVE_INFINITY) return;
    if (deadlineMs > nowMs) {
      this.#wheel.arm(id, deadlineMs);
      return;
    }
    this.#deadlines[id] = Number.POSITIVE_INFINITY;
    const peerId = Math.floor(id / TIMERS_PER_PEER);
    this.#onExpire(peerId, (id - peerId * TIMERS_PER_PEER) as PeerTimer, nowMs);
  }
}
