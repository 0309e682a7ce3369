import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DropReason } from "../../../src/core/drop-reason.js";
import { PATH_CELLS } from "../../../src/core/transport/path-quality.js";
import { COUNTER_LIMIT, REPLAY_WINDOW, ReplayWindow } from "../../../src/core/transport/replay-window.js";

/** The rule itself: every accepted counter remembered, old ones refused by their distance to the greatest of their size. */
class NaiveWindow {
  readonly #seen = new Set<number>();
  readonly #greatest = { small: -1, other: -1 };

  accept(counter: number, isSmall: boolean): DropReason {
    const size = isSmall ? "small" : "other";
    if (counter >= COUNTER_LIMIT) return DropReason.CounterTooLarge;
    if (counter <= this.#greatest[size] - REPLAY_WINDOW) return DropReason.CounterTooOld;
    if (this.#seen.has(counter)) return DropReason.CounterReplayed;
    this.#seen.add(counter);
    this.#greatest[size] = Math.max(this.#greatest[size], counter);
    return DropReason.None;
  }
}

/** Which packets are small; one that comes again is as long as it was. */
const mixes: Record<string, (counter: number) => boolean> = {
  "none small": () => false,
  "all small": () => true,
  "one in three small": (counter) => counter % 3 === 0,
  "small ones in bursts": (counter) => Math.floor(counter / 100) % 2 === 0,
};

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
  describe.each(Object.entries(mixes))("%s", (_, isSmall) => {
    test.each([0, 1000, 2 ** 31 - 100, 2 ** 32 - 100, 2 ** 36 - 100, 2 ** 53 - 40_000])(
      "as the rule, near %d",
      (base) => {
        fc.assert(
          fc.property(counters(base), (sequence) => {
            const window = new ReplayWindow();
            const naive = new NaiveWindow();
            expect(sequence.map((counter) => window.accept(counter, isSmall(counter)))).toEqual(
              sequence.map((counter) => naive.accept(counter, isSmall(counter))),
            );
          }),
          { numRuns: 60 },
        );
      },
    );
  });

  test("small packets far ahead make nothing too old but small ones, and the other way round", () => {
    const window = new ReplayWindow();
    expect(window.accept(10, false)).toBe(DropReason.None);
    expect(window.accept(100_000, true)).toBe(DropReason.None);
    expect(window.accept(11, false)).toBe(DropReason.None);
    expect(window.accept(10, false)).toBe(DropReason.CounterReplayed);
    expect(window.accept(12, true)).toBe(DropReason.CounterTooOld);
    expect(window.accept(300_000, false)).toBe(DropReason.None);
    expect(window.accept(100_001, true)).toBe(DropReason.None);
    expect(window.accept(100_000, true)).toBe(DropReason.CounterReplayed);
    expect(window.accept(99_999, true)).toBe(DropReason.None);
  });

  test("a new window takes 0 and takes it once", () => {
    const window = new ReplayWindow();
    expect(window.accept(0, false)).toBe(DropReason.None);
    expect(window.accept(0, false)).toBe(DropReason.CounterReplayed);
  });

  test("the window covers exactly REPLAY_WINDOW counters, at least 8,192", () => {
    expect(REPLAY_WINDOW).toBeGreaterThanOrEqual(8192);
    for (const greatest of [20_000, 20_031, 2 ** 33 + 31, 2 ** 33 + 32]) {
      const window = new ReplayWindow();
      expect(window.accept(greatest, false)).toBe(DropReason.None);
      expect(window.accept(greatest - REPLAY_WINDOW, false)).toBe(DropReason.CounterTooOld);
      const ages = Array.from({ length: REPLAY_WINDOW - 1 }, (_, i) => REPLAY_WINDOW - 1 - i);
      expect(ages.filter((age) => window.accept(greatest - age, false) !== DropReason.None)).toEqual([]);
      expect(ages.filter((age) => window.accept(greatest - age, false) !== DropReason.CounterReplayed)).toEqual([]);
      for (let ahead = 1; ahead < 100; ahead++) expect(window.accept(greatest + ahead, false)).toBe(DropReason.None);
    }
  });

  test.each([0, 2 ** 31, 2 ** 32, 2 ** 36, 2 ** 37, 2 ** 52])(
    "twice around the ring at %d, each counter once",
    (base) => {
      const window = new ReplayWindow();
      let refused = 0;
      let repeated = 0;
      for (let counter = Math.max(base - 20_000, 0); counter < base + 20_000; counter++) {
        if (window.accept(counter, false) !== DropReason.None) refused++;
        if (window.accept(counter, false) !== DropReason.CounterReplayed) repeated++;
      }
      expect({ refused, repeated }).toEqual({ refused: 0, repeated: 0 });
    },
  );

  test("counters past the limit are refused and move nothing", () => {
    const window = new ReplayWindow();
    expect(window.accept(5, false)).toBe(DropReason.None);
    for (const counter of [COUNTER_LIMIT, 2 ** 53, 2 ** 60, 2 ** 64, Number.POSITIVE_INFINITY]) {
      expect(window.accept(counter, false)).toBe(DropReason.CounterTooLarge);
    }
    expect(window.accept(4, false)).toBe(DropReason.None);
    expect(window.accept(COUNTER_LIMIT - 1, false)).toBe(DropReason.None);
    expect(window.accept(COUNTER_LIMIT - 1, false)).toBe(DropReason.CounterReplayed);
  });

  test("a refused counter changes nothing", () => {
    const window = new ReplayWindow();
    window.accept(100_000, false);
    window.accept(100_000, false);
    window.accept(1, false);
    expect(window.accept(99_999, false)).toBe(DropReason.None);
  });

  test("reset forgets everything", () => {
    const window = new ReplayWindow();
    for (let counter = 0; counter < 40_000; counter++) window.accept(counter, false);
    window.reset(new Float64Array(PATH_CELLS), 0);
    for (const counter of [40_007, 40, 39_999, 40_008, 7]) {
      expect(window.accept(counter, false)).toBe(counter > 30_000 ? DropReason.None : DropReason.CounterTooOld);
    }
    window.reset(new Float64Array(PATH_CELLS), 0);
    let refused = 0;
    for (let counter = 0; counter < 40_000; counter++) if (window.accept(counter, false) !== DropReason.None) refused++;
    expect(refused).toBe(0);
  });
});
