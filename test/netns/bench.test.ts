// The macro bench, as short as it goes, so that it does not rot: the real programs, the real namespaces.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireTools } from "../support/require-tools.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(root, "dist-bench/bench/main.js");
const run = promisify(execFile);

describe("bench:macro", requireTools(["ip", "wg", "ping", "iperf3"]), () => {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-bench-test-"));
  const env = { ...process.env, TMPDIR: directory };
  const out = join(directory, "result.json");
  beforeAll(() =>
    run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.bench.json"], { cwd: root }),
  );
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test("one round: a table for people, a JSON with everything", async () => {
    const words = [
      "--rounds",
      "1",
      "--seconds",
      "1",
      "--only",
      "longhaul",
      "--metrics",
      "tcp1,udp64,ping",
      "--out",
      out,
    ];
    const { stdout, stderr } = await run(process.execPath, [MAIN, "macro", ...words], { env });
    expect(stdout).toMatch(/TCP, one stream, Mbit\/s +[\d,.]+\n/);
    expect(stdout).toMatch(/ping idle, median, ms +[\d.]+\n/);
    expect(stderr).toContain("round 1 of 1: tcp1 through longhaul");
    const result = JSON.parse(readFileSync(out, "utf8"));
    expect(result).toMatchObject({
      kind: "macro",
      commit: { hash: expect.any(String), dirty: expect.any(Boolean) },
      machine: { cores: expect.any(Number), kernel: expect.any(String), sysctls: expect.any(Object) },
      versions: { longhaul: expect.any(String), iperf3: expect.stringContaining("iperf") },
      options: { rounds: 1, seconds: 1 },
      targets: expect.arrayContaining([expect.objectContaining({ title: "TUN drops under one TCP stream" })]),
    });
    const [tcp1, udp64, ping] = result.samples;
    expect(tcp1).toMatchObject({ round: 1, tunnel: "longhaul", metric: "tcp1" });
    expect(tcp1.figures.mbps).toBeGreaterThan(0);
    expect(tcp1.figures.cpuSecondsPerGb).toBeGreaterThan(0);
    expect(udp64.figures.packetsPerSecond).toBeGreaterThanOrEqual(udp64.figures.readPacketsPerSecond);
    expect(udp64.figures.rssAfterMb).toBeGreaterThan(1);
    expect(ping.figures.p99Ms).toBeGreaterThanOrEqual(ping.figures.medianMs);
    expect(readdirSync(directory)).toEqual(["result.json"]);
  });

  test("a peer that is missing is named, with how to get it", async () => {
    const words = ["--rounds", "1", "--seconds", "1", "--only", "wireguard-go,none", "--metrics", "ping", "--out", out];
    const { stdout } = await run(process.execPath, [MAIN, "macro", ...words], {
      env: { ...env, WIREGUARD_GO: "/nonexistent/wireguard-go" },
    });
    expect(stdout).toContain(
      "not measured: wireguard-go: /nonexistent/wireguard-go is not there: run .ci/get-peers.sh",
    );
    expect(JSON.parse(readFileSync(out, "utf8")).absent).toHaveLength(1);
  });

  test("a signal takes everything down", async () => {
    const words = ["--rounds", "1", "--seconds", "30", "--only", "longhaul", "--metrics", "tcp1", "--out", out];
    const bench = spawn(process.execPath, [MAIN, "macro", ...words], { env, stdio: ["ignore", "ignore", "pipe"] });
    let [said, signalled] = ["", false];
    let running: string[] = [];
    bench.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (signalled || !said.includes("tcp1 through longhaul")) return;
      signalled = true;
      running = startedWith(directory);
      bench.kill("SIGTERM");
    });
    const status = await new Promise((resolve) => bench.on("exit", resolve));
    expect(status).toBe(143);
    expect(running.length).toBeGreaterThan(4); // the bench, both hosts, both daemons
    await expect.poll(() => startedWith(directory), { timeout: 5_000 }).toEqual([]);
    expect(readdirSync(directory).filter((name) => name.startsWith("longhaul-bench-"))).toEqual([]);
  });

  test("a command line that it does not understand", async () => {
    const refused = run(process.execPath, [MAIN, "macro", "--metrics", "tcp9"], { env });
    await expect(refused).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("write some of tcp1") });
  });
});

/** Pids of the processes that a bench with this temporary directory has started: they inherit its environment. */
function startedWith(directory: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(`TMPDIR=${directory}\0`);
    } catch {
      return false; // it has ended
    }
  });
}
