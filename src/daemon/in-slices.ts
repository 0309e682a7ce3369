// Long control work cut up, so that packets pass in between.

import { setImmediate as nextTurn } from "node:timers/promises";

/** How long work may hold up the event loop at a time. */
const SLICE_MS = 1;

/**
 * Drains a generator that stands still after every peer.
 * @param between  called before the others get their turn
 * @returns its result. Errors: its own
 */
export async function inSlices<T>(work: Generator<void, T, void>, between?: () => void): Promise<T> {
  let began = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - began < SLICE_MS) continue;
    between?.();
    await nextTurn();
    began = performance.now();
  }
}
