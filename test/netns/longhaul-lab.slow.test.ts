// The emulator by the clock: what `npm run bench:longhaul -- --check` finds must hold. It asserts times, so it is not
// part of `npm test`.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { root } from "../../bench/support/root.js";
import { requireTools } from "../support/require-tools.js";

const run = promisify(execFile);

describe("the link emulator, by the clock", requireTools(["ip", "ping", "iperf3"]), () => {
  test("keeps to what it is set to", async () => {
    await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.bench.json"], {
      cwd: root,
    });
    const { stdout } = await run(process.execPath, [join(root, "dist-bench/bench/main.js"), "longhaul", "--check"]);
    expect(stdout.match(/✓$/gm)).toHaveLength(8);
    expect(stdout).not.toContain("✗");
  });
});
