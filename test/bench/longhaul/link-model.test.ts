import { describe, expect, test } from "vitest";
import { Fate, LinkModel } from "../../../bench/longhaul/link-model.js";
import { type DirectionSetting, linkSetting, settingFromJson, settingToJson } from "../../../bench/longhaul/setting.js";

const SEED = 7;

function model(setting: Partial<DirectionSetting>, seed = SEED): LinkModel {
  return new LinkModel(linkSetting(setting).forward, seed, "forward");
}

/** Offers packets of 1,250 bytes at even distances. @returns arrival times; of a lost one undefined */
function run(link: LinkModel, packets: number, everyMs: number): Array<number | undefined> {
  return Array.from({ length: packets }, (_, i) =>
    link.offer(i * everyMs, 1_250) === Fate.Passed ? link.deliverAtMs : undefined,
  );
}

function expectWithin5Percent(measured: number, set: number): void {
  expect(Math.abs(measured / set - 1), `${measured} beside ${set}`).toBeLessThan(0.05);
}

function expectLedgerHolds({ counts }: LinkModel): void {
  const { offered, passed, tooBig, queueFull, lost, lostInBurst } = counts;
  expect(passed + tooBig + queueFull + lost + lostInBurst).toBe(offered);
}

describe("line and queue", () => {
  test("packets leave one after the other at the line's rate, and arrive a delay later", () => {
    const link = model({ rateMbps: 10, delayMs: 40 }); // 1,250 bytes a millisecond
    expect(run(link, 3, 0)).toEqual([41, 42, 43]);
    link.offer(100, 2_500);
    expect(link.deliverAtMs).toBe(142);
  });

  test("the packet that would wait longer than the queue is the one that is dropped", () => {
    const link = model({ rateMbps: 10, queueMs: 5 });
    const fates = Array.from({ length: 10 }, () => link.offer(0, 1_250));
    expect(fates).toEqual([...Array(6).fill(Fate.Passed), ...Array(4).fill(Fate.QueueFull)]); // waits 0…5 ms
    expect(link.offer(1, 1_250)).toBe(Fate.Passed);
    expect(link.offer(1, 1_250)).toBe(Fate.QueueFull);
    expect(link.counts).toMatchObject({ offered: 12, passed: 7, queueFull: 5, peakQueueMs: 5 });
  });

  test("overload gives exactly the line's rate", () => {
    const link = model({ rateMbps: 10, queueMs: 50 });
    run(link, 20_000, 0.5); // twice the rate for 10 s
    expect(link.counts.passed).toBe(10_000 + 50);
    expectLedgerHolds(link);
  });

  test("without a rate nothing queues", () => {
    const link = model({ delayMs: 3 });
    expect(run(link, 3, 0)).toEqual([3, 3, 3]);
  });

  test("longer than the MTU is dropped, and takes no line", () => {
    const link = model({ rateMbps: 10, mtu: 1_236 });
    expect(link.offer(0, 1_251)).toBe(Fate.TooBig);
    expect(link.offer(0, 1_250)).toBe(Fate.Passed);
    expect(link.deliverAtMs).toBe(1);
    expectLedgerHolds(link);
  });
});

describe("impairments, as often as set", () => {
  test.each([0.1, 0.25, 2, 30])("random loss of %d %%", (lossPercent) => {
    const link = model({ lossPercent });
    run(link, 1_000_000, 0.01);
    expectWithin5Percent(link.counts.lost / link.counts.offered, lossPercent / 100);
    expectLedgerHolds(link);
  });

  test("loss in bursts: share and length", () => {
    const link = model({ burstLoss: { enterPercent: 0.1, leavePercent: 10, lossPercent: 100 } });
    const arrivals = run(link, 1_000_000, 0.01);
    const bursts = arrivals.filter((at, i) => at === undefined && arrivals[i - 1] !== undefined).length;
    expectWithin5Percent(link.counts.lostInBurst / link.counts.offered, 0.1 / (0.1 + 10));
    expectWithin5Percent(link.counts.lostInBurst / bursts, 10);
    expectLedgerHolds(link);
  });

  test.each([
    [2, 2],
    [30, 10],
  ])("a delay of %d ± %d ms: every delay equally often, and no packet overtakes another", (delayMs, jitterMs) => {
    const link = model({ rateMbps: 1_000, delayMs, jitterMs });
    const everyMs = 1;
    const arrivals = run(link, 1_000_000, everyMs) as number[];
    const delays = arrivals.map((at, i) => at - i * everyMs - 0.01);
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    const deviation = Math.sqrt(delays.reduce((sum, delay) => sum + (delay - mean) ** 2, 0) / delays.length);
    expectWithin5Percent(mean, delayMs);
    expectWithin5Percent(deviation, jitterMs / Math.sqrt(3));
    const least = delays.reduce((a, b) => Math.min(a, b));
    const most = delays.reduce((a, b) => Math.max(a, b));
    expectWithin5Percent((most - least) / 2, jitterMs);
    expect(least).toBeGreaterThanOrEqual(delayMs - jitterMs - 1e-6);
    expect(most).toBeLessThanOrEqual(delayMs + jitterMs + 1e-6);
    expect(arrivals.every((at, i) => i === 0 || at > arrivals[i - 1]!)).toBe(true);
  });

  test("jitter after a pause, and at full rate", () => {
    const link = model({ rateMbps: 1_000, delayMs: 2, jitterMs: 2 });
    let last = 0;
    for (const [startMs, everyMs] of [
      [0, 0.001],
      [1e6, 0.01],
    ] as const) {
      for (let i = 0; i < 10_000; i++) {
        if (link.offer(startMs + i * everyMs, 1_250) !== Fate.Passed) continue;
        expect(link.deliverAtMs).toBeGreaterThan(last);
        last = link.deliverAtMs;
      }
    }
  });

  test("reordering, by the definition of RFC 4737", () => {
    const link = model({ rateMbps: 1_000, delayMs: 2, reorderPercent: 0.5, reorderMs: 1 });
    const arrivals = run(link, 500_000, 0.01) as number[];
    const order = arrivals.map((at, i) => [at, i] as const).sort(([a], [b]) => a - b);
    let next = 0;
    let reordered = 0;
    for (const [, i] of order) {
      if (i < next) reordered += 1;
      else next = i + 1;
    }
    expect(reordered).toBe(link.counts.reordered);
    expectWithin5Percent(reordered / arrivals.length, 0.005);
  });

  test("duplicates and corruption", () => {
    const link = model({ duplicatePercent: 1, corruptPercent: 0.5 });
    run(link, 1_000_000, 0.01);
    expectWithin5Percent(link.counts.duplicated / link.counts.passed, 0.01);
    expectWithin5Percent(link.counts.corrupted / link.counts.passed, 0.005);
  });
});

describe("seeds", () => {
  const setting = { delayMs: 5, jitterMs: 2, lossPercent: 5, reorderPercent: 3, reorderMs: 1 };

  test("the same seed gives the same link, another seed another", () => {
    const first = run(model(setting), 1_000, 0.1);
    expect(run(model(setting), 1_000, 0.1)).toEqual(first);
    expect(run(model(setting, SEED + 1), 1_000, 0.1)).not.toEqual(first);
  });

  test("what else the link does leaves its losses where they are", () => {
    const losses = (link: LinkModel): number[] =>
      run(link, 1_000, 0.1).flatMap((at, i) => (at === undefined ? [i] : []));
    expect(losses(model({ lossPercent: 5 }))).toEqual(losses(model(setting)));
  });
});

describe("settings", () => {
  test.each([
    { rateMbps: 0 },
    { rateMbps: Number.NaN },
    { delayMs: -1 },
    { delayMs: 1, jitterMs: 2 },
    { lossPercent: 101 },
    { queueMs: -1 },
    { reorderPercent: 1 },
    { mtu: 10 },
    { burstLoss: { enterPercent: -1, leavePercent: 1, lossPercent: 1 } },
  ])("%o cannot be emulated", (setting) => {
    expect(() => linkSetting(setting)).toThrow(RangeError);
  });

  test("survive the way to another process", () => {
    const setting = linkSetting({ delayMs: 40, lossPercent: 1 }, { rateMbps: 20 });
    expect(settingFromJson(settingToJson(setting))).toEqual(setting);
    expect(setting.backward).toMatchObject({ delayMs: 40, rateMbps: 20 });
  });
});
