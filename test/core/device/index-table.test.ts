import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IndexTable } from "../../../src/core/device/index-table.js";

/** xorshift32; the sequence does not repeat within a test. */
function seeded(seed: number): (into: Uint32Array) => void {
  let state = seed | 1;
  return (into) => {
    for (let i = 0; i < into.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      into[i] = state;
    }
  };
}

/** These numbers, then counting upward from the last. */
function* numbersOf(script: readonly number[]): Generator<number, never> {
  yield* script;
  for (let next = (script.at(-1) ?? 0) + 1; ; next++) yield next;
}

/** A random source that gives the table these numbers in this order; the table uses what it drew last to first. */
function scripted(script: readonly number[]): (into: Uint32Array) => void {
  const numbers = numbersOf(script);
  return (into) => {
    for (let i = into.length - 1; i >= 0; i--) into[i] = numbers.next().value;
  };
}

describe("allocate", () => {
  test("takes what the random source says, but never 0 and nothing twice", () => {
    const table = new IndexTable(scripted([0xffffffff, 0, 5, 5, 0x80000000, 5, 9]));
    expect([1, 2, 3, 4].map((value) => table.allocate(value))).toEqual([0xffffffff, 5, 0x80000000, 9]);
    expect([0xffffffff, 5, 0x80000000, 9, 0].map((index) => table.lookup(index))).toEqual([1, 2, 3, 4, -1]);
  });

  test("200,000 indices are unique u32 and all found, also after half of them went", () => {
    const table = new IndexTable(seeded(1));
    const indices = Array.from({ length: 200_000 }, (_, value) => table.allocate(value));
    expect(new Set(indices).size).toBe(indices.length);
    expect(indices.every((index) => index > 0 && index <= 0xffffffff)).toBe(true);
    for (let i = 0; i < indices.length; i += 2) table.release(indices[i]);
    expect(table.size).toBe(100_000);
    expect(indices.every((index, i) => table.lookup(index) === (i % 2 === 0 ? -1 : i))).toBe(true);
  });
});

test("set changes only what is in use", () => {
  const table = new IndexTable(scripted([7]));
  expect(table.set(7, 1)).toBe(false);
  table.allocate(1);
  expect(table.set(7, 2)).toBe(true);
  expect(table.lookup(7)).toBe(2);
  expect(table.release(7)).toBe(true);
  expect(table.release(7)).toBe(false);
  expect(table.set(7, 3)).toBe(false);
  expect(table.lookup(7)).toBe(-1);
});

test("colliding indices live and die as in a Map, around the end of the table too", () => {
  // Low bits decide the slot, so these make long clusters about the end of a table of any size.
  const index = fc
    .tuple(fc.constantFrom(0, 1, 0xfffc, 0xfffd, 0xfffe, 0xffff), fc.integer({ min: 1, max: 40 }))
    .map(([low, high]) => high * 65_536 + low);
  const release = fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 2, arbitrary: fc.nat() });
  const releases = fc.array(release, { maxLength: 150, size: "max" });
  fc.assert(
    fc.property(fc.array(index, { maxLength: 150, size: "max" }), releases, (script, operations) => {
      const table = new IndexTable(scripted(script));
      const numbers = numbersOf(script);
      const model = new Map<number, number>();
      for (const [value, release] of operations.entries()) {
        if (release === null || model.size === 0) {
          let expected = numbers.next().value;
          while (model.has(expected)) expected = numbers.next().value;
          expect(table.allocate(value)).toBe(expected);
          model.set(expected, value);
        } else {
          const index = [...model.keys()][release % model.size];
          model.delete(index);
          expect(table.release(index)).toBe(true);
        }
        expect(table.size).toBe(model.size);
        expect(script.filter((index) => table.lookup(index) !== (model.get(index) ?? -1))).toEqual([]);
      }
    }),
  );
});
