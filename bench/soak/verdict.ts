// Whether a soak was flat: for what goes up and down, the least of the last third against that of the first, after the warm-up;
// for the rest a line through the series. Pure.
import type { Piece } from "./load.js";
import type { DaemonSample } from "./samples.js";

/** Every daemon at one moment. */
export interface Sample {
  /** Since the run began. */
  readonly atS: number;
  readonly daemons: Readonly<Record<string, DaemonSample>>;
}

export interface Failure {
  readonly atS: number;
  readonly deed: string;
  readonly error: string;
}

/** One line of the verdict. */
export interface Judgement {
  readonly what: string;
  readonly measured: string;
  readonly bound: string;
  readonly holds: boolean;
}

/** A run of at least so long is held to the bounds of an hour; a shorter one shows mostly how V8 takes its first memory. */
const LONG_S = 900;
const WARM_UP_S = 300;
interface Series {
  readonly field: keyof DaemonSample;
  readonly unit: string;
  /** Rise that still counts as flat: in a long run, and in a short one. */
  readonly long: number;
  readonly short: number;
  /** Its least values count, those that a collection or the end of a request leaves; otherwise the line's rise an hour. */
  readonly least: boolean;
}

const flat: readonly Series[] = [
  { field: "rssMb", unit: "MB", long: 6, short: 40, least: false },
  { field: "heapMb", unit: "MB", long: 2, short: 30, least: true },
  { field: "externalMb", unit: "MB", long: 1, short: 20, least: true },
  { field: "descriptors", unit: "", long: 0, short: 4, least: true },
  { field: "handles", unit: "", long: 0, short: 4, least: true },
  { field: "threads", unit: "", long: 0, short: 1, least: true },
];
/** Medians: roaming costs a piece of traffic something, and it may. */
const SHARES = { tcp: 0.95, udp: 0.98, ping: 0.98 } as const;

export function judge(samples: readonly Sample[], pieces: readonly Piece[], failures: readonly Failure[]): Judgement[] {
  const runS = (samples.at(-1)?.atS ?? 0) - (samples[0]?.atS ?? 0);
  const settled = samples.filter(({ atS }) => atS >= Math.min(WARM_UP_S, runS / 4));
  const names = Object.keys(samples[0]?.daemons ?? {});
  return [
    ...names.flatMap((name) => flat.map((series) => judgeSeries(series, name, settled, runS))),
    judgeLaw(samples, names),
    ...(["tcp", "udp", "ping"] as const).map((kind) => judgeTraffic(kind, pieces)),
    {
      what: "deeds that failed",
      measured: String(failures.length),
      bound: "0",
      holds: failures.length === 0,
    },
  ];
}

function judgeSeries(series: Series, name: string, samples: readonly Sample[], runS: number): Judgement {
  const points = samples.map(({ atS, daemons }) => [atS, daemons[name]![series.field]] as const);
  const slope = slopePerSecond(points);
  let [rise, bound, per] = [slope * runS, series.short, "in the run"];
  if (runS >= LONG_S && series.least) [rise, bound, per] = [riseOfLeast(points), series.long, "at the least"];
  else if (runS >= LONG_S) [rise, bound, per] = [slope * 3_600, series.long, "an hour"];
  const unit = series.unit === "" ? "" : ` ${series.unit}`;
  return {
    what: `${name}: ${series.field} rises ${per}`,
    measured: `${rise.toFixed(2)}${unit}`,
    bound: `≤ ${bound}${unit}`,
    holds: rise <= bound, // NaN, for want of samples, does not hold
  };
}

function judgeLaw(samples: readonly Sample[], names: readonly string[]): Judgement {
  const worst = Math.max(...samples.flatMap(({ daemons }) => names.map((name) => daemons[name]!.unaccounted)));
  return { what: "packets unaccounted for, any moment", measured: String(worst), bound: "0", holds: worst === 0 };
}

function judgeTraffic(kind: Piece["kind"], pieces: readonly Piece[]): Judgement {
  const shares = pieces
    .filter((piece) => piece.kind === kind)
    .map(({ share }) => share)
    .sort((a, b) => a - b);
  const middle = shares[shares.length >> 1] ?? 0;
  const least = SHARES[kind];
  return {
    what: `${kind}: share of what was asked for, median of ${shares.length}`,
    measured: middle.toFixed(3),
    bound: `≥ ${least}`,
    holds: middle >= least,
  };
}

/** Least squares. NaN for fewer than two points. */
export function slopePerSecond(points: readonly (readonly [number, number])[]): number {
  const count = points.length;
  if (count < 2) return Number.NaN;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return covariance / variance;
}

/** From the first third of the points to the last. NaN for fewer than three points. */
export function riseOfLeast(points: readonly (readonly [number, number])[]): number {
  const third = Math.floor(points.length / 3);
  if (third === 0) return Number.NaN;
  const least = (part: readonly (readonly [number, number])[]): number => Math.min(...part.map(([, value]) => value));
  return least(points.slice(-third)) - least(points.slice(0, third));
}
