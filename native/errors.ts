// Failed system calls as errors that say what to do. It must not perform any call itself.

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

/** Errno values that hot functions return, negated. */
export const Errno = {
  EIO: 5,
  EAGAIN: 11,
  EBADF: 9,
  ENODEV: 19,
  EINVAL: 22,
  EBADMSG: 74,
  EBADFD: 77,
  EMSGSIZE: 90,
  ENOBUFS: 105,
} as const;

const codes = new Map<number, string>([
  ...Object.entries(constants.errno).map(([code, errno]) => [errno, code] as const),
  [Errno.EBADFD, "EBADFD"],
  [Errno.EAGAIN, "EAGAIN"],
]);

const texts = new Map<number, string>([[Errno.EBADFD, "file descriptor in bad state"]]);

/** @param errno  positive. @returns "EPERM", or "errno 4711" for a number that this system does not name. */
export function errnoCode(errno: number): string {
  return codes.get(errno) ?? `errno ${errno}`;
}

function errnoText(errno: number): string {
  return texts.get(errno) ?? getSystemErrorMap().get(-errno)?.[1] ?? "unknown error";
}

/** A system call that failed, and what to do about it. */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  /** The call, with what it was about: "open /dev/net/tun", "ioctl(TUNSETIFF)". */
  readonly syscall: string;
  /** Positive. */
  readonly errno: number;
  readonly code: string;
  /** One sentence; empty when nothing better than the error itself is known. */
  readonly advice: string;

  constructor(syscall: string, errno: number, advice: string) {
    const code = errnoCode(errno);
    super(`${syscall}: ${code} (${errnoText(errno)})${advice === "" ? "" : `: ${advice}`}`);
    this.syscall = syscall;
    this.errno = errno;
    this.code = code;
    this.advice = advice;
  }
}

/** Advice by call and errno code; `*` stands for any code. */
export type AdviceTable = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** @param subject  replaces `%s` in the advice: the interface name, the address. */
export function adviceFor(table: AdviceTable, syscall: string, errno: number, subject: string): string {
  const row = table[syscall];
  return (row?.[errnoCode(errno)] ?? row?.["*"] ?? "").replaceAll("%s", subject);
}
