// HOT PATH: anti-replay window of one receiving key: a ring of bit words that slides word by word, so that moving ahead
// clears words and shifts nothing. Source: RFC 6479; [W] 5.4.6. Counters are numbers, exact to 2^53: JavaScript's `&`
// truncates a fraction and takes an integer modulo 2^32, so it is safe on them where `>>` would not divide.
// The bits also tell what the path lost: before they are cleared, or when a second has passed, gaps are counted.
//
// There are two rings, one for small packets and one for the others, because small ones may overtake: the kernel lets them pass the
// bulk that waits in the socket. A packet always falls to the same ring, as its size is authenticated with it, so each counter is
// still taken once; and what overtook in this host is neither told as reordering of the path nor makes the bulk behind it too old.

import { DropReason } from "../drop-reason.js";
import { LossCounter, PATH_CELLS, SETTLE_MS } from "./path-quality.js";

/** Words in the ring; a power of two. 2 KiB a key. */
const WORDS = 512;
const WORD_MASK = WORDS - 1;
/** One word less than the ring: the word being filled holds counters that are still to come. */
export const REPLAY_WINDOW = (WORDS - 1) * 32;
/** REJECT_AFTER_MESSAGES, as far as a number can count. [W] 6.1 allows 2^60; 180 s at any rate stays far below both. */
export const COUNTER_LIMIT = Number.MAX_SAFE_INTEGER;

/** Inner bytes, padding included, of a packet that may overtake: what the kernel's filter takes for small. */
export const SMALL_PACKET_BYTES = 128;

/** Cells of a window's numbers: typed cells, because a field above 2^31 may be boxed. */
const Cell = {
  /** The greatest counter accepted of packets that are not small, -1: none. */
  Greatest: 0,
  /** Gaps below this counter are counted. */
  Settled: 1,
  /** One more than the greatest counter at MarkMs. */
  Mark: 2,
  MarkMs: 3,
  /** When the run in work came, and the one before it. */
  HeardMs: 4,
  HeardBeforeMs: 5,
  /** The greatest counter accepted of small packets, -1: none. */
  GreatestSmall: 6,
} as const;
const CELLS = 7;

export class ReplayWindow {
  readonly #words = new Int32Array(WORDS);
  readonly #smallWords = new Int32Array(WORDS);
  readonly #cells = new Float64Array(CELLS);
  readonly #loss = new LossCounter(new Float64Array(PATH_CELLS));

  constructor() {
    this.#cells[Cell.Greatest] = -1;
    this.#cells[Cell.GreatestSmall] = -1;
  }

  /**
   * Forgets every counter, for the next key. Words are cleared as they are entered, so none needs clearing now.
   * @param quality  PathCell cells of the peer
   */
  reset(quality: Float64Array, nowMs: number): void {
    const cells = this.#cells;
    cells[Cell.Greatest] = -1;
    cells[Cell.GreatestSmall] = -1;
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
    cells[Cell.Mark] = this.#greatest() + 1;
    cells[Cell.MarkMs] = nowMs;
  }

  /** The key goes: what has not come by now is lost. */
  finish(): void {
    this.#settle(this.#greatest() + 1);
  }

  /**
   * Records `counter` if it is new. Call only after the AEAD tag verified.
   * @param counter  messages, a non-negative integer; 2^53 stands for anything greater
   * @param isSmall  the packet has at most {@link SMALL_PACKET_BYTES}
   * @returns DropReason.None, CounterReplayed, CounterTooOld or CounterTooLarge; state changes only with None.
   */
  accept(counter: number, isSmall: boolean): DropReason {
    if (counter >= COUNTER_LIMIT) return DropReason.CounterTooLarge;
    const cell = isSmall ? Cell.GreatestSmall : Cell.Greatest;
    const words = isSmall ? this.#smallWords : this.#words;
    const greatest = this.#cells[cell];
    if (counter <= greatest) return this.#acceptLate(words, counter, greatest);
    if (counter - greatest > 31 - (greatest & 31)) this.#enterWords(words, counter, greatest);
    this.#cells[cell] = counter;
    words[(counter / 32) & WORD_MASK] |= 1 << (counter & 31);
    if (counter < this.#cells[Cell.Settled]) this.#loss.cameLate();
    return DropReason.None;
  }

  #acceptLate(words: Int32Array, counter: number, greatest: number): DropReason {
    if (greatest - counter >= REPLAY_WINDOW) return DropReason.CounterTooOld;
    const word = (counter / 32) & WORD_MASK;
    const bit = 1 << (counter & 31);
    const seen = words[word];
    if ((seen & bit) !== 0) {
      this.#loss.duplicated();
      return DropReason.CounterReplayed;
    }
    words[word] = seen | bit;
    this.#loss.overtaken(greatest - counter);
    if (counter < this.#cells[Cell.Settled]) this.#loss.cameLate();
    return DropReason.None;
  }

  /** The greatest counter of any packet. */
  #greatest(): number {
    return Math.max(this.#cells[Cell.Greatest], this.#cells[Cell.GreatestSmall]);
  }

  /** Clears the words entered on the way to `counter`, after what they held has been counted. */
  #enterWords(words: Int32Array, counter: number, greatest: number): void {
    const from = Math.floor(greatest / 32);
    const to = Math.floor(counter / 32);
    const held = (to - WORD_MASK) * 32;
    if (held > this.#cells[Cell.Settled]) {
      const greatestOfAll = this.#greatest();
      if (held > greatestOfAll) this.#leap(counter, greatestOfAll);
      else this.#settle(held);
    }
    const entered = Math.min(to - from, WORDS);
    for (let i = 1; i <= entered; i++) words[(from + i) & WORD_MASK] = 0;
  }

  /** Nothing of the window is left once `counter` is in it. */
  #leap(counter: number, greatest: number): void {
    const cells = this.#cells;
    this.#settle(greatest + 1);
    this.#loss.leapt(counter - greatest - 1, cells[Cell.HeardMs] - cells[Cell.HeardBeforeMs]);
    cells[Cell.Settled] = counter;
    cells[Cell.Mark] = counter;
  }

  /** Counts the gaps between what is settled and `end`, which both rings must hold as far as they reach. */
  #settle(end: number): void {
    const cells = this.#cells;
    const loss = this.#loss;
    // Words beyond a ring's greatest counter are of its last time around.
    const reach = (Math.floor(cells[Cell.Greatest] / 32) + 1) * 32;
    const smallReach = (Math.floor(cells[Cell.GreatestSmall] / 32) + 1) * 32;
    let at = cells[Cell.Settled];
    while (at < end) {
      const bit = at & 31;
      const word = (at / 32) & WORD_MASK;
      const all = (at < reach ? this.#words[word] : 0) | (at < smallReach ? this.#smallWords[word] : 0);
      const bits = all >> bit;
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
