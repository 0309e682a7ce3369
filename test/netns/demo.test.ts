// `npm run demo` as users run it: to its end, two at once, without root or tools, kept, and interrupted at any step.
// Whatever happens, no process of it is left, and with the processes go their namespaces.
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { Program, runCommand, tryCommand } from "../../src/demo/command.js";
import { eventually } from "../support/gateway.js";
import { requireTools } from "../support/require-tools.js";

const MAIN = fileURLToPath(new URL("../../dist/demo/main.js", import.meta.url));
const STEPS = [
  "Build three offices and an internet between them",
  "Without a tunnel the offices do not reach each other",
  "Start longhaul on the gateways of Berlin and Lisbon",
  "Berlin and Lisbon reach each other, LAN to LAN",
  "Move a file from a host in Berlin to one in Lisbon over TCP",
  "Add the office in Oslo while the other two keep running",
  "All three offices reach each other, six ways",
];
/** Names this test's demos: every process of a demo inherits it. */
const MARK = "LONGHAUL_DEMO_TEST";
const mark = `${process.pid}.${Date.now()}`;

function startDemo(words: readonly string[] = [], prefix: readonly string[] = [], path?: string): Program {
  const env = { [MARK]: mark, ...(path === undefined ? {} : { PATH: path }) };
  return new Program([...prefix, process.execPath, MAIN, ...words], { env, input: "" });
}

/** Pids of all processes that some demo of this test has started, in whatever namespace. */
function survivors(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, "latin1").split("\0").includes(`${MARK}=${mark}`);
      } catch {
        return false; // it has ended, or it is the kernel's
      }
    })
    .map(Number);
}

const nothingIsLeft = (): Promise<void> => eventually("no process is left", () => survivors().length === 0);

describe("the demo", requireTools(["ip", "ping", "wg"]), () => {
  afterEach(() => {
    for (const pid of survivors()) process.kill(pid, "SIGKILL");
  });

  test("two at once: each joins its three offices, exits with 0 and leaves nothing", async () => {
    const demos = [startDemo(), startDemo()];
    for (const demo of demos) {
      expect(await demo.exited, demo.stdout + demo.stderr).toEqual({ status: 0, signal: null });
      for (const step of STEPS) expect(demo.stdout).toMatch(new RegExp(`^✓ ${step}.* \\(\\d+\\.\\d s\\)$`, "m"));
      expect(demo.stdout.match(/ → .*: (\d+) of \1 answered/g)).toHaveLength(9);
      expect(demo.stdout).toMatch(/64 MiB at \d+ Mbit\/s/);
      expect(demo.stdout).toMatch(/interface: wg0[\s\S]*peer: [\s\S]*peer: /);
      expect(demo.stderr).toBe("");
    }
    expect(survivors()).toEqual([]);
  });

  test("without wg and ping: by means of its own, saying so", async () => {
    const tools = mkdtempSync(join(tmpdir(), "longhaul-demo-"));
    try {
      const needed = ["unshare", "nsenter", "mount", "sh", "node", "sleep", "cat", "stat", "true"];
      for (const name of needed) symlinkSync((await runCommand(["which", name])).trim(), join(tools, name));
      const demo = startDemo([], [], tools);
      expect(await demo.exited, demo.stdout + demo.stderr).toEqual({ status: 0, signal: null });
      expect(demo.stdout).toContain("UDP echo (ping is not installed here)");
      expect(demo.stdout).toContain("What wg show would say in Berlin (wg is not installed here)");
      expect(demo.stdout).toMatch(/latest handshake: .* ago|latest handshake: Now/);
      expect(survivors()).toEqual([]);
    } finally {
      rmSync(tools, { recursive: true });
    }
  });

  test("without root: in a user namespace, or a word on why not", async () => {
    const powerless = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"];
    const userNamespace = [...powerless, "unshare", "--user", "--map-root-user", "--mount", "--net", "true"];
    const possible = (await tryCommand(userNamespace)).status === 0;
    const demo = startDemo([], powerless);
    const { status } = await demo.exited;
    expect(status, demo.stdout + demo.stderr).toBe(possible ? 0 : 1);
    if (possible) expect(demo.stdout).toMatch(/^✓ Take everything down/m);
    else expect(demo.stderr).toMatch(/^demo: needs root/);
    expect(survivors()).toEqual([]);
  });

  test.each([
    ["SIGINT", 0, 130],
    ["SIGTERM", 2, 143],
    ["SIGHUP", 4, 129],
    ["SIGINT", 5, 130],
  ] as const)("%s in step %i: status %s, and nothing left", async (signal, step, status) => {
    const demo = startDemo();
    await demo.waitForOutput(new RegExp(`^… ${STEPS[step]}`, "m"), 60_000);
    expect(await demo.stop(signal, 20_000)).toEqual({ status, signal: null });
    expect(demo.stderr).toBe(`demo: ${signal}; taking everything down\n`);
    await nothingIsLeft();
  });

  test.each([0, 2, 4])("kill -9 in step %i: nothing left", async (step) => {
    const demo = startDemo();
    await demo.waitForOutput(new RegExp(`^… ${STEPS[step]}`, "m"), 60_000);
    await demo.stop("SIGKILL");
    await nothingIsLeft();
  });

  test("a reader that goes away: nothing left", async () => {
    const demo = startDemo();
    await demo.waitForOutput(new RegExp(`^… ${STEPS[0]}`, "m"));
    demo.child.stdout!.destroy();
    expect((await demo.exited).status).toBe(1);
    expect(survivors()).toEqual([]);
  });

  test("a step that fails: status 1, says which and why, nothing left", async () => {
    const env = { [MARK]: mark, LONGHAUL_BIN: "/bin/false" };
    const demo = new Program([process.execPath, MAIN], { env, input: "" });
    expect(await demo.exited).toEqual({ status: 1, signal: null });
    expect(demo.stdout).toMatch(/^✗ Build/m);
    expect(demo.stderr).toContain("/bin/false genkey: exit status 1");
    expect(survivors()).toEqual([]);
  });

  test("--keep: it stays up after the demo has ended, can be looked at, and goes by one command", async () => {
    const demo = startDemo(["--keep"]);
    expect(await demo.exited, demo.stdout + demo.stderr).toEqual({ status: 0, signal: null });
    const commands = [...demo.stdout.matchAll(/^ {2}(nsenter .*?)(?: {4,}#.*)?$/gm)].map((match) => match[1]!);
    expect(commands).toHaveLength(5);
    expect(await runCommand(["sh", "-c", commands[0]!.replace("ping", "ping -c 2")])).toContain("2 received");
    expect(await runCommand(["sh", "-c", commands[2]!])).toContain("[Interface]");
    expect(await runCommand(["sh", "-c", commands[3]!])).toContain("interface: wg0");
    await runCommand(["sh", "-c", demo.stdout.match(/^ {2}(kill \d+)$/m)![1]!]);
    await nothingIsLeft();
  });

  test("unknown options are refused", async () => {
    const demo = startDemo(["--kep"]);
    expect(await demo.exited).toEqual({ status: 2, signal: null });
    expect(demo.stderr).toContain('unknown option "--kep"');
  });
});
