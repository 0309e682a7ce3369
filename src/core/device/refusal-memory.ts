// The last handshake messages that were refused, with where they came from: what `longhaul why` compares with a peer's endpoint
// when nobody can be named by key. Two rings, so that a scan of the port, which fails at mac1, does not wash the others away.

import { DropReason } from "../drop-reason.js";
import { copyRecord, ENDPOINT_BYTES, equalRemote } from "../transport/endpoint-record.js";

const RING_ENTRIES = 32;

class Ring {
  readonly records = new Uint8Array(RING_ENTRIES * ENDPOINT_BYTES);
  readonly reasons = new Uint8Array(RING_ENTRIES);
  readonly times = new Float64Array(RING_ENTRIES).fill(Number.NEGATIVE_INFINITY);
  readonly counts = new Float64Array(RING_ENTRIES);
  #next = 0;

  add(reason: DropReason, records: Uint8Array, at: number, nowMs: number): void {
    const last = (this.#next + RING_ENTRIES - 1) % RING_ENTRIES;
    let entry = last;
    if (this.reasons[last] !== reason || !equalRemote(this.records, last * ENDPOINT_BYTES, records, at)) {
      entry = this.#next;
      this.#next = (entry + 1) % RING_ENTRIES;
      copyRecord(records, at, this.records, entry * ENDPOINT_BYTES);
      this.reasons[entry] = reason;
      this.counts[entry] = 0;
    }
    this.counts[entry]++;
    this.times[entry] = nowMs;
  }
}

/** One remembered refusal; a number of equal ones in a row is one. */
export interface Refusal {
  readonly reason: DropReason;
  readonly count: number;
  /** Boot-time ms of the last. */
  readonly atMs: number;
  /** Endpoint record of the sender, a view. */
  readonly record: Uint8Array;
}

export class RefusalMemory {
  readonly #forged = new Ring();
  readonly #others = new Ring();

  /** @param records  endpoint records of the batch  @param at  offset of the sender's */
  add(reason: DropReason, records: Uint8Array, at: number, nowMs: number): void {
    (reason === DropReason.Mac1Invalid ? this.#forged : this.#others).add(reason, records, at, nowMs);
  }

  /** @returns what is remembered, latest first */
  list(): Refusal[] {
    const found: Refusal[] = [];
    for (const ring of [this.#others, this.#forged]) {
      for (let i = 0; i < RING_ENTRIES; i++) {
        if (ring.reasons[i] === 0) continue;
        const record = ring.records.subarray(i * ENDPOINT_BYTES, (i + 1) * ENDPOINT_BYTES);
        found.push({ reason: ring.reasons[i] as DropReason, count: ring.counts[i], atMs: ring.times[i], record });
      }
    }
    return found.sort((a, b) => b.atMs - a.atMs);
  }
}
