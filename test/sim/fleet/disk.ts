// A disk in virtual time: what is written is there after a crash, what is being written is there or not.

import type { EventQueue } from "./event-queue.js";

const ENOSPC = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
const WRITE_LATENCY_MS = 20;

/** What {@link TimestampFloor} asks of a state directory. */
export class SimDisk {
  readonly path = "the disk";
  readonly #files = new Map<string, string>();
  readonly #plan: EventQueue["plan"];
  readonly #nowMs: () => number;
  /** A daemon's number: what a dead one had under way never ends. */
  #generation = 0;
  isFull = false;
  /** A write failed since the last that did not: what is there is older than what the daemon wanted. */
  isBehind = false;
  /** Something ended that somebody awaits: microtasks have to run before time goes on. */
  hasEnded = false;

  constructor(plan: EventQueue["plan"], nowMs: () => number) {
    this.#plan = plan;
    this.#nowMs = nowMs;
  }

  read(name: string): string | undefined {
    return this.#files.get(name);
  }

  write(name: string, text: string): void {
    this.isBehind = this.isFull;
    if (this.isFull) throw ENOSPC;
    this.#files.set(name, text);
  }

  writeSoon(name: string, text: string, isWanted: () => boolean): Promise<boolean> {
    const generation = this.#generation;
    return new Promise((resolve, reject) => {
      this.#plan(this.#nowMs() + WRITE_LATENCY_MS, () => {
        if (generation !== this.#generation) return;
        this.hasEnded = true;
        this.isBehind = this.isFull;
        if (this.isFull) {
          reject(ENOSPC);
          return;
        }
        const wanted = isWanted();
        if (wanted) this.#files.set(name, text);
        resolve(wanted);
      });
    });
  }

  /** The daemon that used it is dead. @param isLost  nothing is left */
  crash(isLost: boolean): void {
    this.#generation++;
    if (isLost) this.#files.clear();
  }
}
