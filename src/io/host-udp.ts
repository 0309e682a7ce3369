// UDP losses that the kernel tells of a network namespace only, not of a socket: datagrams that a full queue below swallowed after
// the send had succeeded, and those with a wrong checksum. Source: /proc/net/snmp, snmp6; Linux net/ipv4/udp.c.

import { readFileSync } from "node:fs";

/** Of the thread: the daemon's sockets are in the namespace that it runs in. */
const FILE4 = "/proc/thread-self/net/snmp";
const FILE6 = "/proc/thread-self/net/snmp6";

export interface HostUdpLosses {
  /** Sends that failed for want of room: in the socket's buffer (EAGAIN, which we see too) or in a queue below. */
  sendBufferErrors: number;
  checksumErrors: number;
}

/** Reads both families. A file that cannot be read counts as zeros. */
export function readHostUdpLosses(): HostUdpLosses {
  const text4 = read(FILE4);
  const text6 = read(FILE6);
  const [names, values] = text4
    .split("\n")
    .filter((line) => line.startsWith("Udp: "))
    .map((line) => line.split(" "));
  const v4 = (name: string): number => Number(values?.[names?.indexOf(name) ?? -1] ?? 0);
  const v6 = (name: string): number => Number(new RegExp(`^${name}\\s+(\\d+)`, "m").exec(text6)?.[1] ?? 0);
  return {
    sendBufferErrors: v4("SndbufErrors") + v6("Udp6SndbufErrors"),
    checksumErrors: v4("InCsumErrors") + v6("Udp6InCsumErrors"),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
