// The kernel's routing as a socket sees it: the way to an endpoint, and that something changed.

import { closeSync } from "node:fs";
import { addon } from "./addon.js";
import { type AdviceTable, adviceFor, SystemCallError } from "./errors.js";

const advice: AdviceTable = {
  "socket(AF_NETLINK)": {
    EAFNOSUPPORT: "netlink is closed to this process: allow AF_NETLINK (systemd: RestrictAddressFamilies)",
    EMFILE: "raise the limit of open files (ulimit -n)",
  },
};

/** Hears of every change of routes, rules and addresses of the network namespace that it was made in. */
export class RouteReports {
  /** Readable when there is news; for a Poller. */
  readonly fd: number;

  /** Errors: SystemCallError. */
  constructor() {
    const fd = addon.routeWatchOpen();
    if (fd < 0) {
      const syscall = addon.failedCall();
      throw new SystemCallError(syscall, -fd, adviceFor(advice, syscall, -fd, ""));
    }
    this.fd = fd;
  }

  /** Takes the news. @returns whether there was any */
  take(): boolean {
    return addon.routesChanged(this.fd) === 1;
  }

  /** Once. */
  close(): void {
    closeSync(this.fd);
  }
}

/**
 * The interface by which the kernel would send UDP to a record's remote address from its local one. Some 10 µs.
 * @param records  endpoint records, the one meant at `offset`. @param mark  of the datagrams; 0: none
 * @returns its index, > 0; 0: not from that address, or not at all; -errno: it could not be asked
 */
export function routeInterface(records: Uint8Array, offset: number, mark: number): number {
  return addon.routeInterface(records, offset, mark);
}
