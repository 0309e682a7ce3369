import { expect, test } from "vitest";
import { LogLimit } from "../../src/daemon/log-limit.js";

test("a peer that flaps gets ten lines, then one in ten seconds, and the next line tells how many were held back", () => {
  const limit = new LogLimit();
  const admitted: number[] = [];
  for (let second = 0; second < 100; second++) admitted.push(limit.admit("endpoint changed", "alice", second * 1_000));
  const lines = admitted.filter((heldBack) => heldBack >= 0);
  expect(lines.length).toBeGreaterThanOrEqual(18);
  expect(lines.length).toBeLessThanOrEqual(20);
  expect(lines.reduce((sum, heldBack) => sum + heldBack, 0)).toBeGreaterThan(70);
  expect(limit.admit("endpoint changed", "bob", 100_000)).toBeGreaterThanOrEqual(0);
  expect(limit.admit("handshake completed", "alice", 100_000)).toBe(0);
});

test("an attack by a million strangers does not fill the journal, nor the memory", () => {
  const limit = new LogLimit();
  let lines = 0;
  for (let i = 0; i < 1_000_000; i++) if (limit.admit("endpoint changed", `peer ${i}`, i / 100) >= 0) lines++;
  expect(lines).toBeLessThanOrEqual(50 + 5 * 10 + 1);
});
