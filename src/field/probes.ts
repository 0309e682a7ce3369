// The probes of `longhaul bench`: ping(8) and iperf3(1), run from here against the far host.

import { setTimeout as sleep } from "node:timers/promises";
import { runProgram } from "../system/program.js";

/** The far host does not answer as it should; the message says what to start there. */
export class FarEndError extends Error {
  override readonly name = "FarEndError";
}

export interface Pings {
  /** Median; null: none came back. */
  readonly medianMs: number | null;
  readonly sent: number;
  readonly received: number;
}

const PING_EVERY_S = 0.05;
const PATIENCE_MS = 10_000;
const CONNECT_MS = 4_000;
const RETRY_MS = 1_000;
/** IPv4 or IPv6 header and ICMP's. */
const PING_HEADERS = { 4: 28, 6: 48 } as const;
const SMALLEST_MTU = { 4: 576, 6: 1_280 } as const;
/** TCP's first second is slow start. */
const OMIT_S = 1;
const PROBE_BYTES = 1_200;

/** Pings. Errors: ProgramMissingError; Error when ping cannot run. */
export async function ping(address: string, count: number): Promise<Pings> {
  const words = ["ping", "-n", "-i", PING_EVERY_S, "-c", count, "-W", 2, address].map(String);
  const { stdout, stderr } = await runProgram(words, { timeoutMs: count * PING_EVERY_S * 1_000 + PATIENCE_MS });
  if (!stdout.includes("packets transmitted")) throw new Error(`ping ${address}: ${stderr.trim()}`);
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1])).sort((a, b) => a - b);
  return { medianMs: times.length === 0 ? null : times[times.length >> 1], sent: count, received: times.length };
}

/** @returns the longest inner packet that comes through, if that is shorter than the interface's MTU; else null */
export async function longestPacket(address: string, mtu: number): Promise<number | null> {
  const family = address.includes(":") ? 6 : 4;
  const passes = async (bytes: number): Promise<boolean> => {
    const size = bytes - PING_HEADERS[family];
    const words = ["ping", "-n", "-M", "do", "-s", size, "-c", 5, "-i", 0.1, "-W", 1, address].map(String);
    return / [1-9]\d* received/.test((await runProgram(words, { timeoutMs: PATIENCE_MS })).stdout);
  };
  if (await passes(mtu)) return null;
  let [most, least] = [mtu, SMALLEST_MTU[family] as number];
  if (!(await passes(least))) throw new FarEndError(`${address} answers no pings of ${least} bytes either`);
  while (most - least > 4) {
    const middle = (most + least) >> 1;
    if (await passes(middle)) least = middle;
    else most = middle;
  }
  return least;
}

export interface TcpOptions {
  readonly port: number;
  readonly streams: number;
  readonly seconds: number;
  /** From the far host to here. */
  readonly backward: boolean;
}

interface IperfEnd {
  readonly bits_per_second?: number;
  readonly retransmits?: number;
  readonly packets?: number;
  readonly lost_packets?: number;
}

interface IperfReport {
  readonly error?: string;
  readonly end: { readonly sum?: IperfEnd; readonly sum_sent?: IperfEnd; readonly sum_received?: IperfEnd };
}

/** @returns bits a second at the receiver, and retransmits. Errors: FarEndError. */
export async function tcp(
  address: string,
  { port, streams, seconds, backward }: TcpOptions,
): Promise<{ bitsPerSecond: number; retransmits: number }> {
  const words = ["-t", seconds, "-O", OMIT_S, "-P", streams, ...(backward ? ["-R"] : [])];
  const { end } = await iperf(address, port, words, seconds + OMIT_S);
  return { bitsPerSecond: end.sum_received?.bits_per_second ?? 0, retransmits: end.sum_sent?.retransmits ?? 0 };
}

/** Sends datagrams at a modest rate. @returns the share that was lost, and how many were sent. Errors: FarEndError. */
export async function datagramLoss(
  address: string,
  options: {
    readonly port: number;
    readonly seconds: number;
    readonly bitsPerSecond: number;
    readonly backward: boolean;
  },
): Promise<{ loss: number | null; packets: number }> {
  const { port, seconds, bitsPerSecond, backward } = options;
  const words = ["-u", "-b", Math.round(bitsPerSecond), "-l", PROBE_BYTES, "-t", seconds, ...(backward ? ["-R"] : [])];
  const { end } = await iperf(address, port, words, seconds);
  const packets = end.sum?.packets ?? 0;
  return { loss: packets === 0 ? null : (end.sum?.lost_packets ?? 0) / packets, packets };
}

/** iperf3's server now and then resets a client that comes right behind another. */
async function iperf(
  address: string,
  port: number,
  words: ReadonlyArray<string | number>,
  seconds: number,
): Promise<IperfReport> {
  try {
    return await iperfOnce(address, port, words, seconds);
  } catch (error) {
    if (!(error instanceof FarEndError) || !/busy|control|reset/.test(error.message)) throw error;
    await sleep(RETRY_MS);
    return iperfOnce(address, port, words, seconds);
  }
}

async function iperfOnce(
  address: string,
  port: number,
  words: ReadonlyArray<string | number>,
  seconds: number,
): Promise<IperfReport> {
  const fixed = ["iperf3", "-J", "-c", address, "-p", port, "--connect-timeout", CONNECT_MS];
  const { stdout, stderr } = await runProgram([...fixed, ...words].map(String), {
    timeoutMs: seconds * 1_000 + PATIENCE_MS,
  });
  let report: IperfReport;
  try {
    report = JSON.parse(stdout) as IperfReport;
  } catch {
    throw new FarEndError(`iperf3 to ${address} did not end: ${stderr.trim() || "nothing came through"}`);
  }
  if (report.error !== undefined) throw new FarEndError(`iperf3 to ${address}: ${report.error}`);
  return report;
}
