// What one gateway knows of its end of a tunnel: counters, buffers, processor, offloads. Read before and after a
// measurement, on both ends; the far one sends it as JSON. Nothing in it is secret.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { formatIpAddress } from "../config/ip-address.js";
import type { DeviceSnapshot } from "../core/device/update.js";
import { runProgram } from "../system/program.js";
import { getDevice } from "../uapi/client.js";
import { socketPath } from "../uapi/socket-file.js";

/** One end. Counters count since whenever they began: only their differences mean something. */
export interface EndFacts {
  readonly hostname: string;
  readonly interfaceName: string;
  readonly mtu: number;
  /** Packets that the interface's queue dropped, because the daemon was too slow. */
  readonly tunDrops: number;
  /** Datagrams that the daemon's full UDP sockets dropped. */
  readonly socketDrops: number;
  /** Datagrams that full sockets of any program here dropped, the daemon's and iperf3's among them. */
  readonly anySocketDrops: number;
  /** Receive buffer of the smallest of these sockets, as the kernel counts it; null: not known. */
  readonly socketBufferBytes: number | null;
  /** Greatest buffers that a TCP connection of this host may have, and what controls its congestion. */
  readonly tcpReceiveBytes: number;
  readonly tcpSendBytes: number;
  readonly congestionControl: string;
  readonly cores: number;
  /** Seconds, all cores together. */
  readonly busySeconds: number;
  readonly totalSeconds: number;
  /** The daemon's main thread: seconds on a processor, and seconds waiting for one. Null: not found. */
  readonly daemon: { readonly runSeconds: number; readonly waitSeconds: number } | null;
  /** The interface below the tunnel; null: not known. */
  readonly outside: { readonly device: string; readonly mtu: number; readonly offloads: Offloads } | null;
  /** longhaul's own counters: packets refused, by direction and reason. Null: another daemon. */
  readonly refused: Readonly<Record<string, number>> | null;
}

/** As ethtool(8) names them; one that the device or ethtool lacks is missing. */
export type Offloads = Readonly<Partial<Record<(typeof OFFLOADS)[number], boolean>>>;

export const OFFLOADS = [
  "generic-receive-offload",
  "rx-udp-gro-forwarding",
  "tx-udp-segmentation",
  "tx-checksumming",
] as const;

/** Clock ticks a second in /proc/stat: fixed at 100 in Linux's interface to user space. */
const TICKS_A_SECOND = 100;
const TUN_DEVICE = "/dev/net/tun";

/**
 * Reads this end. @param refused  longhaul's own counters, from whoever can ask the daemon
 * Errors: UapiError when no daemon runs; ENOENT when there is no such interface.
 */
export async function readEndFacts(
  interfaceName: string,
  refused: Readonly<Record<string, number>> | null,
): Promise<EndFacts> {
  const device = await readDevice(interfaceName);
  const link = await readLink(interfaceName);
  const { busy, total } = processorSeconds();
  return {
    hostname: hostname(),
    interfaceName,
    mtu: link.mtu,
    tunDrops: link.stats64.tx.dropped,
    socketDrops: socketDrops(device.listenPort),
    anySocketDrops: anySocketDrops(),
    socketBufferBytes: await socketBufferBytes(device.listenPort),
    tcpReceiveBytes: lastNumber("/proc/sys/net/ipv4/tcp_rmem"),
    tcpSendBytes: lastNumber("/proc/sys/net/ipv4/tcp_wmem"),
    congestionControl: readFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "utf8").trim(),
    cores: readFileSync("/proc/stat", "utf8").match(/^cpu\d+ /gm)?.length ?? 1,
    busySeconds: busy,
    totalSeconds: total,
    daemon: daemonSeconds(interfaceName),
    outside: await readOutside(device),
    refused,
  };
}

/** The daemon's state, without its key. Errors: UapiError. */
async function readDevice(interfaceName: string): Promise<DeviceSnapshot> {
  const device = await getDevice(socketPath(interfaceName));
  device.privateKey?.fill(0);
  for (const peer of device.peers) peer.presharedKey.fill(0);
  return device;
}

interface LinkEntry {
  readonly mtu: number;
  readonly stats64: { readonly tx: { readonly dropped: number } };
}

/** By ip(8), not /sys: that may show another network namespace. Errors: Error with what ip said. */
async function readLink(device: string): Promise<LinkEntry> {
  const { status, stdout, stderr } = await runProgram(["ip", "-s", "-json", "link", "show", "dev", device]);
  if (status !== 0) throw new Error(`ip link show dev ${device}: ${stderr.trim()}`);
  return (JSON.parse(stdout) as [LinkEntry])[0];
}

/** Drops of the sockets bound to a port, both families. */
function socketDrops(port: number): number {
  const bound = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let drops = 0;
  for (const table of ["/proc/net/udp", "/proc/net/udp6"]) {
    for (const line of readOptional(table).split("\n")) {
      const words = line.trim().split(/\s+/);
      if (words[1]?.endsWith(bound)) drops += Number(words.at(-1));
    }
  }
  return drops;
}

/** `Udp: RcvbufErrors` of both families. */
function anySocketDrops(): number {
  const [names, values] = readOptional("/proc/net/snmp")
    .split("\n")
    .filter((line) => line.startsWith("Udp: "))
    .map((line) => line.split(" "));
  const ip4 = Number(values?.[names?.indexOf("RcvbufErrors") ?? 0] ?? 0);
  const ip6 = Number(/^Udp6RcvbufErrors\s+(\d+)$/m.exec(readOptional("/proc/net/snmp6"))?.[1] ?? 0);
  return ip4 + ip6;
}

async function socketBufferBytes(port: number): Promise<number | null> {
  const sizes = await tryProgram(["ss", "-Huanm", `sport = :${port}`]);
  const found = [...sizes.matchAll(/skmem:\(r\d+,rb(\d+)/g)].map((match) => Number(match[1]));
  return found.length === 0 ? null : Math.min(...found);
}

function processorSeconds(): { busy: number; total: number } {
  const [user, nice, system, idle, wait, irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
    .split("\n")[0]
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / TICKS_A_SECOND);
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + wait };
}

/** Of the process that has the interface open: the kernel says which in fdinfo. */
function daemonSeconds(interfaceName: string): EndFacts["daemon"] {
  const here = readlinkSync("/proc/self/ns/net");
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      if (readlinkSync(`/proc/${pid}/ns/net`) !== here || !hasOpen(pid, interfaceName)) continue;
      const [run, wait] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ");
      return { runSeconds: Number(run) / 1e9, waitSeconds: Number(wait) / 1e9 };
    } catch {
      // it has ended, or it is not ours to look at
    }
  }
  return null;
}

function hasOpen(pid: string, interfaceName: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some(
    (fd) =>
      readlinkSync(`/proc/${pid}/fd/${fd}`) === TUN_DEVICE &&
      new RegExp(`^iff:\\s*${interfaceName}$`, "m").test(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8")),
  );
}

/** Of the peer that was heard of last. */
async function readOutside(device: DeviceSnapshot): Promise<EndFacts["outside"]> {
  const [peer] = device.peers
    .filter(({ endpoint }) => endpoint !== undefined)
    .sort((a, b) => b.lastHandshakeMs - a.lastHandshakeMs);
  if (peer?.endpoint === undefined) return null;
  const route = await tryProgram(["ip", "-json", "route", "get", formatIpAddress(peer.endpoint.bytes)]);
  const name = /"dev":"([^"]+)"/.exec(route)?.[1];
  if (name === undefined) return null;
  return { device: name, mtu: (await readLink(name)).mtu, offloads: await readOffloads(name) };
}

async function readOffloads(device: string): Promise<Offloads> {
  const text = await tryProgram(["ethtool", "-k", device]);
  const found: Partial<Record<(typeof OFFLOADS)[number], boolean>> = {};
  for (const name of OFFLOADS) {
    const state = new RegExp(`^\\s*${name}: (on|off)`, "m").exec(text)?.[1];
    if (state !== undefined) found[name] = state === "on";
  }
  return found;
}

/** @returns what it printed; nothing when it is missing or fails */
async function tryProgram(argv: readonly string[]): Promise<string> {
  try {
    const { status, stdout } = await runProgram(argv, { timeoutMs: 5_000 });
    return status === 0 ? stdout : "";
  } catch {
    return "";
  }
}

function readOptional(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function lastNumber(path: string): number {
  return Number(readFileSync(path, "utf8").trim().split(/\s+/).at(-1));
}
