import { expect, test } from "vitest";
import { LOOP_BOUNDS_MS, LoopCell, LoopStatistics } from "../../../src/core/device/loop-statistics.js";

test("turns and the packets in them fall into the buckets of their times", () => {
  const loop = new LoopStatistics();
  const turn = (ms: number, packets: number): void => {
    loop.turnBegan(Float64Array.of(100), 0);
    loop.took(packets);
    loop.turnEnded(Float64Array.of(100 + ms), 0);
  };
  turn(0.0625, 0);
  loop.cells[LoopCell.ReadySinceMs] = 20;
  turn(4, 10);
  loop.cells[LoopCell.ReadySinceMs] = 0;
  turn(2_000, 1);
  expect([loop.cells[LoopCell.Turns], loop.cells[LoopCell.TurnMsMax]]).toEqual([3, 2_000]);
  expect(loop.cells[LoopCell.TurnMsSum]).toBe(2_004.0625);
  expect(loop.turns[0]).toBe(1);
  expect(loop.turns[LOOP_BOUNDS_MS.indexOf(5)]).toBe(1);
  expect(loop.turns[LOOP_BOUNDS_MS.length]).toBe(1);
  expect(loop.cells[LoopCell.QueuedPackets]).toBe(11);
  expect(loop.cells[LoopCell.QueuedMsSum]).toBe(10 * 24 + 2_000);
  expect(loop.cells[LoopCell.QueuedMsMax]).toBe(2_000);
  expect(loop.queued[LOOP_BOUNDS_MS.indexOf(25)]).toBe(10);
  expect(loop.queued[LOOP_BOUNDS_MS.length]).toBe(1);
});
