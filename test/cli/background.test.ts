import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NODE_OPTIONS } from "../../src/daemon/background.js";
import { exchange, until } from "../uapi/harness.js";
import { CompiledCli } from "./compiled-cli.js";

interface Facts {
  readonly options: Record<string, unknown>;
  readonly pid: number;
  readonly session: number;
  readonly cwd: string;
  readonly umask: number;
  readonly title: string;
  readonly holdsLoop: boolean;
  readonly tunTarget?: string;
  readonly stdio: readonly (string | null)[];
}

let cli: CompiledCli;
beforeAll(() => {
  cli = new CompiledCli();
}, 120_000); //  it compiles
afterAll(() => cli.remove());

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "longhaul-background-"));
});
afterEach(async () => {
  if (existsSync(report())) {
    const { pid } = facts();
    if (isRunning(pid)) {
      process.kill(pid, "SIGTERM");
      await until(() => !isRunning(pid));
    }
  }
  rmSync(directory, { recursive: true });
});

const report = (): string => join(directory, "facts.json");
const facts = (): Facts => JSON.parse(readFileSync(report(), "utf8")) as Facts;

/** Whether the daemon is there; one that has ended and that nobody waits for counts as gone. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function environment(behaviour: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { FAKE_DAEMON: behaviour, FAKE_REPORT: report(), FAKE_DIRECTORY: directory, ...more };
}

test("the event loop is held from the start, or Node may wait for its compiler threads for ever", () => {
  cli.run(["wg0", "--foreground"], environment("leave"));
  expect(facts().holdsLoop).toBe(true);
});

test("a daemon in the background gets the options for Node that one in the foreground has", () => {
  const [line] = readFileSync(new URL("../../bin/longhaul", import.meta.url), "utf8").split("\n");
  expect(line).toBe(`#!/usr/bin/env -S node ${NODE_OPTIONS.join(" ")}`);
  expect(line!.length).toBeLessThan(127); // what Linux before 5.1 reads of it
});

describe("longhaul IFNAME in the background", () => {
  test("returns 0 in silence when the daemon is ready, which goes on without it", async () => {
    expect(cli.run(["wg0"], environment("ready"))).toEqual({ status: 0, stdout: "", stderr: "" });
    const { pid, session, cwd, umask, title, stdio, options } = facts();
    expect(isRunning(pid)).toBe(true);
    expect(session).toBe(pid);
    expect([cwd, umask]).toEqual(["/", 0o077]);
    expect(title).toBe("longhaul wg0");
    expect(stdio).toEqual(["/dev/null", "/dev/null", "/dev/null"]);
    expect(options).toEqual({ interfaceName: "wg0", aead: "auto", logLevel: "error", metrics: [] });
  });

  test("passes its options on", async () => {
    const args = ["--aead", "openssl", "--log-level=verbose", "--", "genkey"];
    expect(await once(cli.start(args, environment("ready"), "ignore"), "exit")).toEqual([0, null]);
    expect(facts().options).toEqual({ interfaceName: "genkey", aead: "openssl", logLevel: "debug", metrics: [] });
  });

  test("what stands behind -- is a name, whatever it looks like", () => {
    expect(cli.run(["--", "--help"], environment("ready"))).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(facts().options).toMatchObject({ interfaceName: "--help" });
  });

  test("relays why the daemon did not start, and returns 1", () => {
    const { status, stdout, stderr } = cli.run(["wg0"], environment("fail"));
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe("longhaul: open /dev/net/tun: EPERM (operation not permitted): run as root\n");
  });

  test.each([
    ["crash", "signal SIGKILL"],
    ["leave", "status 0"],
  ])("says so when the daemon ends without a word: %s", (behaviour, how) => {
    const { status, stderr } = cli.run(["wg0"], environment(behaviour));
    expect(status).toBe(1);
    expect(stderr).toBe(
      `longhaul: the daemon ended with ${how} before it was ready; run it with --foreground --log-level debug to see why\n`,
    );
  });

  test.each([
    [{}, ""],
    [{ LOG_LEVEL: "silent" }, ""],
    [{ LOG_LEVEL: "error" }, "a line of log\n"],
    [{ LOG_LEVEL: "nonsense" }, "a line of log\n"],
  ])("the daemon logs to the terminal only when a level was asked for: %j", (more, stderr) => {
    // Output goes to a file: a pipe would stay open as long as the daemon lives.
    const fd = openSync(join(directory, "stderr"), "w");
    const child = cli.start(["wg0"], environment("talk", more), ["ignore", "ignore", fd]);
    closeSync(fd);
    return once(child, "exit").then(([status]) => {
      expect(status).toBe(0);
      expect(readFileSync(join(directory, "stderr"), "utf8")).toBe(stderr);
    });
  });

  test("a descriptor from WG_TUN_FD reaches the daemon", async () => {
    const fd = openSync(join(directory, "tun"), "w");
    const child = cli.start(["wg0"], environment("ready", { WG_TUN_FD: "5" }), [
      "ignore",
      "ignore",
      "inherit",
      "ignore",
      "ignore",
      fd,
    ]);
    closeSync(fd);
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(facts().tunTarget).toBe(join(directory, "tun"));
  });

  test("interrupted before the daemon is ready, it leaves no daemon behind", async () => {
    const child = cli.start(["wg0"], environment("never-ready"), "ignore");
    await until(() => existsSync(report()) && readFileSync(report()).length > 0);
    const { pid } = facts();
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([1, null]);
    await until(() => !isRunning(pid));
  });
});

describe("longhaul -f IFNAME", () => {
  test.each([
    [["-f", "wg0"], {}],
    [["wg0", "--foreground"], {}],
    [["wg0"], { WG_PROCESS_FOREGROUND: "1" }],
  ])("%j with %j stays and ends with the daemon's status", async (args, more) => {
    const child = cli.start(args, environment("ready", more), "ignore");
    await until(() => existsSync(report()) && readFileSync(report()).length > 0);
    expect(facts().pid).toBe(child.pid);
    await endsWith(child, 0);
  });

  test("says why it did not start, and returns 1", () => {
    const { status, stderr } = cli.run(["-f", "wg0"], environment("fail"));
    expect(status).toBe(1);
    expect(stderr).toBe("longhaul: open /dev/net/tun: EPERM (operation not permitted): run as root\n");
  });

  test("WG_PROCESS_FOREGROUND other than 1 means nothing", () => {
    expect(cli.run(["wg0"], environment("ready", { WG_PROCESS_FOREGROUND: "0" })).status).toBe(0);
    expect(isRunning(facts().pid)).toBe(true);
  });

  test.each([
    ["WG_TUN_FD", "abc"],
    ["WG_UAPI_FD", "-1"],
    ["WG_TUN_FD", "3 "],
  ])("%s=%s is refused with 1", (name, value) => {
    const { status, stderr } = cli.run(["-f", "wg0"], environment("ready", { [name]: value }));
    expect(status).toBe(1);
    expect(stderr).toBe(`longhaul: ${name} "${value}"; write the number of an open file descriptor\n`);
  });

  test.each([[["wg0"]], [["-f", "wg0"]]])("a descriptor that is not open is refused with 1: %j", (args) => {
    const { status, stderr } = cli.run(args, environment("ready", { WG_TUN_FD: "999" }));
    expect(status).toBe(1);
    expect(stderr).toBe(
      "longhaul: WG_TUN_FD 999: no such descriptor here; write the number of a descriptor that was passed on open\n",
    );
  });

  test.each([
    ["verbose", "debug"],
    ["debug", "debug"],
    ["info", "info"],
    ["error", "error"],
    ["silent", "silent"],
    ["nonsense", "error"],
    ["", "error"],
  ])("LOG_LEVEL=%s logs at %s", (value, level) => {
    cli.run(["-f", "wg0"], environment("fail", { LOG_LEVEL: value }));
    expect(facts().options).toMatchObject({ logLevel: level });
  });
});

describe("WG_UAPI_FD", () => {
  async function serveOn(path: string): Promise<ChildProcess> {
    const listener = createServer().listen(path);
    await once(listener, "listening");
    const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
    const child = cli.start(["-f", "wg0"], environment("serve", { WG_UAPI_FD: "3" }), [
      "ignore",
      "ignore",
      "inherit",
      fd,
    ]);
    await until(() => existsSync(report()));
    // Not closed by its own name: libuv would remove the file.
    listener.unref();
    return child;
  }

  test("is served, and the deletion of its socket file ends the daemon", async () => {
    const path = join(directory, "wg0.sock");
    const child = await serveOn(path);
    let answer = "";
    for (let i = 0; i < 40 && answer === ""; i++) {
      answer = await askOnce(path);
    }
    expect(answer).toBe("listen_port=4242\nerrno=0\n\n");
    rmSync(path);
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("goes to the background with the daemon", async () => {
    const path = join(directory, "wg0.sock");
    const listener = createServer().listen(path);
    await once(listener, "listening");
    const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
    const child = cli.start(["wg0"], environment("serve", { WG_UAPI_FD: "7" }), [
      ...(["ignore", "ignore", "inherit", "ignore", "ignore", "ignore", "ignore"] as const),
      fd,
    ]);
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(isRunning(facts().pid)).toBe(true);
    listener.unref();
  });

  /** The listener in this process may take a connection too; it says nothing. */
  async function askOnce(path: string): Promise<string> {
    return Promise.race([exchange(path, "get=1\n\n"), new Promise<string>((resolve) => setTimeout(resolve, 200, ""))]);
  }
});

async function endsWith(child: ChildProcess, status: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await ended).toEqual([status, null]);
}
