// Machines with a real systemd: a Debian tree booted inside a lab host, with this checkout installed as a package would install it.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandResult, Program } from "../../src/demo/command.js";
import type { Host } from "../../src/demo/lab.js";
import { eventually } from "../support/gateway.js";

const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, "../..");
const CACHE = process.env["LONGHAUL_TEST_CACHE"] ?? "/var/cache/longhaul-test";
const BOOT_TIMEOUT_MS = 120_000;

/**
 * @returns the directory of a Debian 13 tree, made by debootstrap if need be; or what LONGHAUL_TEST_TREE says, to try another release
 * Errors: throws with what debootstrap said.
 */
export function debianTree(): string {
  const given = process.env["LONGHAUL_TEST_TREE"];
  if (given !== undefined) return given;
  const tree = join(CACHE, "trixie");
  const made = spawnSync(join(here, "make-tree.sh"), [tree], { encoding: "utf8", timeout: 900_000 });
  if (made.status !== 0) throw new Error(`no Debian tree in ${tree}: ${made.stderr || made.error?.message}`);
  return tree;
}

/** Lays this checkout out as a package would: /usr/lib/longhaul, /usr/bin/longhaul, units, users, directories. */
export class Installation {
  readonly path = mkdtempSync(join(tmpdir(), "longhaul-installed-"));

  constructor() {
    const program = join(this.path, "usr/lib/longhaul");
    for (const part of ["bin", "dist", "package.json"]) this.#copy(part, join(program, part));
    const listed = spawnSync("npm", ["ls", "--omit=dev", "--parseable", "--all"], {
      cwd: repository,
      encoding: "utf8",
    });
    for (const module of listed.stdout.trim().split("\n").slice(1)) {
      if (!module.endsWith("/tun-tap-ts"))
        this.#copy(relative(repository, module), join(program, relative(repository, module)));
    }
    for (const part of ["package.json", "dist", "build/tun_tap.node"]) {
      this.#copy(join("native", part), join(program, "node_modules/tun-tap-ts", part));
    }
    mkdirSync(join(this.path, "usr/bin"), { recursive: true });
    symlinkSync("../lib/longhaul/bin/longhaul", join(this.path, "usr/bin/longhaul"));
    this.#copy("systemd/longhaul@.service", join(this.path, "usr/lib/systemd/system/longhaul@.service"));
    for (const kind of ["sysusers.d", "tmpfiles.d", "sysctl.d"])
      this.#copy(`systemd.d/${kind}`, join(this.path, "usr/lib", kind));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #copy(from: string, to: string): void {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(repository, from), to, { recursive: true, dereference: true });
  }
}

/** One booted machine. */
export class Machine {
  readonly host: Host;
  readonly #program: Program;
  readonly #cgroup: string;
  #initPid = 0;

  private constructor(host: Host, program: Program, cgroup: string) {
    this.host = host;
    this.#program = program;
    this.#cgroup = cgroup;
  }

  /** @param installation  what lies over the tree. Errors: throws with what the console said when it does not come up. */
  static async boot(host: Host, tree: string, installation: { readonly path: string }): Promise<Machine> {
    const cgroup = `longhaul-${host.name}-${process.pid}`;
    const program = host.start([join(here, "boot.sh"), tree, installation.path, cgroup, host.name]);
    const machine = new Machine(host, program, cgroup);
    try {
      await eventually(`${host.name} boots`, () => machine.#isUp(), BOOT_TIMEOUT_MS);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${program.stdout.slice(-3_000)}${program.stderr.slice(-1_000)}`);
    }
    return machine;
  }

  /** Runs a program to its end. Errors: CommandError unless it exits with 0. */
  run(...argv: string[]): Promise<string> {
    return this.host.run(this.#enter(argv));
  }

  try(...argv: string[]): Promise<CommandResult> {
    return this.host.try(this.#enter(argv));
  }

  start(...argv: string[]): Program {
    return this.host.start(this.#enter(argv));
  }

  /** Readable by root alone. */
  async writeFile(path: string, text: string): Promise<void> {
    await this.host.run(this.#enter(["sh", "-c", 'umask 077 && cat >"$0"', path]), { input: text });
  }

  /** One property of a unit. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.run("systemctl", "show", "--value", "--property", name, unit)).trim();
  }

  /** Everything the unit has logged. */
  journal(unit: string, ...options: string[]): Promise<string> {
    return this.run("journalctl", "--no-pager", "--unit", unit, "--output", "short-monotonic", ...options);
  }

  /** Switches it off at once and removes its cgroup. */
  async close(): Promise<void> {
    await this.#program.stop("SIGKILL");
    await eventually(`${this.host.name}: cgroup is empty`, () => this.#removeCgroup(), 30_000);
  }

  async #isUp(): Promise<boolean> {
    if (this.#initPid === 0) this.#initPid = this.#findInit();
    if (this.#initPid === 0) return false;
    const { stdout } = await this.try("systemctl", "is-system-running");
    return /^(running|degraded)$/m.test(stdout);
  }

  /** The machine's pid 1 as we see it: the one process of the host that is pid 1 in a namespace of its own. */
  #findInit(): number {
    for (const pid of this.host.processes()) {
      const status = statusOf(pid);
      if (/^Name:\tsystemd$/m.test(status) && /^NSpid:.*\t1$/m.test(status)) return pid;
    }
    return 0;
  }

  #enter(argv: readonly string[]): string[] {
    return ["nsenter", "--target", String(this.#initPid), "--all", "--", ...argv];
  }

  #removeCgroup(): boolean {
    const script = 'find "$0" -depth -type d -exec rmdir {} + 2>/dev/null; test ! -e "$0"';
    const path = join("/proc", String(this.host.pid), "root/run/cgroup2", this.#cgroup);
    return spawnSync("sh", ["-c", script, path]).status === 0;
  }
}

/** @returns what the kernel says of a process; nothing of one that has ended meanwhile */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}
