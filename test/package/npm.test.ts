// The npm tarballs on a machine that has Node.js and npm and nothing else: no compiler, no registry.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireTools } from "../support/require-tools.js";

const project = fileURLToPath(new URL("../..", import.meta.url));
const packages = join(project, "dist-packages");

describe("the npm tarballs", requireTools([]), () => {
  const work = mkdtempSync(join(tmpdir(), "longhaul-npm-test-"));
  const tools = join(work, "bin");

  /** No other programs than these: nothing compiles. */
  const env = { PATH: tools, HOME: work, npm_config_offline: "true", npm_config_audit: "false" };
  const tarball = (name: string): string =>
    join(packages, readdirSync(packages).find((file) => file.startsWith(name) && file.endsWith(".tgz")) as string);

  beforeAll(() => {
    execFileSync("npm", ["run", "--silent", "package:npm"], { cwd: project, stdio: ["ignore", "ignore", "inherit"] });
    mkdirSync(tools);
    for (const tool of ["node", "npm", "sh", "env"]) {
      const path = execFileSync("sh", ["-c", `readlink -f "$(command -v ${tool})"`], { encoding: "utf8" }).trim();
      symlinkSync(path, join(tools, tool));
    }
  });

  afterAll(() => rmSync(work, { recursive: true, force: true }));

  function install(directory: string, ...tarballs: string[]): string {
    const to = join(work, directory);
    mkdirSync(to);
    writeFileSync(join(to, "package.json"), "{}");
    const { status, stderr } = spawnSync("npm", ["install", ...tarballs], { cwd: to, env, encoding: "utf8" });
    expect(status, stderr).toBe(0);
    return to;
  }

  test("longhaul's holds all it needs: it runs, and its addon loads", () => {
    const to = install("longhaul", tarball("longhaul-"));
    const run = (...words: string[]): string =>
      execFileSync(join(to, "node_modules/.bin/longhaul"), words, { env, encoding: "utf8" });
    expect(run("--version")).toMatch(/^longhaul \d/);
    expect(run("genkey")).toHaveLength(45);
    const script = 'import("tun-tap-ts").then((m) => console.log(typeof m.openTun))';
    const home = join(to, "node_modules/longhaul");
    expect(execFileSync("node", ["-e", script], { cwd: home, env, encoding: "utf8" })).toBe("function\n");
  });

  test("both tarballs go together, globally too", () => {
    const to = install("both", tarball("longhaul-"), tarball("tun-tap-ts-"));
    expect(readdirSync(join(to, "node_modules"))).toContain("tun-tap-ts");
    const prefix = join(work, "global");
    execFileSync("npm", ["install", "--global", "--prefix", prefix, tarball("longhaul-")], { env, stdio: "pipe" });
    expect(execFileSync(join(prefix, "bin/longhaul"), ["--version"], { env, encoding: "utf8" })).toMatch(/^longhaul/);
  });

  test("tun-tap-ts without an addon for this machine says what is missing, and builds where a compiler is", () => {
    const to = install("native", tarball("tun-tap-ts-"));
    const home = join(work, "unbuilt");
    cpSync(join(to, "node_modules/tun-tap-ts"), home, { recursive: true });
    rmSync(join(home, "prebuilds"), { recursive: true });
    const load = (): { status: number | null; stderr: string } =>
      spawnSync("node", ["-e", "import('./dist/index.js')"], { cwd: home, env, encoding: "utf8" });
    expect(load().stderr).toMatch(
      `tun-tap-ts has no addon for linux-${process.arch}; build it: node ${home}/build.mjs`,
    );
    const without = spawnSync("node", ["build.mjs", "--install"], { cwd: home, env, encoding: "utf8" });
    expect(without.status).toBe(1);
    expect(without.stderr).toMatch(/not found: it compiles the addon/);
    execFileSync("node", ["build.mjs", "--install"], { cwd: home, stdio: "pipe" });
    expect(load().status).toBe(0);
  });
});
