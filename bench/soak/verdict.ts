// Whether a soak was flat: a line through each series after the warm-up, and how much it rises in the run. Pure.
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
/** Least of so many samples in a row: what a collection leaves, without the garbage between two. */
const ENVELOPE = 12;

interface Series {
  readonly field: keyof DaemonSample;
  readonly unit: string;
  /** Rise that still counts as flat: in an hour, and in a short run. */
  readonly perHour: number;
  readonly short: number;
  readonly envelope: boolean;
}

const flat: readonly Series[] = [
  { field: "rssMb", unit: "MB", perHour: 6, short: 40, envelope: false },
  { field: "heapMb", unit: "MB", perHour: 3, short: 30, envelope: true },
  { field: "externalMb", unit: "MB", perHour: 2, short: 20, envelope: true },
  { field: "descriptors", unit: "", perHour: 1, short: 4, envelope: true },
  { field: "handles", unit: "", perHour: 1, short: 4, envelope: true },
  { field: "threads", unit: "", perHour: 0.5, short: 1, envelope: true },
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
  const slope = slopePerSecond(series.envelope && runS >= LONG_S ? lowerEnvelope(points) : points);
  const [rise, bound, per] =
    runS >= LONG_S ? [slope * 3_600, series.perHour, "an hour"] : [slope * runS, series.short, "in the run"];
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

function lowerEnvelope(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const lowest: (readonly [number, number])[] = [];
  for (let first = 0; first + ENVELOPE <= points.length; first += ENVELOPE) {
    lowest.push(points.slice(first, first + ENVELOPE).reduce((least, point) => (point[1] < least[1] ? point : least)));
  }
  return lowest;
}
