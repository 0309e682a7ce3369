// The lab's results as text: one table for each scenario and load.
import { formatNumber, formatTable } from "../support/table.js";
import type { Scenario } from "./scenarios.js";
import type { Summary } from "./summary.js";
import { percent } from "./targets.js";

const HEAD = [
  ...["Mbit/s settled", "overall", "of bare", "ping idle", "loaded", "p99", "retransmits"],
  ...["TUN", "socket", "queue", "loss", "CPU s/GB", "late"],
];

/** @param loads  names with their titles, in order */
export function formatSummaries(
  scenarios: readonly Scenario[],
  loads: ReadonlyArray<{ readonly name: string; readonly title: string }>,
  summaries: readonly Summary[],
): string {
  const tables: string[] = [];
  for (const { name, title } of scenarios) {
    for (const load of loads) {
      const rows = summaries.filter((one) => one.scenario === name && one.load === load.name);
      if (rows.length === 0) continue;
      tables.push(`${name}: ${title}. ${load.title}`, formatTable([["", ...HEAD], ...rows.map(row)]), "");
    }
  }
  return tables.join("\n").trimEnd();
}

function row(one: Summary): string[] {
  const { drops } = one;
  return [
    one.tunnel,
    ...[one.mbpsSettled, one.mbps].map(formatNumber),
    percent(one.shareSettled),
    ...[one.idlePingMs, one.pingMs, one.pingP99Ms, one.retransmits].map(formatNumber),
    ...[drops.tun, drops.socket, drops.queue, drops.loss, one.cpuSecondsPerGb].map(formatNumber),
    one.latePercent === undefined ? "–" : `${one.latePercent.toFixed(1)} %`,
  ];
}
