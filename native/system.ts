// Clocks and process settings.

import { addon } from "./addon.js";
import { type AdviceTable, adviceFor, SystemCallError } from "./errors.js";

/** Cells of a clock reading, milliseconds with a fraction. */
export const ClockCell = {
  Boot: 0, // CLOCK_BOOTTIME: goes on while the machine sleeps
  Real: 1, // CLOCK_REALTIME: since 1970
  Monotonic: 2, // CLOCK_MONOTONIC
} as const;
export const CLOCK_CELLS = 3;

/** @param into  {@link CLOCK_CELLS} cells. @returns 0, or -EINVAL for another array. Allocates nothing. */
export function readClock(into: Float64Array): number {
  return addon.readClock(into);
}

const advice: AdviceTable = {
  "unshare(CLONE_NEWNET)": { EPERM: "a new network namespace needs CAP_SYS_ADMIN: run as root" },
  setns: { EPERM: "entering a network namespace needs CAP_SYS_ADMIN: run as root", EINVAL: "%s is not a namespace" },
  "open network namespace": { ENOENT: "%s does not exist: see `ip netns list`" },
};

/**
 * Moves the calling thread: TUN devices, sockets and child processes made from now on belong to that network namespace;
 * what is open stays where it is. So one process can have its UDP socket in one namespace and its TUN in another.
 * @param path  such as /var/run/netns/blue or /proc/4711/ns/net; "": a new, empty namespace.
 * Errors: SystemCallError.
 */
export function enterNetworkNamespace(path: string): void {
  const result = addon.enterNetworkNamespace(path);
  if (result >= 0) return;
  const syscall = addon.failedCall();
  throw new SystemCallError(syscall, -result, adviceFor(advice, syscall, -result, path));
}

/** No core dump of this process, and no debugger by other users: its memory holds keys. Errors: SystemCallError. */
export function disableDumps(): void {
  const result = addon.disableDumps();
  if (result < 0) throw new SystemCallError(addon.failedCall(), -result, "");
}

/**
 * Ends the process at once: no exit handlers, no teardown of Node. Whoever calls it has written and closed everything.
 * For daemons: process.exit() waits for V8's compiler threads, and one of those may wait for a garbage collection that
 * nobody is left to do (nodejs/node issue 54918).
 * @param status  0–255
 */
export function endProcess(status: number): never {
  return addon.endProcess(status);
}
