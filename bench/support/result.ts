// Where a bench's JSON goes and what every one of them says: when, on what, of which commit.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { type Commit, describeCommit, describeMachine, type Machine } from "./machine.js";
import { root } from "./root.js";

/** What a result was measured on. */
export interface Setting {
  readonly date: string;
  readonly commit: Commit;
  readonly machine: Machine;
}

export async function describeSetting(): Promise<Setting> {
  return { date: new Date().toISOString(), commit: await describeCommit(root), machine: describeMachine() };
}

/** @returns one line for people. */
export function formatMachine({ machine }: Setting): string {
  const { cpu, cores, memoryGb, kernel, node } = machine;
  return `${cpu}, ${cores} cores, ${memoryGb} GB; Linux ${kernel.split(" ")[0]}; Node ${node}`;
}

/**
 * Writes a result. @param kind  "macro", "micro" or "compare". @param out  file, or undefined: a new one in bench/results
 * @returns its path for people.
 */
export async function saveResult(
  kind: string,
  out: string | undefined,
  setting: Setting,
  result: Readonly<Record<string, unknown>>,
): Promise<string> {
  const { hash, dirty } = setting.commit;
  const time = setting.date.slice(0, 19).replaceAll(":", "");
  const suffix = `${kind === "macro" ? "" : `-${kind}`}${dirty ? "-dirty" : ""}`;
  const path = out ?? join(root, "bench/results", `${time}-${hash}${suffix}.json`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify({ kind, ...setting, ...result }, null, 1)}\n`);
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}
