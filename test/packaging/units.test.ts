// The unit and its drop-ins as systemd reads them. What they do on a machine is tested in test/systemd/.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { requireTools } from "../support/require-tools.js";

const project = fileURLToPath(new URL("../..", import.meta.url));
const UNIT = "longhaul@.service";
const EXPOSURE_MAX = 1.7;
/** What a drop-in says that is for newer versions of systemd alone, and since which. */
const newer: readonly (readonly [RegExp, number])[] = [
  [/^Failed to parse service type, ignoring: notify-reload$/, 253],
  [/^Unknown key '(RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring\.$/, 254],
];

describe("systemd reads", requireTools(["systemd-analyze"]), () => {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-units-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  const analyze = (...words: string[]): { status: number | null; said: string[]; stdout: string } => {
    const { status, stdout, stderr } = spawnSync("systemd-analyze", words, { cwd: project, encoding: "utf8" });
    return { status, said: stderr.split("\n").filter(Boolean), stdout };
  };

  test("everything in systemd/ without a word, and finds it exposed to no more than 1.7", () => {
    const units = readdirSync(join(project, "systemd")).map((name) => `systemd/${name}`);
    expect(units).toContain(`systemd/${UNIT}`);
    expect(analyze("verify", ...units)).toMatchObject({ status: 0, said: [] });
    const { status, stdout } = analyze("security", "--offline=true", `systemd/${UNIT}`);
    expect(status).toBe(0);
    expect(Number(/exposure level .*: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThanOrEqual(EXPOSURE_MAX);
  });

  test("every drop-in, and has nothing to say but that it is too old for what is said to be for newer ones", () => {
    cpSync(join(project, "systemd"), directory, { recursive: true });
    cpSync(join(project, `systemd.d/${UNIT}.d`), join(directory, `${UNIT}.d`), { recursive: true });
    const version = Number(/^systemd (\d+)/.exec(analyze("--version").stdout)?.[1]);
    const known = newer.filter(([, since]) => version < since).map(([text]) => text);
    const problems = analyze("verify", join(directory, UNIT)).said.map((line) => line.replace(/^\S+:\d+: /, ""));
    expect(problems.filter((problem) => !known.some((text) => text.test(problem)))).toEqual([]);
  });
});
