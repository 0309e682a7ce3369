// A daemon that is killed at any instant has sent no timestamp that a later run sends again.
import { expect, test } from "vitest";
import { cutPower, repeated } from "./power-cut.js";

test("20 power cuts, and no timestamp twice or out of order", async () => {
  const cuts = await cutPower(20);
  expect(cuts.sent.length).toBeGreaterThan(10);
  expect(repeated(cuts)).toEqual([]);
  expect(cuts.complaints).toBe("");
  expect(cuts.files.length).toBeLessThanOrEqual(3); //  the file, and what a cut left half-written
});
