// Going to the background: the parent starts itself again as a daemon in the foreground of a session of its own, and
// waits at a pipe until the daemon says that it is ready, or why it is not. Nothing here knows what a daemon does.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";

/** Names the child's descriptor of the readiness pipe. */
const READY_FD_VARIABLE = "LONGHAUL_READY_FD";

/** As in the first line of bin/longhaul. */
export const NODE_OPTIONS = [
  "--no-memory-reducer",
  "--initial-heap-size=64",
  "--max-semi-space-size=4",
  "--v8-pool-size=1",
  "--expose-gc",
];

// The child's descriptors.
const READY_FD = 3;
const FIRST_PASSED_FD = 4;

const READY_WORD = "ready";
/** Begins a line for the person at the terminal. */
const SAY_WORD = "say ";

export interface BackgroundCommand {
  /** Arguments behind the Node executable and its options, script first. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Descriptors to pass on, each with the variable that names it. */
  readonly descriptors: readonly { readonly variable: string; readonly fd: number }[];
  /** Whether the daemon keeps writing to this process's stderr. */
  readonly keepStderr: boolean;
  /** Gets what the daemon has to say to whoever started it, line by line. */
  readonly onSay?: (line: string) => void;
}

/** `started`, or why not. */
export type BackgroundOutcome = { readonly started: true } | { readonly started: false; readonly message: string };

/**
 * Starts a daemon and waits until it reports. SIGINT or SIGTERM meanwhile ends the half-started daemon.
 * @returns when the daemon is ready, or has ended. Rejects when it cannot be spawned at all.
 */
export async function startInBackground(command: BackgroundCommand): Promise<BackgroundOutcome> {
  const env: NodeJS.ProcessEnv = { ...command.env, [READY_FD_VARIABLE]: String(READY_FD), WG_PROCESS_FOREGROUND: "1" };
  command.descriptors.forEach(({ variable }, i) => {
    env[variable] = String(FIRST_PASSED_FD + i);
  });
  const child = spawn(process.execPath, [...withNodeOptions(process.execArgv), ...command.args], {
    cwd: "/",
    env,
    detached: true, //  a session of its own
    stdio: ["ignore", "ignore", command.keepStderr ? 2 : "ignore", "pipe", ...command.descriptors.map(({ fd }) => fd)],
  });
  const interrupt = (): void => void child.kill("SIGTERM");
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    return await waitForReport(child, command.onSay ?? (() => {}));
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    child.unref();
  }
}

/** Adds what bin/longhaul starts itself with where this process was started by hand as `node bin/longhaul`. */
function withNodeOptions(options: readonly string[]): string[] {
  return [...new Set([...options, ...NODE_OPTIONS])];
}

async function waitForReport(child: ChildProcess, onSay: (line: string) => void): Promise<BackgroundOutcome> {
  const pipe = child.stdio[READY_FD] as NodeJS.ReadableStream & { destroy(): void };
  let rest = "";
  let report = "";
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    pipe.setEncoding("utf8");
    pipe.on("error", () => {}); //  a daemon that ends abruptly shows as an exit
    pipe.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) {
        if (line.startsWith(SAY_WORD)) {
          onSay(line.slice(SAY_WORD.length));
        } else if (line === READY_WORD) {
          pipe.destroy();
          resolve({ started: true });
        } else {
          report += `${line}\n`;
        }
      }
    });
    // "close", not "exit": the pipe has been read to its end by then, in whichever order the two came
    child.once("close", (status, signal) => {
      const how = signal === null ? `status ${status}` : `signal ${signal}`;
      resolve({ started: false, message: (report + rest).trim() || unexplained(how) });
    });
  });
}

function unexplained(how: string): string {
  return `the daemon ended with ${how} before it was ready; run it with --foreground --log-level debug to see why`;
}

/** The child's end of the readiness pipe; without a pipe it does nothing. */
export class ReadinessReport {
  #fd: number | undefined;

  /** @param env  its variable is removed, so that no grandchild takes the descriptor for its own. */
  constructor(env: NodeJS.ProcessEnv) {
    const text = env[READY_FD_VARIABLE];
    delete env[READY_FD_VARIABLE];
    this.#fd = text === String(READY_FD) ? READY_FD : undefined;
  }

  /** Whether a parent is waiting, so that errors need not be printed here. */
  get awaited(): boolean {
    return this.#fd !== undefined;
  }

  /** Passes a line on to the person who waits. */
  say(line: string): void {
    this.#write(`${SAY_WORD}${line}\n`);
  }

  ready(): void {
    this.#write(`${READY_WORD}\n`);
    this.#close();
  }

  failed(message: string): void {
    this.#write(`${message}\n`);
    this.#close();
  }

  #write(text: string): void {
    if (this.#fd === undefined) {
      return;
    }
    try {
      writeSync(this.#fd, text);
    } catch {
      this.#close(); // The parent has gone: nobody is waiting any more.
    }
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) {
      closeSync(fd);
    }
  }
}
