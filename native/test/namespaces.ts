// Real devices need root and a network namespace of their own. Importing this file moves the test process into one.
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { SystemCallError } from "../errors.js";
import { enterNetworkNamespace } from "../system.js";

function tryEnter(): boolean {
  try {
    enterNetworkNamespace("");
    return true;
  } catch (error) {
    if (process.env["CI"] === "true" || !(error instanceof SystemCallError)) throw error;
    process.stderr.write(`\n*** NOT TESTED: real TUN devices and sockets. ${error.message}\n\n`);
    return false;
  }
}

/** False on a user's machine without the right; with CI=true that is an error instead. */
export const canUseDevices: boolean = tryEnter();

function tryPing(): boolean {
  const { error } = spawnSync("ping", ["-V"]);
  if (error === undefined) return true;
  if (process.env["CI"] === "true") throw error;
  process.stderr.write("\n*** NOT TESTED: pings. Install ping (Debian: apt install iputils-ping)\n\n");
  return false;
}

/** False where a user's machine lacks the right or ping; with CI=true that is an error instead. */
export const canPing: boolean = canUseDevices && tryPing();

/**
 * Runs the command behind it as user nobody, who may read every file: the tests may stand in a home directory that is
 * closed to others. Nothing else is allowed to him.
 */
export const asNobody: readonly string[] = [
  ...["setpriv", "--reuid", "65534", "--clear-groups"],
  ...["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"],
];

/** Runs a command in the namespace that this thread is in. @returns its output. */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

export function ip(...args: string[]): string {
  return run("ip", ...args);
}

if (canUseDevices) ip("link", "set", "lo", "up");

/** A namespace held open by a descriptor. */
export class Namespace {
  readonly fd: number;

  private constructor() {
    this.fd = openSync("/proc/thread-self/ns/net", "r");
  }

  /** The one that this thread is in. */
  static current(): Namespace {
    return new Namespace();
  }

  /** A new one, with its loopback up. */
  static create(): Namespace {
    const before = Namespace.current();
    enterNetworkNamespace("");
    ip("link", "set", "lo", "up");
    const made = Namespace.current();
    before.enter();
    before.close();
    return made;
  }

  /** For commands that take a namespace. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.fd}`;
  }

  enter(): void {
    enterNetworkNamespace(this.path);
  }

  /** Runs `body` inside and comes back, whatever happens. */
  within<T>(body: () => T): T {
    const before = Namespace.current();
    this.enter();
    try {
      return body();
    } finally {
      before.enter();
      before.close();
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Waits until `condition` holds. */
export async function until(what: string, condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
