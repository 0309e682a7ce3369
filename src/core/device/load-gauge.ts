// HOT PATH: whether handshake messages come faster than the gateway wants to spend on them. A leaky bucket: each message with a
// valid mac1 adds one, time drains it; above the mark the device is under load, and stays so for a second. [W] 5.3.

/** Messages that may come at once before cookies are asked for. */
const BURST_MESSAGES = 128;
/** Messages a second that are answered without cookies; about a tenth of a core. */
const DRAIN_PER_MS = 0.4;
/** How long the state outlasts the last excess. */
const HOLD_MS = 1_000;

/** Cells: level in messages, time of the last look, time until which under load. */
const LEVEL = 0;
const LOOKED_MS = 1;
const UNTIL_MS = 2;

export class LoadGauge {
  readonly #cells = new Float64Array(3);

  /** Counts one message. @returns whether the device is under load now. */
  add(nowMs: number): boolean {
    const cells = this.#cells;
    const level = Math.max(0, cells[LEVEL] - (nowMs - cells[LOOKED_MS]) * DRAIN_PER_MS);
    cells[LOOKED_MS] = nowMs;
    cells[LEVEL] = Math.min(level + 1, 2 * BURST_MESSAGES);
    if (cells[LEVEL] > BURST_MESSAGES) cells[UNTIL_MS] = nowMs + HOLD_MS;
    return nowMs < cells[UNTIL_MS];
  }
}
