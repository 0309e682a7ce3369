// The simulation itself: the same seed is the same run, bugs are seen, and what is said of them replays them.

import { readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { KeypairPool } from "../../../src/core/device/keypair-pool.js";
import { TimestampSource } from "../../../src/core/noise/tai64n.js";
import { ReplayWindow } from "../../../src/core/transport/replay-window.js";
import { failureText, runSeed, type SeedResult } from "./run-seed.js";

const knownSeeds = readFileSync(new URL("../seeds.txt", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split(/\s+(.*)/).slice(0, 2) as [seed: string, what: string]);

afterEach(() => {
  vi.restoreAllMocks();
});

async function firstFailure(seeds: number): Promise<SeedResult> {
  for (let seed = 1; seed <= seeds; seed++) {
    const result = await runSeed({ seed });
    if (result.failure !== undefined) return result;
  }
  throw new Error(`${seeds} seeds are clean`);
}

test("a seed is the same run each time, bit for bit, and another seed is another", async () => {
  for (const seed of [3, 64]) {
    const [first, again, other] = [await runSeed({ seed }), await runSeed({ seed }), await runSeed({ seed: seed + 1 })];
    expect(first.events).toBeGreaterThan(100);
    expect(again).toEqual(first);
    expect(other.hash).not.toBe(first.hash);
  }
});

test("minutes and cryptography are what was asked for", async () => {
  const short = await runSeed({ seed: 5, minutes: 1 });
  const long = await runSeed({ seed: 5, minutes: 30 });
  expect([short.failure, long.failure]).toEqual([undefined, undefined]);
  expect(long.virtualMs - short.virtualMs).toBeGreaterThan(25 * 60_000);
  const real = await runSeed({ seed: 5, minutes: 1, crypto: "reference" });
  expect(real.failure).toBeUndefined();
  expect(real.hash).not.toBe(short.hash);
});

test("much happens: what was offered is delivered, over rekeys and healing", async () => {
  let delivered = 0;
  let packets = 0;
  for (let seed = 100; seed < 110; seed++) {
    const result = await runSeed({ seed });
    expect(result.failure).toBeUndefined();
    delivered += result.delivered;
    packets += result.packets;
  }
  expect(delivered).toBeGreaterThan(1_000);
  expect(delivered).toBeLessThan(packets);
});

test.each(knownSeeds)("seed %s, which failed: %s", async (seed) => {
  const result = await runSeed({ seed: Number(seed) });
  expect(failureText(result, { seed: Number(seed) })).toBe("");
});

test("a window that takes everything is seen, and what is said of it replays it", async () => {
  vi.spyOn(ReplayWindow.prototype, "accept").mockReturnValue(0);
  const result = await firstFailure(20);
  expect(["twice", "replay"]).toContain(result.failure?.invariant);
  expect(await runSeed({ seed: result.seed })).toEqual(result);
  const text = failureText(result, { seed: result.seed, minutes: 7 });
  expect(text).toContain(`replay: npm run sim -- --seed ${result.seed} --minutes 7\n`);
  expect(text.split("\n").length).toBeGreaterThan(20);
});

test("keys that stay are seen", async () => {
  vi.spyOn(KeypairPool.prototype, "giveBack").mockImplementation(() => {});
  expect(["zeroed", "memory"]).toContain((await firstFailure(5)).failure?.invariant);
});

test("a floor that is not heeded is seen", async () => {
  vi.spyOn(TimestampSource.prototype, "raiseFloor").mockImplementation(() => {});
  expect((await firstFailure(60)).failure?.invariant).toBe("timestamps");
});

test("an exception of the core is a failure like others", async () => {
  vi.spyOn(ReplayWindow.prototype, "heard").mockImplementation(() => {
    throw new RangeError("planted");
  });
  const { failure } = await firstFailure(3);
  expect(failure?.invariant).toBe("exception");
  expect(failure?.message).toContain("planted");
});
