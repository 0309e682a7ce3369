import { expect, test } from "vitest";
import { DROP_REASON_COUNT, DropReason, dropReasonNames } from "../../src/core/drop-reason.js";
import { readProjectFile } from "./project.js";

test("docs/metrics.md has the drop reasons that the code has, in order", () => {
  const documented = [...readProjectFile("docs/metrics.md").matchAll(/^\| (\d+) \| ([a-z0-9_]+) \|/gm)];
  expect(documented.map(([, number, name]) => [Number(number), name])).toEqual(
    dropReasonNames.map((name, number) => [number, name]).slice(1),
  );
});

test("drop reasons are numbered without gaps", () => {
  expect(Object.values(DropReason)).toEqual(Array.from({ length: DROP_REASON_COUNT }, (_, number) => number));
});
