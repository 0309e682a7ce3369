// The way to the service manager: one datagram, with descriptors.

import { closeOnExec, sendUnixDatagram } from "tun-tap-ts";

/** @param address  as in $NOTIFY_SOCKET. Errors: SystemCallError. */
export function notifyManager(address: string, text: string, fds: readonly number[] = []): void {
  sendUnixDatagram(address, text, fds);
}

/** Keeps a descriptor that the service manager passed on from hooks and other children. Errors: SystemCallError. */
export function keepFromChildren(fd: number): void {
  closeOnExec(fd);
}
