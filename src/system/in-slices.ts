// Long control work cut up, so that packets pass in between.

import { setImmediate as nextTurn } from "node:timers/promises";
import { collectYoung } from "./young-garbage.js";

/** How long work may hold up the event loop at a time. */
const SLICE_MS = 1;
/** Work of fewer slices leaves its garbage to V8: what it keeps is little, and a collection would be one that nobody needs. */
const SLICES_UNTIDIED = 4;

/** For a loop: `if (slices.isOver) await slices.next();` */
export class Slices {
  #beganMs = performance.now();
  #count = 0;

  /** Whether it is the others' turn. */
  get isOver(): boolean {
    return performance.now() - this.#beganMs >= SLICE_MS;
  }

  /** Lets the others have their turn; tidies up after long work before. */
  async next(): Promise<void> {
    if (++this.#count >= SLICES_UNTIDIED) collectYoung();
    await nextTurn();
    this.#beganMs = performance.now();
  }
}

/**
 * Drains a generator that stands still after every peer.
 * @param between  called before the others get their turn
 * @returns its result. Errors: its own
 */
export async function inSlices<T>(work: Generator<void, T, void>, between?: () => void): Promise<T> {
  const slices = new Slices();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (!slices.isOver) continue;
    between?.();
    await slices.next();
  }
}

/** As `items.flatMap(f)`; ends with a fresh slice. Errors: those of `f`. */
export async function flatMapInSlices<T, U>(items: readonly T[], f: (item: T) => U | readonly U[]): Promise<U[]> {
  const slices = new Slices();
  const out: U[] = [];
  for (const item of items) {
    const mapped = f(item);
    // not spread into push(): a peer may have more allowed-ips than a call has arguments
    if (Array.isArray(mapped)) for (const one of mapped as readonly U[]) out.push(one);
    else out.push(mapped as U);
    if (slices.isOver) await slices.next();
  }
  await slices.next();
  return out;
}
