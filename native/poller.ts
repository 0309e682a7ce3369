// Readiness of any number of descriptors and one timer, in one call a turn of the event loop.

import { addon, lend } from "./addon.js";
import { type AdviceTable, adviceFor, SystemCallError } from "./errors.js";
import { CLOCK_CELLS } from "./system.js";

/** The bit of the poller's own timer. */
export const TIMER_BIT = 1 << 30;

const advice: AdviceTable = {
  "epoll_ctl(EPOLL_CTL_ADD)": {
    EEXIST: "the descriptor is watched already: remove it first",
    EPERM: "a regular file is always ready and cannot be watched",
    EBADF: "the descriptor is not open",
  },
  epoll_create1: { EMFILE: "raise the limit of open files (ulimit -n)" },
  timerfd_create: { EMFILE: "raise the limit of open files (ulimit -n)" },
  "closed poller": { EBADF: "close() was called on it" },
};

function check(result: number): number {
  if (result >= 0) return result;
  const syscall = addon.failedCall();
  throw new SystemCallError(syscall, -result, adviceFor(advice, syscall, -result, ""));
}

/**
 * Watches descriptors for input, level-triggered: what is not read is reported again. All pollers of a thread share one
 * wait, which stands in for that of the event loop: while only their descriptors are ready, libuv makes no rounds.
 * Timers, immediates, promises and Node's own sockets run as ever.
 */
export class Poller {
  /** Cells by ClockCell, read anew before every call of onReady. */
  readonly clock = new Float64Array(CLOCK_CELLS);
  /** The armed deadline; native code sets it to 0 when it fires. A cell, for a double argument would be heap. */
  readonly #timer = new Float64Array(1);
  #handle: number;

  /**
   * Keeps the event loop alive until close().
   * @param onReady  called with the bits of what is readable, hung up or broken. An error it throws is an uncaught one.
   */
  constructor(onReady: (mask: number) => void) {
    this.#handle = check(addon.pollerOpen(onReady, lend(this.clock), lend(this.#timer)));
    addon.readClock(this.clock);
  }

  /** @param fd  stays the caller's: remove it before closing it. @param bit  a power of two below {@link TIMER_BIT} */
  add(fd: number, bit: number): void {
    check(addon.pollerAdd(this.#handle, fd, bit));
  }

  /** No error for a descriptor that is not watched. */
  remove(fd: number): void {
    check(addon.pollerRemove(this.#handle, fd));
  }

  /**
   * Arms the one timer; it fires once. Hot-safe, and no call at all when the deadline stays the same.
   * @param deadlineBootMs  CLOCK_BOOTTIME; a past one fires in the next turn; 0 disarms.
   * @returns 0, or -errno.
   */
  setTimer(deadlineBootMs: number): number {
    if (deadlineBootMs === this.#timer[0]) return 0;
    this.#timer[0] = deadlineBootMs;
    return addon.pollerArmTimer(this.#handle);
  }

  /** Stops watching; the descriptors stay open. Idempotent. */
  close(): void {
    addon.pollerClose(this.#handle);
    this.#handle = -1;
  }
}

/**
 * After a call of onReady, look for more that long before sleeping: fewer wake-ups while packets keep coming, at the
 * price of a busy processor. For all pollers of this thread, of which there must be one. Default 0.
 */
export function setPollLinger(microseconds: number): void {
  check(addon.pollersSetLinger(microseconds));
}

/** Cells of {@link watchAbsences}. native/src/poller.h has the same list; a test compares. */
export const AbsenceCell = {
  Count: 0,
  MsSum: 1,
  MsMax: 2, // the longest: the stall of the event loop
  QueuedMs: 3, // how long what the last wait found can have been ready: since the look before; 0 if it ended a sleep
} as const;
export const ABSENCE_CELLS = 4;

/**
 * From now on notes how long this thread's descriptors were not looked at: between the end of one wait and the begin of the
 * next, whatever kept the thread busy. Costs one clock reading a wait. Replaces what was given before.
 * @param cells  {@link ABSENCE_CELLS}  @param histogram  absences by bound, one cell more than bounds
 * @param boundsMs  ascending, at most 16
 */
export function watchAbsences(cells: Float64Array, histogram: Float64Array, boundsMs: readonly number[]): void {
  check(addon.pollersWatchAbsences(lend(cells), lend(histogram), Float64Array.from(boundsMs), boundsMs.length));
}
