// Runs one program to its end without holding up the event loop. Arguments and environment are seen by every user of the machine:
// no secret may be in either.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Writable } from "node:stream";

export interface ProgramOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string;
  /** What the program reads from descriptor 3: a secret may be in it. */
  readonly passed?: string;
  /** Called for each line of stdout and stderr as it comes; nothing is kept then. */
  readonly onLine?: (line: string) => void;
  /** The program is killed when it takes longer. Default: it may take as long as it likes. */
  readonly timeoutMs?: number;
}

export interface ProgramResult {
  /** Exit status; of a program that a signal ended, 128 and the signal, as the shell has it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program is not there or could not be started. */
export class ProgramMissingError extends Error {
  override readonly name = "ProgramMissingError";
  readonly code: string;

  constructor(program: string, code: string) {
    const cure = packageOf[program] === undefined ? "" : ` (apt install ${packageOf[program]})`;
    super(code === "ENOENT" ? `${program}${cure} is not installed` : `${program} cannot be run here (${code})`);
    this.code = code;
  }
}

/** ip(8) and its like are in directories that an ordinary user's PATH leaves out. */
const SYSTEM_DIRECTORIES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
/** What is between the service manager and us is not for our children. */
const PRIVATE_VARIABLES =
  /^(NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|FDSTORE|CREDENTIALS_DIRECTORY|LONGHAUL_READY_FD|WG_.*_FD)$/;
const SIGNAL_STATUS = 128;
const PASSED_FD = 3;
/** Debian's packages of what we run. */
const packageOf: Readonly<Record<string, string>> = { ip: "iproute2", nft: "nftables", resolvconf: "openresolv" };
/** A program that went to the background may have inherited the pipes: they are not waited for longer than this. */
const DRAIN_MS = 200;

/** @returns how it ended, whatever its status. Errors: ProgramMissingError. Thread: event loop; never blocks it. */
export function runProgram(argv: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), {
      cwd: "/",
      env: childEnvironment(),
      stdio: ["pipe", "pipe", "pipe", ...(options.passed === undefined ? [] : (["pipe"] as const))],
    }) as ChildProcessWithoutNullStreams;
    const stdout = new Output(options.onLine);
    const stderr = new Output(options.onLine);
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout.add(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.add(text));
    child.stdin.on("error", () => {}); //  it ended without reading its input; its status says why
    child.stdin.end(options.input ?? "");
    const third = child.stdio[PASSED_FD] as Writable | null | undefined;
    third?.on("error", () => {});
    third?.end(options.passed);
    const timer =
      options.timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    child.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(new ProgramMissingError(argv[0], error.code ?? "unknown"));
    });
    let drain: NodeJS.Timeout | undefined;
    const settle = (status: number | null, signal: NodeJS.Signals | null): void => {
      clearTimeout(timer);
      clearTimeout(drain);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ status: status ?? SIGNAL_STATUS + signalNumber(signal), stdout: stdout.end(), stderr: stderr.end() });
    };
    child.once("exit", (status, signal) => {
      drain = setTimeout(settle, DRAIN_MS, status, signal);
    });
    child.once("close", settle);
  });
}

/** Whether a program of that name is somewhere in the path. */
export async function hasProgram(name: string): Promise<boolean> {
  return (await runProgram(["sh", "-c", 'command -v "$0"', name])).status === 0;
}

function childEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!PRIVATE_VARIABLES.test(name)) env[name] = value;
  }
  env["PATH"] = env["PATH"] === undefined ? SYSTEM_DIRECTORIES : `${env["PATH"]}:${SYSTEM_DIRECTORIES}`;
  return env;
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : (constants.signals[signal] ?? 0);
}

/** What one stream says: kept whole, or handed on line by line. */
class Output {
  readonly #onLine: ((line: string) => void) | undefined;
  #text = "";

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  add(text: string): void {
    this.#text += text;
    if (this.#onLine === undefined) return;
    const lines = this.#text.split("\n");
    this.#text = lines.pop() as string;
    for (const line of lines) this.#onLine(line);
  }

  /** @returns what was kept */
  end(): string {
    if (this.#onLine !== undefined && this.#text !== "") this.#onLine(this.#text);
    return this.#onLine === undefined ? this.#text : "";
  }
}
