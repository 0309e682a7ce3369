// Cryptographically secure random bytes, and clocks outside a turn. The only source of them for the core.

import { randomFillSync } from "node:crypto";
import { CLOCK_CELLS, ClockCell, readClock } from "tun-tap-ts";

const cells = new Float64Array(CLOCK_CELLS);

/** Fills `into` with random bytes. */
export function fillRandom(into: Uint8Array): void {
  randomFillSync(into);
}

/** @returns ms since 1970, with fractions. */
export function wallMs(): number {
  return Date.now();
}

/** @returns ms of a clock that only goes forward, with fractions. */
export function fineMs(): number {
  return performance.now();
}

/** @returns ms since the machine started, sleep included. */
export function bootMs(): number {
  readClock(cells);
  return cells[ClockCell.Boot];
}

/** @returns ms of CLOCK_MONOTONIC, as other programs of this machine read it. */
export function monotonicMs(): number {
  readClock(cells);
  return cells[ClockCell.Monotonic];
}
