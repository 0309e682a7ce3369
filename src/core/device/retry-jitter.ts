// The jitter of handshake timers, drawn ahead: one call of the generator costs as much as a packet. Source: [W] 6.1.
import { REKEY_TIMEOUT_JITTER_MS_MAX } from "../noise/constants.js";

const AHEAD = 512;

export class RetryJitter {
  readonly #random: (bytes: Uint8Array) => void;
  readonly #drawn = new Uint16Array(AHEAD);
  #left = 0;

  /** @param random  fills with random bytes */
  constructor(random: (bytes: Uint8Array) => void) {
    this.#random = random;
  }

  /** @returns 0 to REKEY_TIMEOUT_JITTER_MS_MAX, whole ms, random */
  nextMs(): number {
    if (this.#left === 0) {
      this.#random(new Uint8Array(this.#drawn.buffer)); // cold: once every AHEAD calls
      this.#left = AHEAD;
    }
    return (this.#drawn[--this.#left] * (REKEY_TIMEOUT_JITTER_MS_MAX + 1)) >>> 16;
  }
}
