import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DropReason } from "../../../src/core/drop-reason.js";
import { PATH_CELLS } from "../../../src/core/transport/path-quality.js";
import { COUNTER_LIMIT, REPLAY_WINDOW, ReplayWindow } from "../../../src/core/transport/replay-window.js";

/** The rule itself: every accepted counter remembered, old ones refused by distance. */
class NaiveWindow {
  readonly #seen = new Set<number>();
  #greatest = -1;

  accept(counter: number): DropReason {
    if (counter >= COUNTER_LIMIT) return DropReason.CounterTooLarge;
    if (counter <= this.#greatest - REPLAY_WINDOW) return DropReason.CounterTooOld;
    if (this.#seen.has(counter)) return DropReason.CounterReplayed;
    this.#seen.add(counter);
    this.#greatest = Math.max(this.#greatest, counter);
    return DropReason.None;
  }
}

/** Counters that wander about a base: forward steps, jumps over the whole window, late and repeated ones. */
const counters = (base: number): fc.Arbitrary<number[]> =>
  fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: -40, max: 80 }) },
        { weight: 2, arbitrary: fc.integer({ min: -REPLAY_WINDOW - 40, max: -REPLAY_WINDOW + 40 }) },
        { weight: 1, arbitrary: fc.integer({ min: -3 * REPLAY_WINDOW, max: 3 * REPLAY_WINDOW }) },
      ),
      { maxLength: 300, size: "max" },
    )
    .map((steps) => {
      let at = base;
      return steps.map((step) => {
        const counter = Math.min(Math.max(at + step, 0), Number.MAX_SAFE_INTEGER + 1);
        at = Math.max(at, counter);
        return counter;
      });
    });

describe("accept", () => {
  test.each([0, 1000, 2 ** 31 - 100, 2 ** 32 - 100, 2 ** 36 - 100, 2 ** 53 - 40_000])(
    "as the rule, near %d",
    (base) => {
      fc.assert(
        fc.property(counters(base), (sequence) => {
          const window = new ReplayWindow();
          const naive = new NaiveWindow();
          expect(sequence.map((counter) => window.accept(counter))).toEqual(
            sequence.map((counter) => naive.accept(counter)),
          );
        }),
        { numRuns: 60 },
      );
    },
  );

  test("a new window takes 0 and takes it once", () => {
    const window = new ReplayWindow();
    expect(window.accept(0)).toBe(DropReason.None);
    expect(window.accept(0)).toBe(DropReason.CounterReplayed);
  });

  test("the window covers exactly REPLAY_WINDOW counters, at least 8,192", () => {
    expect(REPLAY_WINDOW).toBeGreaterThanOrEqual(8192);
    for (const greatest of [20_000, 20_031, 2 ** 33 + 31, 2 ** 33 + 32]) {
      const window = new ReplayWindow();
      expect(window.accept(greatest)).toBe(DropReason.None);
      expect(window.accept(greatest - REPLAY_WINDOW)).toBe(DropReason.CounterTooOld);
      const ages = Array.from({ length: REPLAY_WINDOW - 1 }, (_, i) => REPLAY_WINDOW - 1 - i);
      expect(ages.filter((age) => window.accept(greatest - age) !== DropReason.None)).toEqual([]);
      expect(ages.filter((age) => window.accept(greatest - age) !== DropReason.CounterReplayed)).toEqual([]);
      for (let ahead = 1; ahead < 100; ahead++) expect(window.accept(greatest + ahead)).toBe(DropReason.None);
    }
  });

  test.each([0, 2 ** 31, 2 ** 32, 2 ** 36, 2 ** 37, 2 ** 52])(
    "twice around the ring at %d, each counter once",
    (base) => {
      const window = new ReplayWindow();
      let refused = 0;
      let repeated = 0;
      for (let counter = Math.max(base - 20_000, 0); counter < base + 20_000; counter++) {
        if (window.accept(counter) !== DropReason.None) refused++;
        if (window.accept(counter) !== DropReason.CounterReplayed) repeated++;
      }
      expect({ refused, repeated }).toEqual({ refused: 0, repeated: 0 });
    },
  );

  test("counters past the limit are refused and move nothing", () => {
    const window = new ReplayWindow();
    expect(window.accept(5)).toBe(DropReason.None);
    for (const counter of [COUNTER_LIMIT, 2 ** 53, 2 ** 60, 2 ** 64, Number.POSITIVE_INFINITY]) {
      expect(window.accept(counter)).toBe(DropReason.CounterTooLarge);
    }
    expect(window.accept(4)).toBe(DropReason.None);
    expect(window.accept(COUNTER_LIMIT - 1)).toBe(DropReason.None);
    expect(window.accept(COUNTER_LIMIT - 1)).toBe(DropReason.CounterReplayed);
  });

  test("a refused counter changes nothing", () => {
    const window = new ReplayWindow();
    window.accept(100_000);
    window.accept(100_000);
    window.accept(1);
    expect(window.accept(99_999)).toBe(DropReason.None);
  });

  test("reset forgets everything", () => {
    const window = new ReplayWindow();
    for (let counter = 0; counter < 40_000; counter++) window.accept(counter);
    window.reset(new Float64Array(PATH_CELLS), 0);
    for (const counter of [40_007, 40, 39_999, 40_008, 7]) {
      expect(window.accept(counter)).toBe(counter > 30_000 ? DropReason.None : DropReason.CounterTooOld);
    }
    window.reset(new Float64Array(PATH_CELLS), 0);
    let refused = 0;
    for (let counter = 0; counter < 40_000; counter++) if (window.accept(counter) !== DropReason.None) refused++;
    expect(refused).toBe(0);
  });
});

test("acceptRun marks refused slots, passes by those that have a status, and stays inside its run", () => {
  const window = new ReplayWindow();
  window.accept(12);
  const columns = Float64Array.of(99, 10, 11, 12, 13, 10, 2 ** 53, 15, 98);
  const statuses = Int32Array.of(0, 0, 0, 0, 0, 0, 0, -74, 0);
  expect(window.acceptRun(columns, statuses, 1, 7)).toBe(3);
  const { CounterReplayed, CounterTooLarge } = DropReason;
  expect([...statuses]).toEqual([0, 0, 0, CounterReplayed, 0, CounterReplayed, CounterTooLarge, -74, 0]);
  expect(window.accept(15)).toBe(DropReason.None);
});
