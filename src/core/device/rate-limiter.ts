// HOT PATH: a token bucket per source address, for handshake messages under load. An IPv6 source is its /64.
// A bucket is one number: the time when it will be full again (the virtual schedule of GCRA). A bucket that is full
// tells nothing that a missing one does not, so it may be overwritten, and memory is a fixed table: sets of eight
// buckets chosen by a keyed hash. A new source whose set holds only unfilled buckets is refused.
// Source: [W] 5.3; the rate and burst of Linux's ratelimiter.c.

import { EndpointField, FAMILY_IPV4, familyOf } from "../transport/endpoint-record.js";
import { keyedHash } from "./keyed-hash.js";

export const PACKETS_PER_SECOND = 20;
export const PACKETS_BURST = 5;

/** Of one source: tokens a second, how many a full bucket holds, and whether each port of an address is a source of its own. */
export interface Rate {
  readonly packetsPerSecond: number;
  readonly burst: number;
  readonly byPort?: boolean;
}
const HANDSHAKES: Rate = { packetsPerSecond: PACKETS_PER_SECOND, burst: PACKETS_BURST };

const WAYS = 8;
const DEFAULT_BUCKETS = 16_384;

export class RateLimiter {
  readonly #key0: number;
  readonly #key1: number;
  readonly #setMask: number;
  readonly #tokenMs: number;
  readonly #burstMs: number;
  readonly #byPort: boolean;
  /** A bucket's source: an IPv4 address in the first word, or the /64 of IPv6 in both; a port is in the second. */
  readonly #high: Int32Array;
  readonly #low: Int32Array;
  /** 1: IPv4, 2: IPv6, 0: never used. */
  readonly #kind: Uint8Array;
  readonly #fullAtMs: Float64Array;

  /**
   * @param random  fills the array with unpredictable bytes; asked once, for the hash key
   * @param buckets  at least 8; rounded up to a power of two
   */
  constructor(random: (into: Uint8Array) => void, buckets = DEFAULT_BUCKETS, rate = HANDSHAKES) {
    this.#tokenMs = 1000 / rate.packetsPerSecond;
    this.#burstMs = rate.burst * this.#tokenMs;
    this.#byPort = rate.byPort === true;
    const key = new Uint8Array(8);
    random(key);
    this.#key0 = wordAt(key, 0);
    this.#key1 = wordAt(key, 4);
    let sets = 1;
    while (sets * WAYS < buckets) sets *= 2;
    this.#setMask = sets - 1;
    this.#high = new Int32Array(sets * WAYS);
    this.#low = new Int32Array(sets * WAYS);
    this.#kind = new Uint8Array(sets * WAYS);
    this.#fullAtMs = new Float64Array(sets * WAYS).fill(Number.NEGATIVE_INFINITY);
  }

  /**
   * Takes one token from the bucket of the record's remote address.
   * @param record  endpoint records, see endpoint-record.ts  @param nowMs  boot-time ms, never going back
   * @returns whether there was one. A refusal takes nothing.
   */
  allow(record: Uint8Array, offset: number, nowMs: number): boolean {
    const at = offset + EndpointField.Address;
    const isIpv4 = familyOf(record, offset) === FAMILY_IPV4;
    const port = this.#byPort
      ? (record[offset + EndpointField.Port] << 8) | record[offset + EndpointField.Port + 1]
      : 0;
    const kind = isIpv4 ? 1 : 2;
    const words = isIpv4 && !this.#byPort ? 1 : 2;
    const high = wordAt(record, at);
    const low = isIpv4 ? port : wordAt(record, at + 4) ^ port;
    const first = (keyedHash(this.#key0, this.#key1, words, high, low) & this.#setMask) * WAYS;
    let free = -1;
    for (let bucket = first; bucket < first + WAYS; bucket++) {
      const fullAtMs = this.#fullAtMs[bucket];
      if (this.#high[bucket] === high && this.#low[bucket] === low && this.#kind[bucket] === kind) {
        const fromMs = fullAtMs > nowMs ? fullAtMs : nowMs;
        if (fromMs + this.#tokenMs > nowMs + this.#burstMs) return false;
        this.#fullAtMs[bucket] = fromMs + this.#tokenMs;
        return true;
      }
      if (fullAtMs <= nowMs) free = bucket;
    }
    if (free < 0) return false;
    this.#high[free] = high;
    this.#low[free] = low;
    this.#kind[free] = kind;
    this.#fullAtMs[free] = nowMs + this.#tokenMs;
    return true;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}
