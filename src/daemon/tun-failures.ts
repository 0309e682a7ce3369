// Tells the log that the interface cannot be read, once in a while.
import { getSystemErrorName } from "node:util";
import type { DaemonLog } from "./log.js";

const QUIET_MS = 10_000;

export class TunFailures {
  readonly #log: DaemonLog;
  #quietUntilMs = 0;

  constructor(log: DaemonLog) {
    this.#log = log;
  }

  /** @param errno  of the read, positive. @param nowMs  a clock that only goes forward */
  tell(errno: number, nowMs: number): void {
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + QUIET_MS;
    this.#log.error(
      { code: getSystemErrorName(-errno) },
      "the interface cannot be read; what is sent waits in its queue",
    );
  }
}
