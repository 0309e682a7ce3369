// The link emulator on real devices: what the kernel says it sent and got is what the emulator's ledger says, to the
// packet. Times are not asserted: machines stall.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { type DirectionCounts, unaccounted } from "../../bench/longhaul/direction.js";
import { EmulatedLab } from "../../bench/longhaul/emulated-lab.js";
import type { EmulatorReport } from "../../bench/longhaul/emulator.js";
import { type DirectionSetting, linkSetting } from "../../bench/longhaul/setting.js";
import { root } from "../../bench/support/root.js";
import type { Host } from "../../src/demo/lab.js";
import { eventually } from "../support/gateway.js";
import { requireTools } from "../support/require-tools.js";
import { moveBytes, ping } from "../support/traffic.js";

const run = promisify(execFile);
const RIGHT = "192.0.2.2";
const labs: EmulatedLab[] = [];

interface World {
  readonly lab: EmulatedLab;
  readonly left: Host;
  readonly right: Host;
}

async function start(setting: Partial<DirectionSetting>): Promise<World> {
  const lab = new EmulatedLab(linkSetting(setting), 1);
  labs.push(lab);
  const [left, right] = [await lab.addHost("left"), await lab.addHost("right")];
  await lab.connect(
    { host: left, name: "eth0", addresses: ["192.0.2.1/24"] },
    { host: right, name: "eth0", addresses: [`${RIGHT}/24`] },
  );
  return { lab, left, right };
}

interface InterfaceCounts {
  readonly rx: { readonly packets: number; readonly bytes: number; readonly dropped: number };
  readonly tx: { readonly packets: number; readonly bytes: number; readonly dropped: number };
}

async function interfaceCounts(host: Host): Promise<InterfaceCounts> {
  const [entry] = JSON.parse(await host.run(["ip", "-s", "-json", "link", "show", "eth0"])) as Array<{
    stats64: InterfaceCounts;
  }>;
  return entry!.stats64;
}

/** Waits until nothing is under way and both sides agree, then says what was counted. */
async function settled({ lab, left, right }: World): Promise<EmulatorReport> {
  let report: EmulatorReport | undefined;
  await eventually("the kernel's counts are the emulator's", async () => {
    const before = await lab.cables[0]!.report();
    const [ours, theirs] = [await interfaceCounts(left), await interfaceCounts(right)];
    report = await lab.cables[0]!.report();
    const quiet =
      JSON.stringify([before.forward, before.backward]) === JSON.stringify([report.forward, report.backward]);
    const agrees = (counts: DirectionCounts, from: InterfaceCounts, to: InterfaceCounts): boolean =>
      counts.framesIn === from.tx.packets && counts.framesOut === to.rx.packets && counts.inFlight === 0;
    return quiet && agrees(report.forward, ours, theirs) && agrees(report.backward, theirs, ours);
  });
  for (const counts of [report!.forward, report!.backward]) {
    expect(unaccounted(counts)).toBe(0);
    expect([counts.noMemory, counts.refused]).toEqual([0, 0]);
  }
  for (const host of [left, right]) expect((await interfaceCounts(host)).tx.dropped).toBe(0);
  return report!;
}

describe("the link emulator", requireTools(["ip", "ping"]), () => {
  beforeAll(() =>
    run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.bench.json"], { cwd: root }),
  );
  afterEach(async () => {
    for (const lab of labs.splice(0)) await lab.close();
  });

  test("pings come back after the delay, all of them", async () => {
    const world = await start({ rateMbps: 100, delayMs: 20 });
    const { stdout } = await world.left.try(["ping", "-n", "-c", "5", "-i", "0.05", "-W", "5", RIGHT]);
    const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
    expect(times).toHaveLength(5);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(40); // the model may be late on a busy machine, never early
    const { forward, backward } = await settled(world);
    expect(forward.delivered).toBe(forward.offered);
    expect(backward.delivered).toBe(backward.offered);
  });

  test("TCP through losses, bursts, reordering, duplicates, corruption and a short queue arrives whole", async () => {
    const world = await start({
      ...{ rateMbps: 60, delayMs: 3, jitterMs: 2, queueMs: 8, lossPercent: 0.5, duplicatePercent: 1 },
      ...{ reorderPercent: 1, reorderMs: 1, corruptPercent: 0.5 },
      burstLoss: { enterPercent: 0.05, leavePercent: 30, lossPercent: 100 },
    });
    expect(await moveBytes(world.left, world.right, RIGHT, 6e6)).toBe(6e6);
    const { forward } = await settled(world);
    for (const kind of ["lost", "lostInBurst", "reordered", "duplicated", "corrupted", "queueFull"] as const) {
      expect(forward[kind], kind).toBeGreaterThan(0);
    }
    expect(forward.superFramesIn).toBeGreaterThan(0);
    expect(forward.framesOut).toBeLessThan(forward.delivered);
    expect(forward.delivered).toBe(forward.passed + forward.duplicated);
  });

  test("longer than the link's MTU does not pass, and says nothing", async () => {
    const world = await start({ delayMs: 1, mtu: 1_300 });
    expect(await ping(world.left, RIGHT, { payload: 1_272, count: 2 })).toBe(2);
    expect(await ping(world.left, RIGHT, { payload: 1_273, count: 2, waitS: 0.3 })).toBe(0);
    expect((await settled(world)).forward.tooBig).toBe(2);
  });

  test("the bench: progress, a table, a JSON with everything, a report", requireTools(["iperf3", "wg"]), async () => {
    const directory = mkdtempSync(join(tmpdir(), "longhaul-lab-test-"));
    try {
      const out = join(directory, "result.json");
      const options = [
        "--scenarios",
        "office",
        "--only",
        "longhaul",
        "--loads",
        "cubic1",
        "--rounds",
        "1",
        "--seconds",
        "1",
      ];
      const main = join(root, "dist-bench/bench/main.js");
      const env = { ...process.env, TMPDIR: directory };
      const { stdout, stderr } = await run(process.execPath, [main, "longhaul", ...options, "--out", out], { env });
      expect(stderr).toMatch(/\[ *\d+ %, \d+ s left\] office, round 1 of 1: cubic1 through longhaul/);
      expect(stdout).toMatch(/\nlonghaul +[\d.]+ /);
      const result = JSON.parse(readFileSync(out, "utf8"));
      expect(result).toMatchObject({ kind: "longhaul", seed: 1, rounds: 1, tcpSysctls: expect.any(Object) });
      const sample = result.samples.find(({ load }: { load: string }) => load === "cubic1");
      expect(sample.error).toBeUndefined();
      expect(sample.mbps).toBeGreaterThan(0);
      expect(sample.link.unaccounted).toBe(0);
      expect(sample.drops.lab).toBe(0);
      expect(readFileSync(join(directory, "result.html"), "utf8")).toContain("uPlot");
      expect(readdirSync(directory).sort()).toEqual(["result.html", "result.json"]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("a bench that is cut off leaves what it measured", requireTools(["iperf3", "wg"]), async () => {
    const directory = mkdtempSync(join(tmpdir(), "longhaul-lab-test-"));
    try {
      const out = join(directory, "result.json");
      const main = join(root, "dist-bench/bench/main.js");
      const options = ["--scenarios", "dsl", "--only", "none", "--loads", "cubic1", "--rounds", "9", "--seconds", "1"];
      const bench = spawn(process.execPath, [main, "longhaul", ...options, "--out", out], {
        env: { ...process.env, TMPDIR: directory },
        stdio: ["ignore", "ignore", "pipe"],
      });
      bench.stderr.setEncoding("utf8").on("data", (text: string) => {
        if (text.includes("round 2 of 9")) bench.kill("SIGTERM");
      });
      expect(await new Promise((resolve) => bench.on("exit", resolve))).toBe(143);
      const { samples } = JSON.parse(readFileSync(out, "utf8"));
      const load = { scenario: "dsl", round: 1, load: "cubic1", tunnel: "none", mbps: expect.any(Number) };
      expect(samples).toEqual([expect.objectContaining({ load: "idle" }), expect.objectContaining(load)]);
      await run(process.execPath, [main, "longhaul", "--render", out]);
      expect(readdirSync(directory).sort()).toEqual(["result.html", "result.json"]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("the emulator goes with its lab", async () => {
    const { lab } = await start({});
    const { pid } = lab.cables[0]!;
    await lab.close();
    await eventually("it is gone", () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
  });
});
