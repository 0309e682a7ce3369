// What is measured, and the figures that each measurement yields. One measurement runs at a time.
import { quantile } from "../support/statistics.js";
import {
  daemonCpuSeconds,
  daemonRssMb,
  datagramsRefused,
  interfaceDrops,
  socketDrops,
  socketDropsOn,
} from "./kernel-counters.js";
import type { Link } from "./link.js";
import { type IperfOptions, iperf, ping, pingUnderLoad } from "./traffic.js";

/** Figures by name; one that makes no sense for this link is missing. */
export type Figures = Record<string, number>;

export interface Metric {
  readonly name: string;
  /** How long it takes when a load lasts `seconds`. */
  estimateS(seconds: number): number;
  measure(link: Link, seconds: number): Promise<Figures>;
}

const PING_COUNT = 300;
const SMALL_DATAGRAM_BYTES = 64;
/** Fills an inner packet of 1,400 bytes. */
const LARGE_DATAGRAM_BYTES = 1_372;

export const metrics: readonly Metric[] = [
  { name: "tcp1", estimateS: loadS, measure: measureOneStream },
  { name: "tcp8", estimateS: loadS, measure: (link, seconds) => measureTcp(link, { seconds, streams: 8 }) },
  { name: "both", estimateS: loadS, measure: (link, seconds) => measureTcp(link, { seconds, both: true }) },
  { name: "udp64", estimateS: loadS, measure: measureFlood },
  { name: "udp1372", estimateS: loadS, measure: (link, seconds) => measureUdp(link, seconds, LARGE_DATAGRAM_BYTES) },
  { name: "ping", estimateS: () => PING_COUNT / 100, measure: async (link) => latency(await ping(link, PING_COUNT)) },
  {
    name: "loadedping",
    estimateS: loadS,
    measure: async (link, seconds) => latency(await pingUnderLoad(link, seconds)),
  },
];

/** iperf3 takes about a second around its load. */
function loadS(seconds: number): number {
  return seconds + 0.7;
}

async function measureOneStream(link: Link, seconds: number): Promise<Figures> {
  const drops = { interface: await interfaceDrops(link), socket: await socketDrops(link) };
  const cpuSeconds = daemonCpuSeconds(link);
  const { bitsPerSecond, retransmits, bytes } = await iperf(link, { seconds });
  const figures: Figures = { mbps: bitsPerSecond / 1e6, retransmits };
  if (link.daemonPids.length > 0) {
    figures["cpuSecondsPerGb"] = (daemonCpuSeconds(link) - cpuSeconds) / (bytes / 1e9);
    figures["socketDrops"] = (await socketDrops(link)) - drops.socket;
    figures["tunDrops"] = (await interfaceDrops(link)) - drops.interface;
  }
  return figures;
}

async function measureTcp(link: Link, options: IperfOptions): Promise<Figures> {
  const { bitsPerSecond, retransmits } = await iperf(link, options);
  return { mbps: bitsPerSecond / 1e6, retransmits };
}

/**
 * Delivered is what came out of the link: what the receiving program got, and what its full socket refused because the
 * program was too slow. Counters of interfaces would not do: they count a coalesced super-packet once.
 */
async function measureUdp(link: Link, seconds: number, datagramBytes: number): Promise<Figures> {
  const refusedByAll = await datagramsRefused(link);
  const refusedByDaemon = await socketDropsOn(link.right);
  const { sent, received, receivedPerSecond } = await iperf(link, { seconds, datagramBytes });
  const refused = (await datagramsRefused(link)) - refusedByAll - ((await socketDropsOn(link.right)) - refusedByDaemon);
  const delivered = received + Math.max(0, refused);
  const packetsPerSecond = received === 0 ? 0 : (delivered / received) * receivedPerSecond;
  return {
    packetsPerSecond,
    mbps: (packetsPerSecond * datagramBytes * 8) / 1e6,
    readPacketsPerSecond: receivedPerSecond,
    offeredPacketsPerSecond: received === 0 ? 0 : (sent / received) * receivedPerSecond,
    lossPercent: sent === 0 ? 0 : (100 * Math.max(0, sent - delivered)) / sent,
  };
}

async function measureFlood(link: Link, seconds: number): Promise<Figures> {
  if (link.daemonPids.length === 0) return measureUdp(link, seconds, SMALL_DATAGRAM_BYTES);
  const rssBeforeMb = daemonRssMb(link);
  const figures = await measureUdp(link, seconds, SMALL_DATAGRAM_BYTES);
  return { ...figures, rssBeforeMb, rssAfterMb: daemonRssMb(link) };
}

function latency(roundTripsMs: readonly number[]): Figures {
  const [median, p99] = [quantile(roundTripsMs, 0.5), quantile(roundTripsMs, 0.99)];
  if (median === undefined || p99 === undefined) throw new Error("no ping came back");
  return { medianMs: median, p99Ms: p99 };
}
