// The flood bench, as short as it goes, so that it does not rot. How fast is its own business; here is what must hold at any speed.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FloodSample } from "../../bench/flood/table.js";
import { requireTools } from "../support/require-tools.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

describe("bench:flood", requireTools(["ip", "wg", "ping", "iperf3", "tcpdump"]), () => {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-flood-test-"));
  const out = join(directory, "result.json");
  beforeAll(() =>
    run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.bench.json"], { cwd: root }),
  );
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test("two floods: newcomers are answered, by cookies where initiations pour in", async () => {
    const words = ["--rounds", "1", "--seconds", "2", "--rate", "5000", "--only", "longhaul"];
    const { stdout } = await run(
      process.execPath,
      [join(root, "dist-bench/bench/main.js"), "flood", ...words, "--floods", "initiations,initiations6", "--out", out],
      { env: { ...process.env, TMPDIR: directory } },
    );
    expect(stdout).toMatch(/4,096 IPv4 sources +[\d,]+ +[\d,.]+ +–/);
    const { samples, kind } = JSON.parse(readFileSync(out, "utf8")) as { samples: FloodSample[]; kind: string };
    expect(kind).toBe("flood");
    expect(samples.map(({ flood }) => flood)).toEqual(["initiations", "initiations6"]);
    for (const sample of samples) {
      expect(sample.mbps).toBeGreaterThan(0);
      expect(sample.attempts).toBeGreaterThan(0);
      expect(sample.tookMs.length).toBeGreaterThan(0);
      expect(sample.floodPerSecond).toBeGreaterThan(1_000);
      expect(sample.cookies).toBeGreaterThan(0);
      expect(sample.rssAfterMb).toBeGreaterThan(1);
    }
    expect(readdirSync(directory)).toEqual(["result.json"]);
  });

  test("a command line that it does not understand", async () => {
    const refused = run(process.execPath, [join(root, "dist-bench/bench/main.js"), "flood", "--floods", "water"]);
    await expect(refused).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("write some of none") });
  });
});
