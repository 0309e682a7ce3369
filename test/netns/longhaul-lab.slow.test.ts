// The emulator by the clock: what `npm run bench:longhaul -- --check` finds must hold. It asserts times, so it is not
// part of `npm test`.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { EmulatedLab } from "../../bench/longhaul/emulated-lab.js";
import { linkSetting } from "../../bench/longhaul/setting.js";
import { root } from "../../bench/support/root.js";
import { requireTools } from "../support/require-tools.js";

const run = promisify(execFile);

/** Processor time of all threads since the start. */
function processorS(pid: number): number {
  const words = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(words[11]) + Number(words[12])) / 100;
}

describe("the link emulator, by the clock", requireTools(["ip", "ping", "iperf3", "taskset"]), () => {
  test("keeps to what it is set to", async () => {
    await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.bench.json"], {
      cwd: root,
    });
    const { stdout } = await run(process.execPath, [join(root, "dist-bench/bench/main.js"), "longhaul", "--check"]);
    expect(stdout.match(/✓$/gm)).toHaveLength(8);
    expect(stdout).not.toContain("✗");
  });

  // V8 tidies its memory up some eight seconds after there was something to do.
  test("leaves a processor alone when there is nothing to do, though it may keep everybody from it", async () => {
    const lab = new EmulatedLab(linkSetting({ delayMs: 5 }), 1);
    try {
      const [left, right] = [await lab.addHost("left"), await lab.addHost("right")];
      await lab.connect(
        { host: left, name: "eth0", addresses: ["192.0.2.1/24"] },
        { host: right, name: "eth0", addresses: ["192.0.2.2/24"] },
      );
      const pid = lab.cables[0]!.pid;
      await run("taskset", ["-a", "-p", "-c", "0", String(pid)]);
      await left.run(["ping", "-q", "-i", "0.01", "-c", "200", "192.0.2.2"]);
      const ranBefore = processorS(pid);
      await sleep(12_000);
      expect(processorS(pid) - ranBefore).toBeLessThan(1);
    } finally {
      await lab.close();
    }
  });
});
