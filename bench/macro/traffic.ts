// The load: iperf3 from the left host to the right one, and ping with every round trip kept.
import { setTimeout as sleep } from "node:timers/promises";
import { checkCongestionControl, setCongestionControl } from "../support/congestion-control.js";
import type { Link } from "./link.js";

/** Of every TCP load, whatever this machine's default is: BBR paces itself, and would measure its pacing. */
export const CONGESTION_CONTROL = "cubic";

export interface IperfOptions {
  readonly seconds: number;
  readonly streams?: number;
  /** Both directions at once. */
  readonly both?: boolean;
  /** UDP as fast as it goes, in datagrams of so many bytes. */
  readonly datagramBytes?: number;
}

export interface IperfReport {
  /** At the receivers, both directions together. */
  readonly bytes: number;
  readonly bitsPerSecond: number;
  readonly retransmits: number;
  /** UDP: datagrams sent, those that the receiving program got, and how many of these a second. */
  readonly sent: number;
  readonly received: number;
  readonly receivedPerSecond: number;
}

const PATIENCE_MS = 30_000;

/** Runs iperf3 through the link. Errors: throws with what iperf3 said. */
export async function iperf(link: Link, options: IperfOptions): Promise<IperfReport> {
  const isUdp = options.datagramBytes !== undefined;
  if (!isUdp) await setCongestionControl(link, CONGESTION_CONTROL);
  const server = link.right.start(["iperf3", "-s", "-1", "--forceflush"], { input: "" });
  try {
    await server.waitForOutput(/Server listening/);
    const words = ["iperf3", "-J", "-c", link.target, "-t", String(options.seconds)];
    if (options.streams !== undefined) words.push("-P", String(options.streams));
    if (options.both === true) words.push("--bidir");
    if (isUdp) words.push("-u", "-b", "0", "-l", String(options.datagramBytes));
    const { stdout, stderr } = await link.left.try(words, { timeoutMs: options.seconds * 1_000 + PATIENCE_MS });
    return readReport(stdout, stderr, isUdp);
  } finally {
    await server.stop("SIGKILL");
  }
}

type Sums = Readonly<Record<string, Readonly<Record<string, number>> | undefined>>;

function readReport(stdout: string, stderr: string, udp: boolean): IperfReport {
  if (stdout.trim() === "") throw new Error(`iperf3 said nothing ${stderr.trim()}`);
  const { end, error } = JSON.parse(stdout) as { end: Sums & { sender_tcp_congestion?: string }; error?: string };
  if (error !== undefined) throw new Error(`iperf3: ${error}`);
  if (!udp) checkCongestionControl(end, CONGESTION_CONTROL);
  const received = [end["sum_received"], end["sum_received_bidir_reverse"]];
  const sent = [end["sum_sent"], end["sum_sent_bidir_reverse"]];
  const total = (sums: typeof received, field: string): number =>
    sums.reduce((sum, part) => sum + (part?.[field] ?? 0), 0);
  const datagrams = udp ? total(received.slice(0, 1), "packets") : 0;
  const arrived = udp ? datagrams - total(received.slice(0, 1), "lost_packets") : 0;
  return {
    bytes: total(received, "bytes"),
    bitsPerSecond: total(received, "bits_per_second"),
    retransmits: total(sent, "retransmits"),
    sent: datagrams,
    received: arrived,
    receivedPerSecond: udp ? arrived / received[0]!["seconds"]! : 0,
  };
}

/** Pings the far end through the link every 10 ms. @returns round trips in ms; a lost one is missing. */
export async function ping(link: Link, count: number): Promise<number[]> {
  const words = ["ping", "-n", "-i", "0.01", "-c", String(count), "-W", "2", link.target];
  const { stdout, stderr } = await link.left.try(words, { timeoutMs: count * 10 + PATIENCE_MS });
  if (!/packets transmitted/.test(stdout)) throw new Error(`ping: ${stderr.trim()}`);
  return [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}

/** Pings while one TCP stream fills the link. @returns round trips in ms. */
export async function pingUnderLoad(link: Link, seconds: number): Promise<number[]> {
  const settleMs = Math.min(1_000, seconds * 250);
  const load = iperf(link, { seconds });
  load.catch(() => {}); // awaited below, unless ping fails first
  await sleep(settleMs);
  const [roundTrips] = await Promise.all([ping(link, Math.max(10, (seconds * 1_000 - 2 * settleMs) / 10)), load]);
  return roundTrips;
}
