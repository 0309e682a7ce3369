// How far the wall clock is believed when it makes timestamps. A timestamp from 2038 locks a key out until 2038, so a clock that
// is suddenly far ahead of what is known here is doubted until a peer's authenticated timestamp says the same. It must not
// read a clock. Source: none; [W] 5.1 leaves it open.

const DAY_MS = 86_400_000;

/** Wall time is at least this: the clocks of machines without a battery begin decades earlier. */
export const EPOCH_MS = Date.UTC(2026, 10, 1);
/** How far ahead of the last known time a clock is believed: a machine that was switched off, a key used elsewhere. */
export const BELIEVED_AHEAD_MS = 180 * DAY_MS;
/** The same where nothing is known yet but the age of this program. */
export const FIRST_BELIEVED_AHEAD_MS = 10 * 365 * DAY_MS;
/** Two clocks that differ by no more than this are one time. */
const SAME_TIME_MS = DAY_MS;

/** Wall time that is never far ahead of what is known. All times in ms. */
export class TrustedClock {
  /** The latest time that is known to have been, at #knownBootMs. */
  #knownMs = EPOCH_MS;
  #knownBootMs: number;
  #aheadMs = FIRST_BELIEVED_AHEAD_MS;
  #isDoubted = false;

  /** @param bootMs  boot time now */
  constructor(bootMs: number) {
    this.#knownBootMs = bootMs;
  }

  /** Whether the last reading was refused as too far ahead. */
  get isDoubted(): boolean {
    return this.#isDoubted;
  }

  /** Whether any time is known that a clock or an earlier run told, and not only the age of this program. */
  get isInformed(): boolean {
    return this.#aheadMs === BELIEVED_AHEAD_MS;
  }

  /** It was this late once already. @param knownMs  since 1970, e.g. what was noted before a restart */
  learn(knownMs: number, bootMs: number): void {
    this.#aheadMs = BELIEVED_AHEAD_MS;
    if (knownMs <= this.expectedMs(bootMs)) return;
    this.#knownMs = knownMs;
    this.#knownBootMs = bootMs;
  }

  /** @returns the earliest time that it can be, by the latest known time and the boot time since */
  expectedMs(bootMs: number): number {
    return this.#knownMs + (bootMs - this.#knownBootMs);
  }

  /** @returns the wall time; or the expected time, where the wall clock is too far ahead of it */
  read(wallMs: number, bootMs: number): number {
    const expectedMs = this.expectedMs(bootMs);
    this.#isDoubted = wallMs > expectedMs + this.#aheadMs;
    if (this.#isDoubted) return expectedMs;
    if (wallMs > expectedMs) this.learn(wallMs, bootMs);
    return wallMs;
  }

  /** A peer's authenticated timestamp: ends a doubt about the wall clock if it says the same. @returns whether it did */
  witness(peerMs: number, wallMs: number, bootMs: number): boolean {
    if (!this.#isDoubted || Math.abs(peerMs - wallMs) > SAME_TIME_MS) return false;
    this.learn(wallMs, bootMs);
    this.#isDoubted = false;
    return true;
  }
}
