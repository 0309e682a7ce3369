// What the kernel counts of processes, interfaces and sockets.
import { readFileSync } from "node:fs";
import type { Host } from "../../src/demo/lab.js";
import type { Link } from "./link.js";

/** Clock ticks a second in /proc/PID/stat: fixed at 100 in Linux's interface to user space. */
const TICKS_A_SECOND = 100;

/** @returns seconds of processor time that the daemons of both ends have used, all threads, user and system. */
export function daemonCpuSeconds(link: Link): number {
  let ticks = 0;
  for (const pid of link.daemonPids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3 on: the name may hold spaces
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_A_SECOND;
}

/** @returns resident memory of the daemon that has most, 10^6 bytes. */
export function daemonRssMb(link: Link): number {
  return Math.max(
    ...link.daemonPids.map((pid) => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      return (Number(status.match(/^VmRSS:\s*(\d+) kB$/m)?.[1]) * 1_024) / 1e6;
    }),
  );
}

/** @returns packets that the interface's own queue has dropped on their way to the daemon, both ends. */
export async function interfaceDrops(link: Link): Promise<number> {
  const drops = async (host: Host): Promise<number> => {
    const [entry] = JSON.parse(await host.run(["ip", "-s", "-json", "link", "show", link.device])) as Array<{
      stats64: { tx: { dropped: number } };
    }>;
    return entry!.stats64.tx.dropped;
  };
  return (await drops(link.left)) + (await drops(link.right));
}

/** @returns datagrams dropped by full UDP sockets, both ends: the daemon's, while nothing else uses UDP. */
export async function socketDrops(link: Link): Promise<number> {
  return (await socketDropsOn(link.left)) + (await socketDropsOn(link.right));
}

/** The same on one host. */
export async function socketDropsOn(host: Host): Promise<number> {
  const table = await host.run(["cat", "/proc/net/udp", "/proc/net/udp6"]);
  return table
    .split("\n")
    .filter((line) => /^\s*\d+:/.test(line))
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/).at(-1)), 0);
}

/** @returns datagrams over IPv4 that full sockets on the right host have dropped, closed sockets included. */
export async function datagramsRefused(link: Link): Promise<number> {
  const [names, values] = (await link.right.run(["cat", "/proc/net/snmp"]))
    .split("\n")
    .filter((line) => line.startsWith("Udp: "))
    .map((line) => line.split(" "));
  const count = (name: string): number => Number(values![names!.indexOf(name)] ?? 0);
  return count("RcvbufErrors") + count("MemErrors");
}
