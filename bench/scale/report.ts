// The figures of bench:scale as tables, and what longhaul must reach with ten thousand peers. Pure.
import type { Figures } from "../macro/metrics.js";
import { median, type Sample } from "../support/statistics.js";
import { formatNumber, formatTable } from "../support/table.js";

/** One phase of one daemon in one round. */
export interface Round {
  readonly round: number;
  readonly daemon: string;
  readonly phase: string;
  readonly figures: Figures;
  readonly error?: string;
}

const titles: readonly (readonly [figure: string, title: string])[] = [
  ["setconfSeconds", "wg setconf, s"],
  ["setconfCpuSeconds", "  processor time of the daemon, s"],
  ["setconfPingMaxMs", "  longest round trip of the established peer, ms"],
  ["setconfPingLost", "  its pings lost"],
  ["setconfStallsOver10Ms", "  stalls of the loop over 10 ms"],
  ["rssBeforeMb", "resident memory before, MB"],
  ["rssAfterSetconfMb", "  after wg setconf, MB"],
  ["rssAfterRetriesMb", "  after the retries, MB"],
  ["rssAtEndMb", "  after wg syncconf, MB"],
  ["retriesCpuSeconds", "retries, processor time, s"],
  ["retriesSent", "  initiations sent meanwhile"],
  ["retriesSeenPingMaxMs", "  longest round trip in ten more seconds, ms"],
  ["retriesSeenPingLost", "  pings lost"],
  ["retriesSeenStallsOver10Ms", "  stalls over 10 ms"],
  ["showSeconds", "wg show dump, s"],
  ["showPingMaxMs", "  longest round trip, ms"],
  ["showStallsOver10Ms", "  stalls over 10 ms"],
  ["scrapeSeconds", "a scrape, s"],
  ["scrapePingMaxMs", "  longest round trip, ms"],
  ["scrapeStallsOver5Ms", "  stalls over 5 ms"],
  ["syncconfSeconds", "wg syncconf that changes every peer, s"],
  ["syncconfPingMaxMs", "  longest round trip, ms"],
  ["syncconfStallsOver10Ms", "  stalls over 10 ms"],
  ["reloadSameSeconds", "longhaul reload, nothing changed, s"],
  ["reloadSamePingMaxMs", "  longest round trip, ms"],
  ["reloadSameStallsOver10Ms", "  stalls over 10 ms"],
  ["reloadAllSeconds", "longhaul reload, every peer changed, s"],
  ["reloadAllPingMaxMs", "  longest round trip, ms"],
  ["reloadAllStallsOver10Ms", "  stalls over 10 ms"],
  ["answeredPerSecond", "handshakes answered a second"],
  ["answeredPerCpuSecond", "  a second of the daemon's processor time"],
  ["messagesPerAnswer", "  initiations that each took"],
  ["boundedAloneMbps", "TCP at 300 Mbit/s alone, Mbit/s"],
  ["boundedInStormMbps", "  while all peers shake hands at once"],
  ["boundedKept", "  share kept"],
  ["boundedStormAnswered", "  peers answered"],
  ["boundedStormFirstFive", "  peers answered within five seconds"],
  ["boundedStormSeconds", "  last of them after, s"],
  ["fullAloneMbps", "TCP unbounded alone, Mbit/s"],
  ["fullInStormMbps", "  while all peers shake hands at once"],
  ["fullKept", "  share kept"],
  ["fullStormAnswered", "  peers answered"],
  ["fullStormFirstFive", "  peers answered within five seconds"],
  ["fullStormSeconds", "  last of them after, s"],
];

function middle(rounds: readonly Round[], daemon: string, figure: string): Sample {
  return median(rounds.filter((round) => round.daemon === daemon).map(({ figures }) => figures[figure]));
}

export function formatFigures(rounds: readonly Round[], daemons: readonly string[]): string {
  const rows = titles
    .map(([figure, title]) => [title, ...daemons.map((daemon) => middle(rounds, daemon, figure))] as const)
    .filter(([, ...values]) => values.some((value) => value !== undefined))
    .map(([title, ...values]) => [title, ...values.map(formatNumber)]);
  return formatTable([["", ...daemons], ...rows]);
}

/** One thing that must hold; JSON takes it as it is. */
export interface Target {
  readonly title: string;
  readonly measured: string;
  readonly must: string;
  readonly holds: boolean;
}

/** @returns the targets that the rounds say something about */
export function judge(rounds: readonly Round[]): Target[] {
  const own = (figure: string): Sample => middle(rounds, "longhaul", figure);
  const other = (figure: string): Sample => middle(rounds, "wireguard-go", figure);
  const atMost = (title: string, value: Sample, limit: number, unit: string): Target[] =>
    value === undefined
      ? []
      : [{ title, measured: `${formatNumber(value)} ${unit}`, must: `≤ ${limit} ${unit}`, holds: value <= limit }];
  const against = (title: string, figure: string, holds: (ratio: number) => boolean, must: string): Target[] => {
    const [a, b] = [own(figure), other(figure)];
    if (a === undefined || b === undefined) return [];
    return [{ title, measured: `${formatNumber(a / b)} × wireguard-go's`, must, holds: holds(a / b) }];
  };
  const kept = (title: string, figure: string): Target[] => {
    const value = own(figure);
    return value === undefined
      ? []
      : [{ title, measured: `${formatNumber(100 * value)} %`, must: "≥ 80 %", holds: value >= 0.8 }];
  };
  return [
    ...atMost("wg setconf", own("setconfSeconds"), 1.5, "s"),
    ...atMost("resident memory after the retries", own("rssAfterRetriesMb"), 200, "MB"),
    ...against("processor time of the retries", "retriesCpuSeconds", (ratio) => ratio <= 0.5, "≤ 0.5 ×"),
    ...atMost("stalls over 10 ms in wg setconf", own("setconfStallsOver10Ms"), 0, ""),
    ...atMost("stalls over 10 ms in wg show dump", own("showStallsOver10Ms"), 0, ""),
    ...atMost("stalls over 5 ms in a scrape", own("scrapeStallsOver5Ms"), 0, ""),
    ...atMost("stalls over 10 ms in wg syncconf", own("syncconfStallsOver10Ms"), 0, ""),
    ...atMost("stalls over 10 ms in a reload", own("reloadAllStallsOver10Ms"), 0, ""),
    ...against("handshakes answered a CPU second", "answeredPerCpuSecond", (ratio) => ratio >= 1, "≥ 1 ×"),
    ...kept("TCP at 300 Mbit/s while all shake hands", "boundedKept"),
    ...kept("TCP unbounded while all shake hands", "fullKept"),
  ];
}

export function formatTargets(targets: readonly Target[]): string {
  const rows = targets.map(({ title, measured, must, holds }) => [title, measured, `${holds ? "✓" : "✗"} ${must}`]);
  return formatTable([["longhaul with thousands of peers", "measured", "must"], ...rows], [0, 2]);
}
