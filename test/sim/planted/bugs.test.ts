// Each bug can still be planted: the text that it changes is there, once.

import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { planted, plantedBugs } from "./bugs.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));

test.each(plantedBugs)("$name", (bug) => {
  const changed = planted(root, bug);
  expect(changed.size).toBe(1);
  for (const { to, file } of bug.edits) expect(changed.get(file)).toContain(to);
});

test("a bug whose text is gone is an error", () => {
  const edits = [{ file: "src/core/device/ledger.ts", from: "not in there", to: "" }];
  expect(() => planted(root, { name: "gone", edits })).toThrow(/0 times/);
});
