// Samples as tables: medians of every tunnel, ratios of one to another taken round by round, and issue 3's targets.
import { median, ratios, type Sample as Value } from "../support/statistics.js";
import { formatNumber, formatRatio, formatTable } from "../support/table.js";
import type { Sample } from "./run.js";

export interface Figure {
  readonly metric: string;
  readonly figure: string;
  readonly title: string;
}

export const figures: readonly Figure[] = [
  { metric: "tcp1", figure: "mbps", title: "TCP, one stream, Mbit/s" },
  { metric: "tcp1", figure: "retransmits", title: "  its retransmits" },
  { metric: "tcp1", figure: "tunDrops", title: "  its drops at the tunnel interfaces" },
  { metric: "tcp1", figure: "socketDrops", title: "  its drops at the daemons' sockets" },
  { metric: "tcp1", figure: "cpuSecondsPerGb", title: "  CPU seconds per GB, both daemons" },
  { metric: "tcp8", figure: "mbps", title: "TCP, eight streams, Mbit/s" },
  { metric: "tcp8", figure: "retransmits", title: "  their retransmits" },
  { metric: "both", figure: "mbps", title: "TCP, both directions, sum, Mbit/s" },
  { metric: "udp64", figure: "packetsPerSecond", title: "UDP, 64 bytes, delivered packets/s" },
  { metric: "udp64", figure: "offeredPacketsPerSecond", title: "  offered by iperf3, packets/s" },
  { metric: "udp64", figure: "readPacketsPerSecond", title: "  read by iperf3, packets/s" },
  { metric: "udp64", figure: "lossPercent", title: "  not delivered, %" },
  { metric: "udp64", figure: "rssBeforeMb", title: "  resident memory before, MB" },
  { metric: "udp64", figure: "rssAfterMb", title: "  resident memory after, MB" },
  { metric: "udp1372", figure: "packetsPerSecond", title: "UDP, 1,372 bytes, delivered packets/s" },
  { metric: "udp1372", figure: "mbps", title: "  in Mbit/s" },
  { metric: "udp1372", figure: "offeredPacketsPerSecond", title: "  offered by iperf3, packets/s" },
  { metric: "udp1372", figure: "readPacketsPerSecond", title: "  read by iperf3, packets/s" },
  { metric: "udp1372", figure: "lossPercent", title: "  not delivered, %" },
  { metric: "ping", figure: "medianMs", title: "ping idle, median, ms" },
  { metric: "ping", figure: "p99Ms", title: "  99th percentile, ms" },
  { metric: "loadedping", figure: "medianMs", title: "ping under one TCP stream, median, ms" },
  { metric: "loadedping", figure: "p99Ms", title: "  99th percentile, ms" },
];

/** @returns one value a round, undefined where the measurement failed. */
export function valuesOf(samples: readonly Sample[], tunnel: string, metric: string, figure: string): Value[] {
  return samples
    .filter((sample) => sample.tunnel === tunnel && sample.metric === metric)
    .sort((a, b) => a.round - b.round)
    .map((sample) => sample.figures[figure]);
}

/** @returns the median over rounds of `dividend`'s value divided by `divisor`'s of the same round. */
export function medianRatio(
  samples: readonly Sample[],
  [dividend, divisor]: readonly [string, string],
  { metric, figure }: Pick<Figure, "metric" | "figure">,
): Value {
  return median(ratios(valuesOf(samples, dividend, metric, figure), valuesOf(samples, divisor, metric, figure)));
}

/** The table of medians; a last column compares `pair` where both were measured. */
export function formatMedians(
  samples: readonly Sample[],
  tunnels: readonly string[],
  pair: readonly [string, string],
): string {
  const compares = pair.every((name) => tunnels.includes(name));
  const rows = figures
    .filter(({ metric, figure }) => tunnels.some((tunnel) => valuesOf(samples, tunnel, metric, figure).length > 0))
    .filter(({ metric, figure }) =>
      tunnels.some((tunnel) => valuesOf(samples, tunnel, metric, figure).some((value) => value !== undefined)),
    )
    .map((row) => [
      row.title,
      ...tunnels.map((tunnel) => formatNumber(median(valuesOf(samples, tunnel, row.metric, row.figure)))),
      ...(compares ? [formatRatio(medianRatio(samples, pair, row))] : []),
    ]);
  return formatTable([["", ...tunnels, ...(compares ? [`${pair[0]} / ${pair[1]}`] : [])], ...rows]);
}

/** Lines that name every measurement that failed, the same failure of several rounds once. */
export function formatFailures(samples: readonly Sample[]): string[] {
  const rounds = new Map<string, number[]>();
  for (const { tunnel, metric, round, error } of samples) {
    if (error === undefined) continue;
    const line = `${metric} through ${tunnel} failed: ${error.split("\n")[0]}`;
    rounds.set(line, [...(rounds.get(line) ?? []), round]);
  }
  return [...rounds].map(([line, numbers]) => `${line} (round ${numbers.join(", ")})`);
}
