// Daemons that are killed at random instants, one after the other, on one state directory.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Processes that have started and wait for their turn. */
const WAITING = 4;
const script = fileURLToPath(new URL("power-cut-process.mjs", import.meta.url));

export interface PowerCuts {
  /** Timestamps in the order sent, as hex. */
  readonly sent: string[];
  /** Files in the state directory at the end. */
  readonly files: string[];
  /** What the processes complained of: a disk that cannot be written to. */
  readonly complaints: string;
}

/** Runs and kills `cuts` processes. Leaves nothing behind. */
export async function cutPower(cuts: number): Promise<PowerCuts> {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-power-cut-"));
  const state = join(directory, "state");
  const notes = join(directory, "notes");
  const children: ChildProcess[] = [];
  let complaints = "";
  const start = (): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [script, state, notes], { stdio: "pipe" });
    children.push(child);
    child.stderr.on("data", (text) => {
      complaints += text;
    });
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.stdout!.once("data", () => resolve(child));
    });
  };
  try {
    const waiting = Array.from({ length: Math.min(WAITING, cuts) }, start);
    for (let cut = 0; cut < cuts; cut++) {
      await runAndCut(await waiting.shift()!);
      if (cut < cuts - WAITING) waiting.push(start());
    }
    return { sent: readFileSync(notes, "utf8").trim().split("\n"), files: readdirSync(state), complaints };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Lets it run for a random while, then ends it as a power cut would. */
async function runAndCut(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.stdin!.write("go\n");
  await sleep(Math.random() * 40);
  child.kill("SIGKILL");
  await exited;
}

/** @returns the first timestamp that is not greater than the one before it, with that one; empty: there is none */
export function repeated({ sent }: PowerCuts): string[] {
  const at = sent.findIndex((timestamp, i) => i > 0 && timestamp <= sent[i - 1]!);
  return at < 0 ? [] : sent.slice(at - 1, at + 1);
}
