// What the kernel counts of one process.
import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc/PID/stat: fixed at 100 in Linux's interface to user space. */
const TICKS_A_SECOND = 100;

/** @returns seconds of processor time, all threads, user and system. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3 on: the name may hold spaces
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** @returns resident memory, 10^6 bytes. */
export function rssMbOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return (Number(status.match(/^VmRSS:\s*(\d+) kB$/m)?.[1]) * 1_024) / 1e6;
}
