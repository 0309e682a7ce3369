// Traffic between hosts, by the usual tools, with the outcome as numbers.
import { randomBytes } from "node:crypto";
import type { Host } from "../../src/demo/lab.js";
import { transferFile } from "../../src/demo/transfer.js";

const PAYLOAD_PATH = "/run/payload";

export interface PingOptions {
  readonly count?: number;
  /** Bytes of ICMP payload. */
  readonly payload?: number;
  /** Forbid fragmentation of the inner packet. */
  readonly dontFragment?: boolean;
  readonly intervalS?: number;
  readonly waitS?: number;
}

/** Pings. @returns how many replies came back; duplicates count too. */
export async function ping(from: Host, address: string, options: PingOptions = {}): Promise<number> {
  const { count = 3, payload = 56, dontFragment = false, intervalS = 0.05, waitS = 2 } = options;
  const words = ["ping", "-n", "-c", count, "-i", intervalS, "-W", waitS, "-s", payload];
  if (dontFragment) words.push("-M", "do");
  const result = await from.try([...words.map(String), address], { timeoutMs: 60_000 + count * intervalS * 1_000 });
  const received = result.stdout.match(/(\d+) received/)?.[1];
  if (received === undefined) throw new Error(`ping ${address}: ${result.stdout}${result.stderr}`);
  return Number(received) + Number(result.stdout.match(/\+(\d+) duplicates/)?.[1] ?? 0);
}

/** Moves a file of random bytes over TCP. @returns bytes that arrived. Errors: throws when they are not those sent. */
export async function moveBytes(from: Host, to: Host, address: string, bytes: number): Promise<number> {
  await from.writeFile(PAYLOAD_PATH, randomBytes(bytes));
  return (await transferFile(from, to, address, PAYLOAD_PATH)).bytes;
}

export interface IperfOptions {
  readonly seconds?: number;
  /** Bytes to move instead of a time. */
  readonly bytes?: number;
  /** UDP at this rate, bits a second. */
  readonly udpBitsPerSecond?: number;
  /** TCP, held to this rate, bits a second. */
  readonly tcpBitsPerSecond?: number;
  /** Bytes of payload in a UDP datagram. */
  readonly datagramBytes?: number;
  /** The server sends. */
  readonly reverse?: boolean;
  readonly streams?: number;
}

export interface IperfResult {
  /** At the receiver. */
  readonly receivedBytes: number;
  readonly bitsPerSecond: number;
  readonly lostDatagrams: number;
  readonly sentDatagrams: number;
}

/** Runs iperf3 from `client` to a server on `server` at `address`. */
export async function iperf(
  client: Host,
  server: Host,
  address: string,
  options: IperfOptions = {},
): Promise<IperfResult> {
  const listening = server.start(["iperf3", "-s", "-1", "--forceflush"], { input: "" });
  try {
    await listening.waitForOutput(/Server listening/);
    const amount = options.bytes === undefined ? ["-t", options.seconds ?? 2] : ["-n", options.bytes];
    const words: Array<string | number> = ["iperf3", "-J", "-c", address, ...amount];
    if (options.udpBitsPerSecond !== undefined) words.push("-u", "-b", options.udpBitsPerSecond);
    if (options.tcpBitsPerSecond !== undefined) words.push("-b", options.tcpBitsPerSecond);
    if (options.datagramBytes !== undefined) words.push("-l", options.datagramBytes);
    if (options.reverse === true) words.push("-R");
    if (options.streams !== undefined) words.push("-P", options.streams);
    const { stdout } = await client.try(words.map(String), { timeoutMs: 90_000 + 1_000 * (options.seconds ?? 2) });
    return outcome(stdout, options.udpBitsPerSecond !== undefined);
  } finally {
    await listening.stop("SIGKILL");
  }
}

function outcome(report: string, udp: boolean): IperfResult {
  const { end, error } = JSON.parse(report) as { end: Record<string, Record<string, number>>; error?: string };
  if (error !== undefined) throw new Error(`iperf3: ${error}`);
  const received = end["sum_received"] ?? end["sum"]!;
  const packets = udp ? (end["sum_received"]?.["packets"] ?? end["sum"]!["packets"]!) : 0;
  return {
    receivedBytes: received["bytes"]!,
    bitsPerSecond: received["bits_per_second"]!,
    lostDatagrams: udp ? (received["lost_packets"] ?? 0) : 0,
    sentDatagrams: packets,
  };
}

/** Packets and bytes that `name` has received and sent, as the kernel counts them. */
export async function interfaceCounters(host: Host, name: string): Promise<{ rxPackets: number; txPackets: number }> {
  const [link] = JSON.parse(await host.run(["ip", "-json", "-s", "link", "show", name])) as Array<{
    stats64: { rx: { packets: number }; tx: { packets: number } };
  }>;
  return { rxPackets: link!.stats64.rx.packets, txPackets: link!.stats64.tx.packets };
}
