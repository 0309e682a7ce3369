import { describe, expect, test } from "vitest";
import { WorkBudget } from "../../../src/core/device/work-budget.js";

const TURN_MAX = 8;

function takeAll(budget: WorkBudget): number {
  let taken = 0;
  while (budget.take()) taken++;
  return taken;
}

describe("the budget of a turn", () => {
  test("is bounded, and full again after a quiet turn", () => {
    const budget = new WorkBudget();
    expect(takeAll(budget)).toBe(TURN_MAX);
    budget.refill(1_000);
    expect(takeAll(budget)).toBe(TURN_MAX);
    expect(budget.nextMs(1_000)).toBe(1_000);
  });

  test("is a unit every two milliseconds while many packets pass, however many turns there are", () => {
    const budget = new WorkBudget();
    budget.carried(10_000, 0);
    budget.refill(0);
    takeAll(budget);
    let taken = 0;
    for (let nowMs = 1; nowMs <= 200; nowMs++) {
      for (let turn = 0; turn < 7; turn++) {
        budget.carried(20, nowMs);
        budget.refill(nowMs);
        taken += takeAll(budget);
        expect(budget.nextMs(nowMs)).toBe(nowMs + 1);
      }
    }
    expect(taken).toBe(100);
  });

  test("does not pile up while nothing happens", () => {
    const budget = new WorkBudget();
    budget.carried(1_000, 10);
    budget.refill(10);
    takeAll(budget);
    budget.carried(1_000, 10_000);
    budget.refill(10_000);
    expect(takeAll(budget)).toBe(TURN_MAX);
  });

  test("stays small right after much traffic, a turn without packets in between", () => {
    const budget = new WorkBudget();
    budget.carried(100_000, 50);
    budget.refill(50);
    takeAll(budget);
    budget.refill(52);
    expect(takeAll(budget)).toBe(1);
    budget.refill(54);
    expect(takeAll(budget)).toBe(TURN_MAX);
  });

  test("is full while little passes: a ping every millisecond, or a stream of 100 Mbit/s", () => {
    for (const packetsPerMs of [1, 9]) {
      const budget = new WorkBudget();
      for (let nowMs = 1; nowMs <= 1_000; nowMs++) {
        budget.carried(packetsPerMs, nowMs);
        budget.refill(nowMs);
        expect(takeAll(budget)).toBe(TURN_MAX);
      }
    }
  });
});
