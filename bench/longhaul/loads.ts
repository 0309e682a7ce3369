// The loads of the lab: bulk TCP, watched from both ends, with a ping beside it.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../test/support/gateway.js";
import type { Link } from "../macro/link.js";
import { checkCongestionControl, setCongestionControl } from "../support/congestion-control.js";

export interface Load {
  readonly name: LoadName;
  readonly title: string;
  readonly congestion: string;
  readonly streams: number;
}

export const loadNames = ["cubic1", "cubic8", "bbr1", "bbr8"] as const;
export type LoadName = (typeof loadNames)[number];
export const DEFAULT_LOADS: readonly LoadName[] = ["cubic1", "cubic8", "bbr1"];

export function load(name: LoadName): Load {
  const congestion = name.slice(0, -1);
  const streams = Number(name.at(-1));
  return {
    name,
    congestion,
    streams,
    title: `${congestion.toUpperCase()}, ${streams === 1 ? "one stream" : "8 streams"}`,
  };
}

/** @returns why the load cannot run here, or undefined */
export function missingCongestionControl({ congestion }: Load): string | undefined {
  const path = "/proc/sys/net/ipv4/tcp_available_congestion_control";
  if (readFileSync(path, "utf8").trim().split(" ").includes(congestion)) return undefined;
  return `this kernel has no ${congestion} loaded (modprobe tcp_${congestion})`;
}

export interface LoadResult {
  /** At the receiver. */
  readonly bytes: number;
  readonly mbps: number;
  /** The same without the first {@link settleS} seconds. */
  readonly mbpsSettled: number;
  readonly retransmits: number;
  /** At the receiver, one every {@link INTERVAL_S}. */
  readonly seriesMbps: readonly number[];
  /** Round trips while it ran, after the start, ms. */
  readonly pingsMs: readonly number[];
  readonly pingsLost: number;
}

export const INTERVAL_S = 0.5;
const PING_EVERY_S = 0.05;
const PING_WAIT_S = 2;
const PORT = 5_201;
const PATIENCE_MS = 60_000;

/** @returns seconds of a load that slow start is given */
export function settleS(seconds: number): number {
  return Math.min(5, seconds / 4);
}

/** Runs one load from left to right. Errors: throws with what iperf3 said. */
export async function runLoad(link: Link, { congestion, streams }: Load, seconds: number): Promise<LoadResult> {
  await setCongestionControl(link, congestion);
  const server = link.right.start(["iperf3", "-s", "-1", "-J", "-i", String(INTERVAL_S)], { input: "" });
  try {
    await eventually("iperf3 listens", async () => {
      const sockets = await link.right.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"]);
      return sockets.includes(`:${PORT.toString(16).toUpperCase()} `);
    });
    const words = ["iperf3", "-J", "-c", link.target, "-t", seconds, "-P", streams].map(String);
    const timeoutMs = seconds * 1_000 + PATIENCE_MS;
    const sending = link.left.try(words, { timeoutMs });
    sending.catch(() => {}); // awaited below, unless ping fails first
    await sleep(settleS(seconds) * 1_000);
    const pings = await ping(link, Math.max(3, Math.floor((seconds - settleS(seconds) - 0.5) / PING_EVERY_S)));
    const sent = await sending;
    await Promise.race([server.exited, sleep(5_000)]);
    return { ...readReports(sent.stdout, sent.stderr, server.stdout, seconds, congestion), ...pings };
  } finally {
    await server.stop("SIGKILL");
  }
}

interface Report {
  readonly error?: string;
  readonly intervals: ReadonlyArray<{ readonly sum: Readonly<Record<string, number>> }>;
  readonly end: Readonly<Record<string, Readonly<Record<string, number>> | undefined>> & {
    readonly sender_tcp_congestion?: string;
  };
}

/** Exported for its test. */
export function readReports(
  sender: string,
  senderErrors: string,
  receiver: string,
  seconds: number,
  congestion: string,
): Omit<LoadResult, "pingsMs" | "pingsLost"> {
  if (sender.trim() === "") throw new Error(`iperf3 said nothing ${senderErrors.trim()}`);
  const sent = JSON.parse(sender) as Report;
  if (sent.error !== undefined) throw new Error(`iperf3: ${sent.error}`);
  checkCongestionControl(sent.end, congestion);
  if (receiver.trim() === "") throw new Error("iperf3 at the receiver said nothing");
  const received = JSON.parse(receiver) as Report;
  // What arrives after the sender's time is the tail of its buffers.
  const intervals = received.intervals.map(({ sum }) => sum).filter((sum) => sum["start"]! < seconds - INTERVAL_S / 2);
  const settled = intervals.filter((sum) => sum["start"]! >= settleS(seconds) - INTERVAL_S / 2);
  return {
    bytes: total(received.intervals.map(({ sum }) => sum)).bytes,
    mbps: total(intervals).mbps,
    mbpsSettled: total(settled).mbps,
    retransmits: sent.end["sum_sent"]?.["retransmits"] ?? 0,
    seriesMbps: intervals.map((sum) => Math.round(sum["bits_per_second"]! / 1e4) / 100),
  };
}

function total(sums: ReadonlyArray<Readonly<Record<string, number>>>): { bytes: number; mbps: number } {
  const bytes = sums.reduce((all, sum) => all + sum["bytes"]!, 0);
  const seconds = sums.reduce((all, sum) => all + sum["seconds"]!, 0);
  return { bytes, mbps: seconds === 0 ? 0 : (bytes * 8) / 1e6 / seconds };
}

/** Pings through the link. @returns round trips, and how many were never answered. Errors: when ping cannot run. */
export async function ping(link: Link, count: number): Promise<Pick<LoadResult, "pingsMs" | "pingsLost">> {
  const words = ["ping", "-n", "-i", PING_EVERY_S, "-c", count, "-W", PING_WAIT_S, link.target].map(String);
  const { stdout, stderr } = await link.left.try(words, { timeoutMs: count * PING_EVERY_S * 1_000 + PATIENCE_MS });
  if (!/packets transmitted/.test(stdout)) throw new Error(`ping: ${stderr.trim()}`);
  const times = new Map<string, number>();
  for (const [, sequence, time] of stdout.matchAll(/icmp_seq=(\d+) .*time=([\d.]+) ms/g)) {
    if (!times.has(sequence!)) times.set(sequence!, Number(time)); // not the duplicates
  }
  return { pingsMs: [...times.values()], pingsLost: count - times.size };
}
