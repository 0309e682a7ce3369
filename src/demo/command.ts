// Runs programs and watches them: the only way the demo and the namespace tests call ip, ping and the daemons.
// It knows nothing of namespaces; a Host puts nsenter(1) in front of the command.
import { type ChildProcess, spawn } from "node:child_process";

export interface CommandOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The program is killed when it takes longer. */
  readonly timeoutMs?: number;
}

/** How a program ended: one of the two is set. */
export interface ExitStatus {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface CommandResult extends ExitStatus {
  readonly stdout: string;
  readonly stderr: string;
}

/** A program failed, could not be started or took too long; the message holds the command and what it said. */
export class CommandError extends Error {
  readonly code = "COMMAND_FAILED";
  readonly result: CommandResult;

  constructor(argv: readonly string[], why: string, result: CommandResult) {
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-2_000);
    super(`${argv.join(" ")}: ${why}${said === "" ? "" : `\n${said}`}`);
    this.name = "CommandError";
    this.result = result;
  }
}

/** ip(8) and its like are in directories that an ordinary user's PATH leaves out. */
const SEARCH_PATH = `${process.env["PATH"] ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`;
const COMMAND_TIMEOUT_MS = 30_000;
/** A daemon that went to the background may have inherited the pipes: they are not waited for longer than this. */
const DRAIN_MS = 100;

/** A running program, in a session of its own so that a terminal's Ctrl-C reaches only us. */
export class Program {
  readonly argv: readonly string[];
  readonly child: ChildProcess;
  /** What it has said so far. */
  stdout = "";
  stderr = "";
  /** Settles when the program is gone and its pipes are read. Rejects only if it could not be started. */
  readonly exited: Promise<ExitStatus>;
  #watchers: Array<() => void> = [];
  #gone = false;

  constructor(argv: readonly string[], options: CommandOptions = {}) {
    this.argv = argv;
    this.child = spawn(argv[0]!, argv.slice(1), {
      detached: true,
      cwd: "/",
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, PATH: SEARCH_PATH, ...options.env },
    });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#heard("stdout", text));
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => this.#heard("stderr", text));
    this.child.stdin!.on("error", () => {}); // it left without reading its input; its exit status says why
    if (options.input !== undefined) this.child.stdin!.end(options.input);
    this.exited = this.#exit();
    this.exited.catch(() => {}); // reported by whoever awaits it
  }

  /** Resolves with the match once standard output holds `pattern`. Errors: CommandError when it exits or time is up. */
  async waitForOutput(pattern: RegExp, timeoutMs = 10_000): Promise<RegExpMatchArray> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const match = this.stdout.match(pattern);
      if (match !== null) return match;
      if (this.#gone) throw this.#error(`exited before saying ${pattern}`, this.child.exitCode, this.child.signalCode);
      if (Date.now() > deadline) throw this.#error(`did not say ${pattern} in ${timeoutMs} ms`, null, null);
      await this.#change(deadline - Date.now());
    }
  }

  /** Sends `signal`, and SIGKILL after `timeoutMs`. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeoutMs = 5_000): Promise<ExitStatus> {
    if (!this.#gone) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill("SIGKILL"), timeoutMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  #heard(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text;
    this.#wake();
  }

  #wake(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, timeoutMs));
      this.#watchers.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #exit(): Promise<ExitStatus> {
    return new Promise((resolve, reject) => {
      let drain: NodeJS.Timeout | undefined;
      const settle = (status: number | null, signal: NodeJS.Signals | null): void => {
        clearTimeout(drain);
        this.#gone = true;
        for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) stream?.destroy();
        this.#wake();
        resolve({ status, signal });
      };
      this.child.once("error", (error) => {
        this.#gone = true;
        this.#wake();
        reject(this.#error(error.message, null, null));
      });
      this.child.once("exit", (status, signal) => {
        drain = setTimeout(settle, DRAIN_MS, status, signal);
      });
      this.child.once("close", settle);
    });
  }

  #error(why: string, status: number | null, signal: NodeJS.Signals | null): CommandError {
    return new CommandError(this.argv, why, { status, signal, stdout: this.stdout, stderr: this.stderr });
  }
}

/**
 * Runs a program to its end.
 * @returns whatever its exit status was. Errors: CommandError when it cannot be started or takes too long.
 */
export async function tryCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const program = new Program(argv, { input: "", ...options });
  const timeoutMs = options.timeoutMs ?? COMMAND_TIMEOUT_MS;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    program.child.kill("SIGKILL");
  }, timeoutMs);
  try {
    const exit = await program.exited;
    const result = { ...exit, stdout: program.stdout, stderr: program.stderr };
    if (late) throw new CommandError(argv, `killed after ${timeoutMs} ms`, result);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a program to its end. @returns its standard output. Errors: CommandError unless it exits with 0. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.status === 0) return result.stdout;
  const why = result.signal === null ? `exit status ${result.status}` : `killed by ${result.signal}`;
  throw new CommandError(argv, why, result);
}

/** Whether `name` is a program in PATH. */
export async function hasProgram(name: string): Promise<boolean> {
  return (await tryCommand(["sh", "-c", 'command -v "$0"', name])).status === 0;
}
