// What longhaul must reach against the newest wireguard-go on one machine, and what it aims at.
import { median, type Sample as Value } from "../support/statistics.js";
import { formatNumber, formatTable } from "../support/table.js";
import { medianRatio, valuesOf } from "./report.js";
import type { Sample } from "./run.js";

/** Values at their best, or a limit for them. */
interface Limit {
  readonly text: string;
  holds(value: Measured): boolean;
}

interface Measured {
  readonly ratio: Value;
  readonly own: Value;
  /** The worst round's. */
  readonly worst: Value;
}

interface Target {
  readonly title: string;
  readonly metric: string;
  readonly figure: string;
  readonly must: Limit;
  readonly aim: Limit;
  show(value: Measured): string;
}

const atLeast = (times: number): Limit => ({
  text: `≥ ${times} ×`,
  holds: ({ ratio }) => ratio !== undefined && ratio >= times,
});
const atMost = (times: number, text: string): Limit => ({
  text,
  holds: ({ ratio }) => ratio !== undefined && ratio <= times,
});
const ownAtMost = (value: number, unit: string): Limit => ({
  text: `≤ ${value} ${unit}`,
  holds: ({ own }) => own !== undefined && own <= value,
});
const never: Limit = { text: "0", holds: ({ worst }) => worst === 0 };
const both = (a: Limit, b: Limit): Limit => ({
  text: `${a.text} and ${b.text}`,
  holds: (value) => a.holds(value) && b.holds(value),
});

const showRatio = ({ ratio }: Measured): string => (ratio === undefined ? "–" : `${ratio.toFixed(2)} ×`);
const showOwn = ({ own }: Measured): string => formatNumber(own);

/** Of issue 3. With the slower AEAD backend one stream need not be as fast. */
function targets(aead: string | undefined): readonly Target[] {
  const oneStream = aead === "openssl" ? atLeast(2) : atLeast(3);
  const rate = { show: showRatio, aim: atLeast(5) };
  return [
    { title: "TCP, one stream, veth", metric: "tcp1", figure: "mbps", must: oneStream, ...rate },
    { title: "TCP, eight streams", metric: "tcp8", figure: "mbps", must: atLeast(3), ...rate },
    { title: "64-byte UDP delivered", metric: "udp64", figure: "packetsPerSecond", must: atLeast(2.5), ...rate },
    {
      title: "CPU seconds per GB, both daemons",
      metric: "tcp1",
      figure: "cpuSecondsPerGb",
      must: atMost(1 / 3, "≤ 1/3"),
      aim: atMost(1 / 5, "≤ 1/5"),
      show: showRatio,
    },
    {
      title: "ping under TCP load, median",
      metric: "loadedping",
      figure: "medianMs",
      must: both(atMost(1 / 5, "≤ 1/5"), ownAtMost(10, "ms")),
      aim: ownAtMost(2, "ms"),
      show: (value) => `${showRatio(value)}, ${showOwn(value)} ms`,
    },
    {
      title: "ping idle, median",
      metric: "ping",
      figure: "medianMs",
      must: atMost(0.8, "≤ 0.8 ×"),
      aim: atMost(0.5, "≤ 0.5 ×"),
      show: showRatio,
    },
    {
      title: "RSS after the small-packet flood",
      metric: "udp64",
      figure: "rssAfterMb",
      must: ownAtMost(150, "MB"),
      aim: ownAtMost(90, "MB"),
      show: (value) => `${showOwn(value)} MB`,
    },
    ...(["tunDrops", "socketDrops"] as const).map((figure) => ({
      title: figure === "tunDrops" ? "TUN drops under one TCP stream" : "socket drops under one TCP stream",
      metric: "tcp1",
      figure,
      must: never,
      aim: never,
      show: ({ worst }: Measured) => `${formatNumber(worst)} in the worst round`,
    })),
  ];
}

/** One target as measured; JSON takes it as it is. */
export interface TargetResult {
  readonly title: string;
  readonly must: string;
  readonly aim: string;
  readonly measured: string;
  readonly mustHolds: boolean;
  readonly aimHolds: boolean;
}

/** @returns the targets whose metric was measured for longhaul. */
export function judgeTargets(samples: readonly Sample[], aead: string | undefined): TargetResult[] {
  return targets(aead).flatMap((target) => {
    const own = valuesOf(samples, "longhaul", target.metric, target.figure);
    if (own.length === 0) return [];
    const known = own.filter((value) => value !== undefined);
    const value: Measured = {
      ratio: medianRatio(samples, ["longhaul", "wireguard-go"], target),
      own: median(own),
      worst: known.length < own.length ? undefined : Math.max(...known),
    };
    const { title, must, aim } = target;
    const verdict = { mustHolds: must.holds(value), aimHolds: aim.holds(value) };
    return [{ title, must: must.text, aim: aim.text, measured: target.show(value), ...verdict }];
  });
}

/** The table of targets with a mark for each. */
export function formatTargets(results: readonly TargetResult[]): string {
  const mark = (holds: boolean): string => (holds ? "✓" : "✗");
  const rows = results.map((one) => [
    one.title,
    one.measured,
    `${mark(one.mustHolds)} ${one.must}`,
    `${mark(one.aimHolds)} ${one.aim}`,
  ]);
  return formatTable([["longhaul against wireguard-go", "measured", "must", "aim"], ...rows], [0, 2, 3]);
}
