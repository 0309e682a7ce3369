// Cryptographically secure random bytes, and clocks outside a turn. The only source of them for the core.

import { randomFillSync } from "node:crypto";
import { CLOCK_CELLS, ClockCell, readClock } from "tun-tap-ts";

const cells = new Float64Array(CLOCK_CELLS);

/** Drawn ahead, because a call of the generator costs the same for 32 bytes as for a thousand. */
const pool = Buffer.alloc(4_096);
let poolLeft = 0;

/** Fills `into` with random bytes. What was drawn ahead for it is wiped: nobody gets the same bytes again. */
export function fillRandom(into: Uint8Array): void {
  const { length } = into;
  if (length > pool.length / 16) {
    randomFillSync(into);
    return;
  }
  if (length > poolLeft) {
    randomFillSync(pool);
    poolLeft = pool.length;
  }
  const end = poolLeft;
  poolLeft -= length;
  for (let i = 0; i < length; i++) into[i] = pool[poolLeft + i]!;
  pool.fill(0, poolLeft, end);
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
