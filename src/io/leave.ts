// The end of a daemon's process.

import { endProcess } from "tun-tap-ts";

/**
 * Ends the process without Node's teardown, which may wait for ever: see endProcess(). Call it when keys are zeroed and
 * everything is written. Under one of Node's profilers the exit is Node's own, for they write then.
 */
export function leave(status: number): never {
  if (process.execArgv.some((option) => option.includes("prof"))) process.exit(status);
  endProcess(status);
}
