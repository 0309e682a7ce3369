// HOT PATH: how much handshake work a turn may do. A handshake message costs as much as a hundred packets, and ten thousand
// peers may come at once: what a turn has no more budget for waits, and packets of established peers go first.

/** Messages made or answered in one turn at most: one or two milliseconds. */
const UNITS_MAX = 8;
/** While there is much traffic: a tenth of a core at most. */
const UNITS_PER_MS = 0.5;
/**
 * Packets a millisecond that are not much: some 100 Mbit/s, which take so little of a core that they notice no more of a
 * turn full of handshakes than its length.
 */
const LIGHT_PER_MS = 10;
/** Packets beyond that, of a few milliseconds, that make it much; and as many again until it is over. */
const HEAVY_PACKETS = 4 * LIGHT_PER_MS;

/** Cells: units left, time of the last refill, packets beyond the light, time of their last count. */
const LEFT = 0;
const REFILLED_MS = 1;
const EXCESS = 2;
const COUNTED_MS = 3;

export class WorkBudget {
  readonly #cells = Float64Array.of(UNITS_MAX, 0, 0, 0);

  /** Takes one unit. @returns whether there was one */
  take(): boolean {
    const cells = this.#cells;
    if (cells[LEFT] < 1) return false;
    cells[LEFT]--;
    return true;
  }

  /** Packets went through the tunnel. */
  carried(packets: number, nowMs: number): void {
    const cells = this.#cells;
    cells[EXCESS] = Math.min(this.#excess(nowMs) + packets, 2 * HEAVY_PACKETS);
    cells[COUNTED_MS] = nowMs;
  }

  /** A turn ends. */
  refill(nowMs: number): void {
    const cells = this.#cells;
    const gained = this.isHeavy(nowMs) ? (nowMs - cells[REFILLED_MS]) * UNITS_PER_MS : UNITS_MAX;
    cells[LEFT] = Math.min(UNITS_MAX, cells[LEFT] + gained);
    cells[REFILLED_MS] = nowMs;
  }

  /** @returns when what waits may go on. @param nowMs  of the last turn */
  nextMs(nowMs: number): number {
    return this.#cells[LEFT] >= 1 || !this.isHeavy(nowMs) ? nowMs : nowMs + 1;
  }

  /** Whether there is so much traffic that other work has to be measured out. */
  isHeavy(nowMs: number): boolean {
    return this.#excess(nowMs) > HEAVY_PACKETS;
  }

  #excess(nowMs: number): number {
    const cells = this.#cells;
    const excess = cells[EXCESS] - (nowMs - cells[COUNTED_MS]) * LIGHT_PER_MS;
    return excess > 0 ? excess : 0;
  }
}
