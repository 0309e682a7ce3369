// Datagrams to UNIX sockets, with descriptors: how a service speaks to its manager. It must not know what they say.

import { addon } from "./addon.js";
import { type AdviceTable, adviceFor, SystemCallError } from "./errors.js";

/** Exported for the tests of this package. */
export const unixDatagramAdvice: AdviceTable = {
  sockaddr_un: {
    EINVAL: "%s is no UNIX address: a path has to be absolute, an abstract name begins with @, up to 107 bytes",
  },
  SCM_RIGHTS: { E2BIG: "pass fewer descriptors at once" },
  sendmsg: {
    ENOENT: "nothing listens at %s",
    ECONNREFUSED: "nothing listens at %s",
    EACCES: "this user may not write to %s",
    EAGAIN: "the receiver at %s takes nothing",
    EBADF: "one of the descriptors is not open",
    EMSGSIZE: "the text is too long for one datagram",
  },
  "fcntl(F_SETFD)": { EBADF: "the descriptor is not open" },
};

function check(result: number, subject: string): void {
  if (result >= 0) return;
  const syscall = addon.failedCall();
  throw new SystemCallError(syscall, -result, adviceFor(unixDatagramAdvice, syscall, -result, subject));
}

/**
 * Sends one datagram to a UNIX socket. A receiver that is full is waited for, a second at the most.
 * @param address  a path, or a name in the abstract namespace behind an `@`
 * @param fds  open descriptors, up to 16; the receiver gets duplicates
 * Errors: SystemCallError.
 */
export function sendUnixDatagram(address: string, text: string, fds: readonly number[] = []): void {
  check(addon.sendUnixDatagram(address, Buffer.from(text), Int32Array.from(fds), fds.length), address);
}

/** Keeps an inherited descriptor from this process's children. Errors: SystemCallError. */
export function closeOnExec(fd: number): void {
  check(addon.closeOnExec(fd), "");
}
