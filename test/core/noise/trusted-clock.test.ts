import { expect, test } from "vitest";
import { BELIEVED_AHEAD_MS, EPOCH_MS, TrustedClock } from "../../../src/core/noise/trusted-clock.js";

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2027, 4, 5);
const YEAR_2038_MS = Date.UTC(2038, 0, 19);

function informed(): TrustedClock {
  const clock = new TrustedClock(0);
  clock.learn(NOW_MS, 0);
  return clock;
}

test("a clock that goes, stands, runs back or is set by a few months is believed", () => {
  const clock = informed();
  for (const [wallMs, bootMs] of [
    [NOW_MS + 1_000, 1_000],
    [NOW_MS + 1_000, 2_000],
    [NOW_MS - 40 * DAY_MS, 3_000],
    [0, 4_000],
    [NOW_MS + 170 * DAY_MS, 5_000],
    [NOW_MS + 340 * DAY_MS, 6_000], //  each time by what it may be
  ] as const) {
    expect(clock.read(wallMs, bootMs)).toBe(wallMs);
    expect(clock.isDoubted).toBe(false);
  }
});

test("2038 is doubted: time goes on from what is known, by boot time, until the clock is set", () => {
  const clock = informed();
  expect(clock.read(YEAR_2038_MS, 60_000)).toBe(NOW_MS + 60_000);
  expect(clock.isDoubted).toBe(true);
  expect(clock.read(YEAR_2038_MS + 3_600_000, 3_660_000)).toBe(NOW_MS + 3_660_000);
  expect(clock.read(NOW_MS + 3_700_000, 3_700_000)).toBe(NOW_MS + 3_700_000);
  expect(clock.isDoubted).toBe(false);
});

test("the bound is what is known, the time since, and half a year", () => {
  const clock = informed();
  expect(clock.read(NOW_MS + BELIEVED_AHEAD_MS + 1_001, 1_000)).toBe(NOW_MS + 1_000);
  expect(clock.read(NOW_MS + BELIEVED_AHEAD_MS + 1_000, 1_000)).toBe(NOW_MS + BELIEVED_AHEAD_MS + 1_000);
});

test("a peer's clock ends the doubt if it agrees, and only then", () => {
  const clock = informed();
  clock.read(YEAR_2038_MS, 1_000);
  expect(clock.witness(NOW_MS, YEAR_2038_MS, 1_000)).toBe(false);
  expect(clock.witness(YEAR_2038_MS + 40 * DAY_MS, YEAR_2038_MS, 1_000)).toBe(false);
  expect(clock.isDoubted).toBe(true);
  expect(clock.witness(YEAR_2038_MS - DAY_MS / 2, YEAR_2038_MS, 1_000)).toBe(true);
  expect(clock.read(YEAR_2038_MS + 5, 2_000)).toBe(YEAR_2038_MS + 5);
  expect(clock.isDoubted).toBe(false);
});

test("a peer's clock does not move ours", () => {
  const clock = informed();
  expect(clock.witness(YEAR_2038_MS, NOW_MS, 1_000)).toBe(false);
  expect(clock.read(YEAR_2038_MS, 2_000)).toBe(NOW_MS + 2_000);
});

test("where nothing is known, a clock of the program's time or the past is believed, 2038 is not", () => {
  const clock = new TrustedClock(0);
  expect(clock.read(1_000, 0)).toBe(1_000);
  expect(clock.isInformed).toBe(false);
  expect(clock.read(YEAR_2038_MS, 500)).toBe(EPOCH_MS + 500);
  expect(clock.isInformed).toBe(false);
  expect(clock.read(Date.UTC(2030, 0, 1), 1_000)).toBe(Date.UTC(2030, 0, 1));
  expect(clock.isInformed).toBe(true);
});

test("what was known is never less known", () => {
  const clock = informed();
  clock.learn(NOW_MS - DAY_MS, 10_000);
  expect(clock.expectedMs(10_000)).toBe(NOW_MS + 10_000);
});
