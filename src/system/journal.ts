// What longhaul has set outside of its interface, kept in a file while it is in force: a daemon that was killed leaves rules, a packet
// filter and name servers behind, and the next one takes them away. No secret is in it.

import { open, readFile, rename, rm } from "node:fs/promises";
import type { NetworkState } from "./network-state.js";

export interface Journal {
  /** The first is in force; more while a change is under way. */
  readonly states: readonly NetworkState[];
  /** Everything that belongs to coming up was done, hooks included. */
  readonly isComplete: boolean;
}

/** @returns undefined: nothing is left, or what is there cannot be understood. */
export async function readJournal(path: string): Promise<Journal | undefined> {
  try {
    const journal = JSON.parse(await readFile(path, "utf8")) as Partial<Journal>;
    if (!Array.isArray(journal.states) || !journal.states.every(isState)) return undefined;
    return { states: journal.states, isComplete: journal.isComplete === true };
  } catch {
    return undefined;
  }
}

/** Replaces the file at once and whole. Errors: system errors. */
export async function writeJournal(path: string, journal: Journal): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(journal)}\n`);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

export async function removeJournal(path: string): Promise<void> {
  await rm(path, { force: true });
}

function isState(state: unknown): state is NetworkState {
  const { addresses, routes, mtu } = (state ?? {}) as Partial<NetworkState>;
  return Array.isArray(addresses) && Array.isArray(routes) && typeof mtu === "number";
}
