// Samples of floods as a table: the stream beside the round's own quiet stream, and how the newcomers fared.
import { median, quantile, ratios } from "../support/statistics.js";
import { formatNumber, formatTable } from "../support/table.js";
import { type FloodName, floodTitles } from "./datagrams.js";

/** One flood at one daemon in one round. */
export interface FloodSample {
  readonly round: number;
  readonly daemon: string;
  readonly flood: FloodName;
  /** Of the stream. */
  readonly mbps: number;
  /** Datagrams that the flooder's kernel took, a second. */
  readonly floodPerSecond: number;
  /** Handshakes begun, and how long those took that were answered. */
  readonly attempts: number;
  readonly tookMs: readonly number[];
  readonly cookies: number;
  readonly rssBeforeMb: number;
  readonly rssAfterMb: number;
  /** Of the flooded daemon, from beginning to end. */
  readonly cpuSeconds: number;
}

const HEAD = [
  "flood",
  "datagrams/s",
  "stream, Mbit/s",
  "of quiet",
  "handshakes",
  "median ms",
  "p90 ms",
  "by cookie",
  "RSS before, MB",
  "after",
  "CPU s",
];

/** One row a flood, medians over the rounds; handshakes of all rounds together. */
export function formatFloods(samples: readonly FloodSample[], daemon: string, floods: readonly FloodName[]): string {
  const own = samples.filter((sample) => sample.daemon === daemon);
  return formatTable([HEAD, ...floods.map((flood) => rowOf(own, flood))]);
}

function rowOf(samples: readonly FloodSample[], flood: FloodName): string[] {
  const rows = samples.filter((sample) => sample.flood === flood);
  const middle = (value: (sample: FloodSample) => number): string => formatNumber(median(rows.map(value)));
  const took = rows.flatMap((row) => row.tookMs);
  const attempts = rows.reduce((sum, row) => sum + row.attempts, 0);
  const cookies = rows.reduce((sum, row) => sum + row.cookies, 0);
  const share = streamShare(samples, flood);
  return [
    floodTitles[flood],
    middle((row) => Math.round(row.floodPerSecond)),
    middle((row) => row.mbps),
    share === undefined ? "–" : `${Math.round(share * 100)} %`,
    `${took.length} of ${attempts}`,
    formatNumber(median(took)),
    formatNumber(quantile(took, 0.9)),
    String(cookies),
    middle((row) => row.rssBeforeMb),
    middle((row) => row.rssAfterMb),
    middle((row) => row.cpuSeconds),
  ];
}

/** @returns the median over rounds of a flood's stream divided by the quiet one of the same round */
export function streamShare(samples: readonly FloodSample[], flood: FloodName): number | undefined {
  const rateOf = (round: number, name: FloodName): number | undefined =>
    samples.find((sample) => sample.round === round && sample.flood === name)?.mbps;
  const rounds = [...new Set(samples.map((sample) => sample.round))];
  return median(
    ratios(
      rounds.map((round) => rateOf(round, flood)),
      rounds.map((round) => rateOf(round, "none")),
    ),
  );
}
