// Work in slices: the same outcome, and others get their turn meanwhile.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flatMapInSlices, inSlices } from "../../src/system/in-slices.js";

/** Long enough for several slices. */
function busy(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

/** @returns what `work` gives, and how often another had its turn until then */
async function withOthers<T>(work: () => Promise<T>): Promise<{ result: T; turns: number }> {
  let turns = 0;
  let isOver = false;
  const other = (): void => {
    turns++;
    if (!isOver) setImmediate(other);
  };
  setImmediate(other);
  const result = await work();
  isOver = true;
  return { result, turns };
}

test("flatMapInSlices gives what flatMap gives, and lets others in between", async () => {
  const items = Array.from({ length: 20 }, (_, i) => i);
  const f = (item: number): number | number[] => {
    busy(1);
    return item % 3 === 0 ? [] : item % 3 === 1 ? [item, item] : item;
  };
  const { result, turns } = await withOthers(() => flatMapInSlices(items, f));
  expect(result).toEqual(items.flatMap(f));
  expect(turns).toBeGreaterThan(5);
});

test("one item may become more than a call has arguments", async () => {
  const many = Array.from({ length: 500_000 }, (_, i) => i);
  expect((await flatMapInSlices([many], (item) => item)).length).toBe(many.length);
});

test("what the function throws is thrown", async () => {
  const fails = flatMapInSlices([1], () => {
    throw new RangeError("no");
  });
  await expect(fails).rejects.toThrow(RangeError);
});

test("inSlices drains a generator and tells before each turn of the others", async () => {
  let between = 0;
  function* work(): Generator<void, string, void> {
    for (let i = 0; i < 20; i++) {
      busy(1);
      yield;
    }
    return "done";
  }
  const { result, turns } = await withOthers(() => inSlices(work(), () => between++));
  expect(result).toBe("done");
  expect(between).toBeGreaterThan(5);
  expect(turns).toBeGreaterThanOrEqual(between);
});

describe("young garbage", () => {
  const host = globalThis as { gc?: unknown };
  const own = host.gc;
  const orders: unknown[] = [];
  beforeEach(() => {
    orders.length = 0;
    host.gc = (options: unknown) => void orders.push(options);
  });
  afterEach(() => {
    host.gc = own;
  });

  test("is collected between the slices of long work", async () => {
    const slices = await collectedIn(20);
    expect(slices).toBeGreaterThan(10);
    expect(orders).toHaveLength(slices - 3);
    expect(orders[0]).toEqual({ type: "minor" });
  });

  test("is left alone by short work", async () => {
    await collectedIn(2);
    expect(orders).toEqual([]);
  });

  test("is V8's own business in a process without --expose-gc", async () => {
    delete host.gc;
    await expect(collectedIn(8)).resolves.toBeGreaterThan(3);
  });

  /** @returns slices of so many ms of work */
  async function collectedIn(ms: number): Promise<number> {
    let slices = 0;
    const steps = (function* (): Generator<void, void, void> {
      for (let i = 0; i < ms; i++) {
        busy(1);
        yield;
      }
    })();
    await inSlices(steps, () => slices++);
    return slices;
  }
});
