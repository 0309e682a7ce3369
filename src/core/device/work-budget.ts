// HOT PATH: how much handshake work a turn may do. A handshake message costs as much as a hundred packets, and ten thousand
// peers may come at once: what a turn has no more budget for waits, and packets of established peers go first.

/** Messages made or answered in one turn at most: two or three milliseconds. */
const UNITS_MAX = 12;
/** While there is traffic, one a millisecond: a tenth to a seventh of a core. */
const UNITS_PER_MS = 1;
/** No packet came for so long: the whole turn may go to handshakes. */
const QUIET_MS = 4;

/** Cells: units left, time of the last refill, time of the last packet. */
const LEFT = 0;
const REFILLED_MS = 1;
const CARRIED_MS = 2;

export class WorkBudget {
  readonly #cells = Float64Array.of(UNITS_MAX, 0, Number.NEGATIVE_INFINITY);

  /** Takes one unit. @returns whether there was one */
  take(): boolean {
    const cells = this.#cells;
    if (cells[LEFT] < 1) return false;
    cells[LEFT]--;
    return true;
  }

  /** Packets went through the tunnel. */
  carried(nowMs: number): void {
    this.#cells[CARRIED_MS] = nowMs;
  }

  /** A turn ends. */
  refill(nowMs: number): void {
    const cells = this.#cells;
    const gained = this.#isQuiet(nowMs) ? UNITS_MAX : (nowMs - cells[REFILLED_MS]) * UNITS_PER_MS;
    cells[LEFT] = Math.min(UNITS_MAX, cells[LEFT] + gained);
    cells[REFILLED_MS] = nowMs;
  }

  /** @returns when what waits may go on. @param nowMs  of the last turn */
  nextMs(nowMs: number): number {
    return this.#cells[LEFT] >= 1 || this.#isQuiet(nowMs) ? nowMs : nowMs + 1;
  }

  #isQuiet(nowMs: number): boolean {
    return nowMs - this.#cells[CARRIED_MS] >= QUIET_MS;
  }
}
