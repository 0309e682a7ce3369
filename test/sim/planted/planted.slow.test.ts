// Every planted bug is caught by the simulation within 1,000 seeds.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { plantedBugs } from "./bugs.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));

test("every planted bug is caught within 1,000 seeds", () => {
  const run = spawnSync("npm", ["run", "--silent", "sim:planted"], { cwd: root, encoding: "utf8" });
  expect(run.stdout + run.stderr).toContain(
    `${plantedBugs.length} of ${plantedBugs.length} bugs caught within 1000 seeds`,
  );
  expect(run.status).toBe(0);
});
