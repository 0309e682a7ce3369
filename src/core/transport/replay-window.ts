// HOT PATH: anti-replay window of one receiving key: a ring of bit words that slides word by word, so that moving ahead
// clears words and shifts nothing. Source: RFC 6479; [W] 5.4.6. Counters are numbers, exact to 2^53: JavaScript's `&`
// truncates a fraction and takes an integer modulo 2^32, so it is safe on them where `>>` would not divide.
// The bits also tell what the path lost: before they are cleared, or when a second has passed, gaps are counted.

import { DropReason } from "../drop-reason.js";
import { LossCounter, PATH_CELLS, SETTLE_MS } from "./path-quality.js";

/** Words in the ring; a power of two. 2 KiB a key. */
const WORDS = 512;
const WORD_MASK = WORDS - 1;
/** One word less than the ring: the word being filled holds counters that are still to come. */
export const REPLAY_WINDOW = (WORDS - 1) * 32;
/** REJECT_AFTER_MESSAGES, as far as a number can count. [W] 6.1 allows 2^60; 180 s at any rate stays far below both. */
export const COUNTER_LIMIT = Number.MAX_SAFE_INTEGER;

/** Cells of a window's numbers: typed cells, because a field above 2^31 may be boxed. */
const Cell = {
  /** The greatest counter accepted, -1: none. */
  Greatest: 0,
  /** Gaps below this counter are counted. */
  Settled: 1,
  /** One more than the greatest counter at MarkMs. */
  Mark: 2,
  MarkMs: 3,
  /** When the run in work came, and the one before it. */
  HeardMs: 4,
  HeardBeforeMs: 5,
} as const;
const CELLS = 6;

export class ReplayWindow {
  readonly #words = new Int32Array(WORDS);
  readonly #cells = new Float64Array(CELLS);
  readonly #loss = new LossCounter(new Float64Array(PATH_CELLS));

  constructor() {
    this.#cells[Cell.Greatest] = -1;
  }

  /**
   * Forgets every counter, for the next key. Words are cleared as they are entered, so none needs clearing now.
   * @param quality  PathCell cells of the peer
   */
  reset(quality: Float64Array, nowMs: number): void {
    const cells = this.#cells;
    cells[Cell.Greatest] = -1;
    cells[Cell.Settled] = 0;
    cells[Cell.Mark] = 0;
    cells[Cell.MarkMs] = nowMs;
    cells[Cell.HeardMs] = nowMs;
    cells[Cell.HeardBeforeMs] = nowMs;
    this.#loss.reset(quality);
  }

  /** A run for this key came. Call once before its packets. */
  heard(nowMs: number): void {
    const cells = this.#cells;
    cells[Cell.HeardBeforeMs] = cells[Cell.HeardMs];
    cells[Cell.HeardMs] = nowMs;
    if (nowMs - cells[Cell.MarkMs] >= SETTLE_MS) this.settleOld(nowMs);
  }

  /** Counts the gaps that have been open for SETTLE_MS; before a reading, for a peer that has fallen silent. */
  settleOld(nowMs: number): void {
    const cells = this.#cells;
    if (nowMs - cells[Cell.MarkMs] < SETTLE_MS) return;
    this.#settle(cells[Cell.Mark]);
    cells[Cell.Mark] = cells[Cell.Greatest] + 1;
    cells[Cell.MarkMs] = nowMs;
  }

  /** The key goes: what has not come by now is lost. */
  finish(): void {
    this.#settle(this.#cells[Cell.Greatest] + 1);
  }

  /**
   * Records `counter` if it is new. Call only after the AEAD tag verified.
   * @param counter  messages, a non-negative integer; 2^53 stands for anything greater
   * @returns DropReason.None, CounterReplayed, CounterTooOld or CounterTooLarge; state changes only with None.
   */
  accept(counter: number): DropReason {
    if (counter >= COUNTER_LIMIT) return DropReason.CounterTooLarge;
    const greatest = this.#cells[Cell.Greatest];
    if (counter <= greatest) return this.#acceptLate(counter, greatest);
    if (counter - greatest > 31 - (greatest & 31)) this.#enterWords(counter, greatest);
    this.#cells[Cell.Greatest] = counter;
    this.#words[(counter / 32) & WORD_MASK] |= 1 << (counter & 31);
    return DropReason.None;
  }

  /**
   * {@link accept} for the opened packets of one run: slots with a status other than 0 are passed by, and a refused
   * slot's status becomes the reason.
   * @param counters  packetCounter column  @param statuses  packetStatus column
   * @returns packets accepted.
   */
  acceptRun(counters: Float64Array, statuses: Int32Array, first: number, count: number): number {
    let accepted = 0;
    for (let slot = first; slot < first + count; slot++) {
      if (statuses[slot] !== 0) continue;
      const reason = this.accept(counters[slot]);
      if (reason === DropReason.None) accepted++;
      else statuses[slot] = reason;
    }
    return accepted;
  }

  #acceptLate(counter: number, greatest: number): DropReason {
    if (greatest - counter >= REPLAY_WINDOW) return DropReason.CounterTooOld;
    const word = (counter / 32) & WORD_MASK;
    const bit = 1 << (counter & 31);
    const seen = this.#words[word];
    if ((seen & bit) !== 0) {
      this.#loss.duplicated();
      return DropReason.CounterReplayed;
    }
    this.#words[word] = seen | bit;
    this.#loss.overtaken(greatest - counter, counter < this.#cells[Cell.Settled]);
    return DropReason.None;
  }

  /** Clears the words entered on the way to `counter`, after what they held has been counted. */
  #enterWords(counter: number, greatest: number): void {
    const from = Math.floor(greatest / 32);
    const to = Math.floor(counter / 32);
    const held = (to - WORD_MASK) * 32;
    if (held > this.#cells[Cell.Settled]) {
      if (held > greatest) this.#leap(counter, greatest);
      else this.#settle(held);
    }
    const entered = Math.min(to - from, WORDS);
    for (let i = 1; i <= entered; i++) this.#words[(from + i) & WORD_MASK] = 0;
  }

  /** Nothing of the window is left once `counter` is in it. */
  #leap(counter: number, greatest: number): void {
    const cells = this.#cells;
    this.#settle(greatest + 1);
    this.#loss.leapt(counter - greatest - 1, cells[Cell.HeardMs] - cells[Cell.HeardBeforeMs]);
    cells[Cell.Settled] = counter;
    cells[Cell.Mark] = counter;
  }

  /** Counts the gaps between what is settled and `end`, which the window must hold. */
  #settle(end: number): void {
    const cells = this.#cells;
    const loss = this.#loss;
    let at = cells[Cell.Settled];
    while (at < end) {
      const bit = at & 31;
      const bits = this.#words[(at / 32) & WORD_MASK] >> bit;
      // Bits alike in a row, of those that are left of the word and of the way.
      const came = (bits & 1) !== 0;
      const alike = Math.min(trailingZeros(came ? ~bits : bits), 32 - bit, end - at);
      if (came) loss.arrived();
      else loss.lost(alike);
      at += alike;
    }
    cells[Cell.Settled] = at;
  }
}

/** @returns 32 for 0 */
function trailingZeros(bits: number): number {
  return bits === 0 ? 32 : 31 - Math.clz32(bits & -bits);
}
