import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TimerWheel } from "../../../src/core/timers/timer-wheel.js";

/** The rule itself: a Map of deadlines. */
class NaiveTimers {
  readonly deadlines = new Map<number, number>();
  readonly #tickMs: number;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** Time of the first tick that is not before the deadline. */
  tickOf(deadlineMs: number): number {
    return Math.ceil(deadlineMs / this.#tickMs) * this.#tickMs;
  }

  /** Takes out and gives the ids whose tick has come, sorted. */
  expire(nowMs: number): number[] {
    const due = [...this.deadlines].filter(([, deadlineMs]) => this.tickOf(deadlineMs) <= nowMs).map(([id]) => id);
    for (const id of due) this.deadlines.delete(id);
    return due.sort((a, b) => a - b);
  }

  nextTick(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const deadlineMs of this.deadlines.values()) next = Math.min(next, this.tickOf(deadlineMs));
    return next;
  }
}

function expireAll(wheel: TimerWheel, nowMs: number): number[] {
  const fired: number[] = [];
  expect(wheel.expire(nowMs, (id) => fired.push(id))).toBe(fired.length);
  return fired;
}

const DAY_MS = 86_400_000;
const never = Number.POSITIVE_INFINITY;
const ids = Array.from({ length: 31 }, (_, id) => id);
const delays = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -100, max: 2000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 600_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 400 * DAY_MS }) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 300, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(1, 32, 1024, 32_768, 2 ** 20, 2 ** 25, 2 ** 30).map((ticks) => ticks * 8) },
);
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("arm" as const), id: fc.nat(30), delayMs: delays }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), id: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass" as const), delayMs: delays }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sleepToNext" as const) }) },
);

describe("against the rule itself", () => {
  test.each([
    [8, 0],
    [8, 1e6 + 3],
    [8, 2 ** 31 * 8 - 5000],
    [10, 2 ** 40 + 0.25],
    [4, 250 * DAY_MS],
  ])("any sequence of changes, tick %d ms, from %d ms on", (tickMs, startMs) => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 100, size: "max" }), (operations) => {
        const wheel = new TimerWheel({ tickMs, capacity: 31 });
        const naive = new NaiveTimers(tickMs);
        let nowMs = startMs;
        expireAll(wheel, nowMs);
        for (const step of operations) {
          if (step.kind === "arm") {
            wheel.arm(step.id, nowMs + step.delayMs);
            naive.deadlines.set(step.id, nowMs + step.delayMs);
          } else if (step.kind === "cancel") {
            wheel.cancel(step.id);
            naive.deadlines.delete(step.id);
          } else {
            nowMs = step.kind === "pass" ? nowMs + Math.abs(step.delayMs) : Math.max(nowMs, naive.nextTick());
            if (nowMs === never) return;
            expect(expireAll(wheel, nowMs).sort((a, b) => a - b)).toEqual(naive.expire(nowMs));
          }
          expect(wheel.size).toBe(naive.deadlines.size);
          expect(wheel.nextDeadlineMs()).toBeLessThanOrEqual(Math.max(naive.nextTick(), nowMs));
          expect(ids.map((id) => wheel.deadlineMs(id))).toEqual(ids.map((id) => naive.deadlines.get(id) ?? never));
          expect(ids.filter((id) => wheel.isArmed(id) !== naive.deadlines.has(id))).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("100,000 timers over ten minutes, moved and cancelled on the way, each at its tick and in order", () => {
    const [count, tickMs, startMs] = [100_000, 8, 5e8];
    const wheel = new TimerWheel({ tickMs, capacity: count });
    const deadlines = new Float64Array(count);
    let state = 12_345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const arm = (id: number, deadlineMs: number): void => {
      deadlines[id] = deadlineMs;
      wheel.arm(id, deadlineMs);
    };
    expireAll(wheel, startMs);
    for (let id = 0; id < count; id++) arm(id, startMs + random(600_000));
    let [fired, early, late, disorder, previousTick] = [0, 0, 0, 0, 0];
    let lastMs = startMs;
    const fire = (id: number, nowMs: number): void => {
      fired++;
      const tick = Math.ceil(deadlines[id] / tickMs) * tickMs;
      if (nowMs < deadlines[id]) early++;
      if (tick <= lastMs) late++;
      if (tick < previousTick) disorder++;
      previousTick = tick;
      deadlines[id] = never;
    };
    let cancelled = 0;
    for (let nowMs = startMs; nowMs <= startMs + 700_000; nowMs += 1 + random(60)) {
      for (let i = 0; i < 3 && nowMs < startMs + 500_000; i++) {
        const id = random(count);
        if (wheel.isArmed(id)) arm(id, nowMs + 1 + random(100_000));
        const other = random(count);
        if (i === 0 && wheel.isArmed(other)) {
          wheel.cancel(other);
          cancelled++;
        }
      }
      wheel.expire(nowMs, fire);
      lastMs = nowMs;
      previousTick = 0;
    }
    expect({ early, late, disorder, left: wheel.size }).toEqual({ early: 0, late: 0, disorder: 0, left: 0 });
    expect(cancelled).toBeGreaterThan(1000);
    expect(fired).toBe(count - cancelled);
  });
});

describe("time", () => {
  test("fires at its tick and not before, to the millisecond", () => {
    for (const delayMs of [1, 7, 8, 9, 255, 256, 257, 8191, 8192, 8193, 262_144, 8_388_609, 268_435_457]) {
      const wheel = new TimerWheel({ tickMs: 8, capacity: 1 });
      expireAll(wheel, 1_000_000);
      wheel.arm(0, 1_000_000 + delayMs);
      const tick = Math.ceil((1_000_000 + delayMs) / 8) * 8;
      expect(expireAll(wheel, tick - 0.001)).toEqual([]);
      expect(expireAll(wheel, tick)).toEqual([0]);
    }
  });

  test.each([7, 8, 10])("not even the last bit of a deadline is early, tick %d ms", (tickMs) => {
    const wheel = new TimerWheel({ tickMs, capacity: 1 });
    for (let tick = 3; tick < 1e12; tick = Math.floor(tick * 1.01) + 3) {
      const atMs = tick * tickMs;
      const ulp = 2 ** (Math.floor(Math.log2(atMs)) - 52);
      wheel.arm(0, atMs);
      expect(expireAll(wheel, atMs - ulp)).toEqual([]);
      expect(expireAll(wheel, atMs)).toEqual([0]);
      wheel.arm(0, atMs + ulp);
      expect(expireAll(wheel, atMs + ulp)).toEqual([]);
      expect(expireAll(wheel, atMs + tickMs)).toEqual([0]);
    }
  });

  test("following nextDeadlineMs fires everything at its tick, in few wake-ups", () => {
    const wheel = new TimerWheel({ tickMs: 8, capacity: 4 });
    const deadlines = [5_000, 25_000, 120_000, 540_000];
    for (const [id, deadlineMs] of deadlines.entries()) wheel.arm(id, deadlineMs);
    const firedAt: number[] = [];
    let wakeUps = 0;
    for (let nowMs = 0; nowMs !== never; nowMs = wheel.nextDeadlineMs()) {
      wheel.expire(nowMs, (id) => {
        firedAt[id] = nowMs;
      });
      wakeUps++;
    }
    expect(firedAt).toEqual(deadlines);
    expect(wakeUps).toBeLessThanOrEqual(1 + 4 * 4);
  });

  test("a machine that slept for a year wakes at once, and everything due fires once", () => {
    const wheel = new TimerWheel({ tickMs: 4, capacity: 10_000 });
    for (let id = 0; id < 10_000; id++) wheel.arm(id, id * 977);
    const start = process.cpuUsage();
    expect(new Set(expireAll(wheel, 365 * DAY_MS)).size).toBe(10_000);
    // Tick by tick it would be eight thousand million steps.
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(1000);
    expect(wheel.nextDeadlineMs()).toBe(never);
  });

  test("deadlines beyond the wheel's span keep", () => {
    const wheel = new TimerWheel({ tickMs: 4, capacity: 3 });
    wheel.arm(0, 300 * DAY_MS);
    wheel.arm(1, never);
    for (let day = 1; day < 300; day++) expect(expireAll(wheel, day * DAY_MS)).toEqual([]);
    expect(expireAll(wheel, 300 * DAY_MS)).toEqual([0]);
    expect(expireAll(wheel, 30_000 * DAY_MS)).toEqual([]);
    expect(wheel.isArmed(1)).toBe(true);
  });

  test("a clock that steps back fires nothing and breaks nothing", () => {
    const wheel = new TimerWheel({ tickMs: 8, capacity: 1 });
    expireAll(wheel, 1_000_000);
    wheel.arm(0, 1_001_000);
    expect(expireAll(wheel, 500)).toEqual([]);
    expect(expireAll(wheel, 1_000_999)).toEqual([]);
    expect(expireAll(wheel, 1_001_000)).toEqual([0]);
  });
});

describe("what fire may do", () => {
  test("arm its own timer again, ahead or already passed: once a call", () => {
    const wheel = new TimerWheel({ tickMs: 8, capacity: 2 });
    wheel.arm(0, 100);
    wheel.arm(1, 100);
    let calls = 0;
    const again = (id: number, nowMs: number): void => {
      calls++;
      wheel.arm(id, id === 0 ? nowMs - 50 : nowMs + 50);
    };
    expect(wheel.expire(1000, again)).toBe(2);
    expect(wheel.nextDeadlineMs()).toBeLessThanOrEqual(1000);
    expect(wheel.expire(1000, again)).toBe(1);
    expect(wheel.expire(1056, again)).toBe(2);
    expect(calls).toBe(5);
  });

  test("cancel and move timers that are about to fire in the same call", () => {
    const wheel = new TimerWheel({ tickMs: 8, capacity: 4 });
    for (let id = 0; id < 4; id++) wheel.arm(id, 100 + id * 8);
    const fired: number[] = [];
    wheel.expire(1000, (id) => {
      fired.push(id);
      if (id !== 0) return;
      wheel.cancel(1);
      wheel.arm(2, 2000);
    });
    expect(fired).toEqual([0, 3]);
    expect([wheel.isArmed(1), wheel.deadlineMs(2), wheel.size]).toEqual([false, 2000, 1]);
    expect(expireAll(wheel, 2000)).toEqual([2]);
  });

  test("sees its timer disarmed", () => {
    const wheel = new TimerWheel({ tickMs: 8, capacity: 1 });
    wheel.arm(0, 1);
    let armed = true;
    wheel.expire(8, (id) => {
      armed = wheel.isArmed(id);
    });
    expect(armed).toBe(false);
  });

  test("fail: the rest fires at the next call", () => {
    const wheel = new TimerWheel({ tickMs: 8, capacity: 3 });
    for (let id = 0; id < 3; id++) wheel.arm(id, 8);
    expect(() =>
      wheel.expire(8, () => {
        throw new RangeError("a bug elsewhere");
      }),
    ).toThrow(RangeError);
    expect(wheel.nextDeadlineMs()).toBeLessThanOrEqual(8);
    expect(expireAll(wheel, 8)).toEqual([1, 2]);
  });
});

test("growing keeps what is armed and gives room for more", () => {
  const wheel = new TimerWheel({ tickMs: 8, capacity: 2 });
  wheel.arm(0, 50);
  wheel.arm(1, 90_000);
  wheel.grow(1000);
  wheel.grow(5);
  expect(wheel.capacity).toBe(1000);
  for (let id = 2; id < 1000; id++) {
    expect(wheel.isArmed(id)).toBe(false);
    wheel.arm(id, id * 100);
  }
  expect(wheel.size).toBe(1000);
  expect(expireAll(wheel, 60)).toEqual([0]);
  expect(expireAll(wheel, 99_904)).toHaveLength(999);
});

describe("a bound on what one call fires", () => {
  test("the rest waits for the next call, in order, before what came due later", () => {
    const wheel = new TimerWheel({ tickMs: 8, capacity: 32 });
    for (let id = 0; id < 10; id++) wheel.arm(id, 100 + id * 8);
    const fired: number[] = [];
    const fire = (id: number): void => void fired.push(id);
    expect(wheel.expire(200, fire, 4)).toBe(4);
    expect(fired).toEqual([0, 1, 2, 3]);
    expect(wheel.size).toBe(6);
    expect(wheel.nextDeadlineMs()).toBeLessThanOrEqual(200);
    wheel.arm(20, 201);
    wheel.cancel(5);
    expect(wheel.expire(216, fire, 3)).toBe(3);
    expect(fired).toEqual([0, 1, 2, 3, 4, 6, 7]);
    expect(wheel.expire(216, fire)).toBe(3);
    expect(fired).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9, 20]);
    expect(wheel.nextDeadlineMs()).toBe(never);
  });
});
