// Path quality against a path whose every loss, duplicate and delay the test has decided itself.

import { describe, expect, test } from "vitest";
import {
  FIRST_LOSS_BURST_CELL,
  LOSS_BURST_BOUNDS,
  PATH_CELLS,
  PathCell,
  SETTLE_MS,
} from "../../../src/core/transport/path-quality.js";
import { ReplayWindow } from "../../../src/core/transport/replay-window.js";
import { seededRandom } from "../../sim/world.js";

interface Path {
  readonly packets: number;
  readonly packetsPerMs: number;
  /** Chance to lose a packet, and to lose the next when one was lost. */
  readonly loss?: number;
  readonly lossAgain?: number;
  readonly duplicates?: number;
  /** Each packet is late by up to so much. */
  readonly jitterMs?: number;
  /** Small packets, and by how much they come earlier than the others. */
  readonly isSmall?: (counter: number) => boolean;
  readonly overtakeMs?: number;
  readonly seed: number;
}

interface Arrival {
  readonly atMs: number;
  readonly counter: number;
  readonly isSmall: boolean;
}

/** What becomes of packets 0, 1, 2… on the path, in the order of arrival. */
function arrivalsOn(path: Path): Arrival[] {
  const random = seededRandom(path.seed);
  const { loss = 0, lossAgain = loss, duplicates = 0, jitterMs = 0, isSmall = () => false, overtakeMs = 0 } = path;
  const arrivals: Arrival[] = [];
  let wasLost = false;
  for (let counter = 0; counter < path.packets; counter++) {
    wasLost = random() < (wasLost ? lossAgain : loss);
    if (wasLost) continue;
    const copies = random() < duplicates ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const lateMs = random() * jitterMs + (isSmall(counter) ? 0 : overtakeMs);
      arrivals.push({ atMs: counter / path.packetsPerMs + lateMs, counter, isSmall: isSmall(counter) });
    }
  }
  return arrivals.sort((a, b) => a.atMs - b.atMs);
}

/** The same arrivals, judged with hindsight. */
function truthOf(arrivals: readonly Arrival[]) {
  const came = new Set<number>();
  let greatest = -1;
  const greatestOfSize = { small: -1, other: -1 };
  const truth = {
    received: 0,
    reordered: 0,
    extentSum: 0,
    extentMax: 0,
    duplicates: 0,
    lost: 0,
    bursts: [] as number[],
  };
  for (const { counter, isSmall } of arrivals) {
    if (came.has(counter)) {
      truth.duplicates++;
      continue;
    }
    came.add(counter);
    const size = isSmall ? "small" : "other";
    const extent = greatestOfSize[size] - counter;
    if (extent > 0) {
      truth.reordered++;
      truth.extentSum += extent;
      truth.extentMax = Math.max(truth.extentMax, extent);
    }
    greatestOfSize[size] = Math.max(greatestOfSize[size], counter);
    greatest = Math.max(greatest, counter);
  }
  truth.received = came.size;
  truth.lost = greatest + 1 - came.size;
  for (let counter = 0, burst = 0; counter <= greatest; counter++) {
    if (!came.has(counter)) burst++;
    else if (burst > 0) {
      truth.bursts.push(burst);
      burst = 0;
    }
  }
  return truth;
}

class Meter {
  readonly cells = new Float64Array(PATH_CELLS);
  readonly window = new ReplayWindow();

  constructor() {
    this.window.reset(this.cells, 0);
  }

  take(arrivals: readonly Arrival[]): void {
    let lastMs = -1;
    for (const { atMs, counter, isSmall } of arrivals) {
      const nowMs = Math.floor(atMs);
      if (nowMs !== lastMs) this.window.heard(nowMs);
      lastMs = nowMs;
      if (this.window.accept(counter, isSmall) === 0) this.cells[PathCell.Received]!++;
    }
  }

  get netLoss(): number {
    return this.cells[PathCell.Lost]! - this.cells[PathCell.CameLate]!;
  }

  get bursts(): number[] {
    return [...this.cells.subarray(FIRST_LOSS_BURST_CELL)];
  }
}

function histogramOf(bursts: readonly number[]): number[] {
  const cells = new Array<number>(LOSS_BURST_BOUNDS.length + 1).fill(0);
  for (const length of bursts) {
    const bucket = LOSS_BURST_BOUNDS.findIndex((bound) => length <= bound);
    cells[bucket === -1 ? LOSS_BURST_BOUNDS.length : bucket]!++;
  }
  return cells;
}

const paths: Record<string, Omit<Path, "seed">> = {
  "a clean path": { packets: 50_000, packetsPerMs: 10 },
  "one per cent at 100,000 a second": { packets: 100_000, packetsPerMs: 100, loss: 0.01 },
  "0.02 per cent at 10,000 a second": { packets: 100_000, packetsPerMs: 10, loss: 0.0002 },
  "losses in bursts": { packets: 100_000, packetsPerMs: 50, loss: 0.002, lossAgain: 0.9 },
  "half of everything": { packets: 20_000, packetsPerMs: 5, loss: 0.5 },
  "reordering over 30 ms without loss": { packets: 50_000, packetsPerMs: 20, jitterMs: 30 },
  "duplicates without loss": { packets: 50_000, packetsPerMs: 20, duplicates: 0.05 },
  "loss, reordering and duplicates": { packets: 50_000, packetsPerMs: 20, loss: 0.03, jitterMs: 80, duplicates: 0.02 },
  "small packets that overtake": {
    packets: 50_000,
    packetsPerMs: 20,
    isSmall: (counter) => counter % 20 === 7,
    overtakeMs: 30,
  },
  "small packets that overtake, loss, reordering and duplicates": {
    packets: 50_000,
    packetsPerMs: 20,
    loss: 0.03,
    jitterMs: 80,
    duplicates: 0.02,
    isSmall: (counter) => counter % 3 === 1,
    overtakeMs: 100,
  },
  "small packets first, and then none": {
    packets: 60_000,
    packetsPerMs: 20,
    loss: 0.05,
    isSmall: (counter) => counter < 20_000,
  },
  "small packets last, and before them none": {
    packets: 60_000,
    packetsPerMs: 20,
    loss: 0.05,
    isSmall: (counter) => counter >= 20_000,
  },
  "a keepalive each ten seconds": { packets: 2_000, packetsPerMs: 1 / 10_000, loss: 0.1 },
};

describe.each(Object.entries(paths))("%s", (_, path) => {
  test.each([1, 2, 3])("is told exactly, seed %i", (seed) => {
    const arrivals = arrivalsOn({ ...path, seed });
    const truth = truthOf(arrivals);
    const meter = new Meter();
    meter.take(arrivals);
    meter.window.finish();
    const { cells } = meter;
    expect(cells[PathCell.Received]).toBe(truth.received);
    expect(cells[PathCell.Lost]).toBe(truth.lost);
    expect(cells[PathCell.CameLate]).toBe(0);
    expect(cells[PathCell.Reordered]).toBe(truth.reordered);
    expect(cells[PathCell.ReorderExtentSum]).toBe(truth.extentSum);
    expect(cells[PathCell.ReorderExtentMax]).toBe(truth.extentMax);
    expect(cells[PathCell.Duplicates]).toBe(truth.duplicates);
    expect(cells[PathCell.LossBursts]).toBe(truth.bursts.length);
    expect(cells[PathCell.LossBurstMax]).toBe(Math.max(0, ...truth.bursts));
    expect(meter.bursts).toEqual(histogramOf(truth.bursts));
    expect(cells[PathCell.Skipped]).toBe(0);
  });

  test("never goes back, and is complete two settling times after the last packet", () => {
    const arrivals = arrivalsOn({ ...path, seed: 4 });
    const meter = new Meter();
    let before = meter.cells.slice();
    for (let at = 0; at < arrivals.length; at += 997) {
      meter.take(arrivals.slice(at, at + 997));
      expect(meter.cells.every((value, cell) => value >= before[cell]!)).toBe(true);
      before = meter.cells.slice();
    }
    const lastMs = Math.ceil(arrivals.at(-1)!.atMs);
    meter.window.settleOld(lastMs + SETTLE_MS);
    meter.window.settleOld(lastMs + 2 * SETTLE_MS);
    expect(meter.cells[PathCell.Lost]).toBe(truthOf(arrivals).lost);
  });
});

describe("the sender's own gaps", () => {
  const steady = (atMs: number, first: number, count: number): Arrival[] =>
    Array.from({ length: count }, (_, i) => ({ atMs: atMs + i / 10, counter: first + i, isSmall: false }));

  test("a leap that no line could have carried is not loss", () => {
    const meter = new Meter();
    meter.take([...steady(0, 0, 100), ...steady(12, 1_000_000, 100)]);
    meter.window.finish();
    expect(meter.cells[PathCell.Lost]).toBe(0);
    expect(meter.cells[PathCell.Skipped]).toBe(1_000_000 - 100);
  });

  test("nor is a counter that begins far from zero", () => {
    const meter = new Meter();
    meter.take(steady(5, 2 ** 40, 1_000));
    meter.window.finish();
    expect(meter.cells[PathCell.Lost]).toBe(0);
    expect(meter.cells[PathCell.Received]).toBe(1_000);
  });

  test("an outage of two seconds at 20,000 packets a second is loss, in one burst", () => {
    const meter = new Meter();
    meter.take([...steady(0, 0, 1_000), ...steady(2_100, 41_000, 1_000)]);
    meter.window.finish();
    expect(meter.cells[PathCell.Lost]).toBe(40_000);
    expect(meter.cells[PathCell.LossBursts]).toBe(1);
    expect(meter.cells[PathCell.LossBurstMax]).toBe(40_000);
    expect(meter.cells[PathCell.Skipped]).toBe(0);
  });
});

test("a packet that comes after it was given up is taken back", () => {
  const meter = new Meter();
  const late = { atMs: 5_000, counter: 50, isSmall: false };
  const others = Array.from({ length: 6_000 }, (_, counter) => ({ atMs: counter, counter, isSmall: false }));
  meter.take([...others.filter(({ counter }) => counter !== late.counter), late].sort((a, b) => a.atMs - b.atMs));
  meter.window.finish();
  expect(meter.cells[PathCell.Lost]).toBe(1);
  expect(meter.cells[PathCell.CameLate]).toBe(1);
  expect(meter.netLoss).toBe(0);
});

test("a new key begins anew and keeps what was counted", () => {
  const meter = new Meter();
  meter.take([0, 1, 3].map((counter) => ({ atMs: 1, counter, isSmall: false })));
  meter.window.finish();
  meter.window.reset(meter.cells, 10);
  meter.take([0, 2].map((counter) => ({ atMs: 11, counter, isSmall: false })));
  meter.window.finish();
  expect(meter.cells[PathCell.Lost]).toBe(2);
  expect(meter.cells[PathCell.LossBursts]).toBe(2);
});

test("bulk that small packets overtook by more than the window is lost until it comes, and not reordered", () => {
  const meter = new Meter();
  const bulk = Array.from({ length: 40_000 }, (_, i) => ({ atMs: 100 + i / 1_000, counter: i, isSmall: false }));
  meter.take([{ atMs: 90, counter: 40_000, isSmall: true }, ...bulk]);
  meter.window.finish();
  const { cells } = meter;
  expect(cells[PathCell.Received]).toBe(40_001);
  expect(cells[PathCell.Reordered]).toBe(0);
  expect(cells[PathCell.CameLate]).toBe(40_000);
  expect(cells[PathCell.Lost]! + cells[PathCell.Skipped]!).toBe(40_000);
});
