// What the lab and longhaul must reach in it.

import type { Sample as Value } from "../support/statistics.js";
import { formatNumber, formatTable } from "../support/table.js";
import type { LoadSample } from "./run.js";
import { BARE, type Summary } from "./summary.js";

export interface TargetResult {
  readonly title: string;
  readonly must: string;
  readonly measured: string;
  readonly holds: boolean;
}

/** Of the bare link's rate, one CUBIC stream. */
const SHARES: Readonly<Record<string, number>> = { office: 0.95, ocean: 0.93, dsl: 0.95, lte: 0.95 };
const EMULATOR_CORES_MAX = 0.4;
const OFFICE_BARE_MBPS = 890;

/** @returns the targets whose figures were measured */
export function judge(summaries: readonly Summary[], samples: readonly LoadSample[]): TargetResult[] {
  const find = (scenario: string, tunnel: string): Summary | undefined =>
    summaries.find((one) => one.scenario === scenario && one.tunnel === tunnel && one.load === "cubic1");
  const results: TargetResult[] = [...judgeLab(find("office", BARE), samples)];
  for (const [scenario, least] of Object.entries(SHARES)) {
    const summary = find(scenario, "longhaul");
    if (summary === undefined) continue;
    const must = `≥ ${100 * least} %`;
    for (const [what, share] of [
      ["overall", summary.share],
      ["after slow start", summary.shareSettled],
    ] as const) {
      const title = `${scenario}: longhaul, share of the bare link's rate, ${what}`;
      results.push({ title, must, measured: percent(share), holds: share !== undefined && share >= least });
    }
    for (const place of ["tun", "socket"] as const) {
      const worst = summary.worst[place];
      const title = `${scenario}: packets that longhaul lost at its ${place === "tun" ? "TUN" : "sockets"}, worst round`;
      results.push({ title, must: "0", measured: formatNumber(worst), holds: worst === 0 });
    }
  }
  return results;
}

function judgeLab(bare: Summary | undefined, samples: readonly LoadSample[]): TargetResult[] {
  const results: TargetResult[] = [];
  const add = (title: string, must: string, value: Value, unit: string, holds: (value: number) => boolean): void => {
    results.push({
      title,
      must,
      measured: `${formatNumber(value)}${unit}`,
      holds: value !== undefined && holds(value),
    });
  };
  if (bare !== undefined) {
    add("lab: office, bare link, idle ping", "80 ± 1 ms", bare.idlePingMs, " ms", (ms) => Math.abs(ms - 80) <= 1);
    const least = OFFICE_BARE_MBPS;
    add(
      "lab: office, bare link, one CUBIC stream",
      `≥ ${least} Mbit/s`,
      bare.mbpsSettled,
      " Mbit/s",
      (x) => x >= least,
    );
    const most = EMULATOR_CORES_MAX;
    add("lab: emulator under it, cores", `≤ ${most}`, bare.emulatorCores, "", (cores) => cores <= most);
  }
  const measured = samples.filter(({ link }) => link !== undefined);
  if (measured.length > 0) {
    const lost = measured.reduce((sum, { link, drops }) => sum + link!.unaccounted + (drops?.lab ?? 0), 0);
    add("lab: packets unexplained, or lost by the lab", "0", lost, "", (packets) => packets === 0);
  }
  return results;
}

export function formatTargets(results: readonly TargetResult[]): string {
  const rows = results.map(({ title, must, measured, holds }) => [title, must, measured, holds ? "✓" : "✗"]);
  return formatTable([["target", "must", "measured", ""], ...rows], [0]);
}

/** `95.2 %`, or an en dash. */
export function percent(share: Value): string {
  return share === undefined ? "–" : `${(100 * share).toFixed(1)} %`;
}
