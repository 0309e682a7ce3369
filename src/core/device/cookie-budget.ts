// HOT PATH: which handshake messages without a cookie are looked at while a flood of them comes beside much traffic. All macs and a
// cookie reply together cost as much as a dozen packets, and they are made on the thread that carries those. A source needs one
// reply: the first message of each is let through, one a second after that, and a few thousand a second of all the others, so that
// nobody can shut out a source by sending in its name. Memory of a fixed size, and with it what many sources get together: 16 a ms.
// Source: [W] 5.3, which lets a loaded responder choose.

import { RateLimiter } from "./rate-limiter.js";

/** Messages a second, of each port of an address (many peers may stand behind one; an IPv6 address is its /64); and as many at once. */
const PER_SOURCE = { packetsPerSecond: 1, burst: 1, byPort: true } as const;
/** Messages beyond that, of all sources together: three per cent of a core. */
const SHARED_PER_MS = 4;
const SHARED_MAX = 64;

/** Cells: messages left, time of the last refill. */
const LEFT = 0;
const REFILLED_MS = 1;

export class CookieBudget {
  readonly #perSource: RateLimiter;
  readonly #cells = Float64Array.of(SHARED_MAX, 0);

  /** @param random  fills with unpredictable bytes; asked once */
  constructor(random: (into: Uint8Array) => void) {
    this.#perSource = new RateLimiter(random, undefined, PER_SOURCE);
  }

  /**
   * Takes a message's worth. @param record  endpoint records; the message's is at `offset` @param nowMs  never going back
   * @returns whether the message is to be looked at
   */
  take(record: Uint8Array, offset: number, nowMs: number): boolean {
    if (this.#perSource.allow(record, offset, nowMs)) return true;
    const cells = this.#cells;
    cells[LEFT] = Math.min(SHARED_MAX, cells[LEFT] + (nowMs - cells[REFILLED_MS]) * SHARED_PER_MS);
    cells[REFILLED_MS] = nowMs;
    if (cells[LEFT] < 1) return false;
    cells[LEFT]--;
    return true;
  }
}
