// `npm run soak`: gateways in network namespaces under mixed traffic, roaming, reloads and new peers, for as long as wanted. Samples
// every few seconds; in the end a verdict, whose exit status says whether everything stayed flat.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { requirePrograms } from "../macro/programs.js";
import { UsageError } from "../support/arguments.js";
import { Cleanup } from "../support/cleanup.js";
import { describeSetting, formatMachine, type Setting } from "../support/result.js";
import { requireBuild, root } from "../support/root.js";
import { formatTable } from "../support/table.js";
import { drawChart } from "./chart.js";
import { type Deed, deeds } from "./deeds.js";
import { Load, type Piece } from "./load.js";
import { sampleDaemon } from "./samples.js";
import { type SoakSite, startSoakSite } from "./site.js";
import { type Failure, type Judgement, judge, type Sample } from "./verdict.js";

export const SOAK_USAGE = `usage: npm run soak -- [OPTION]…
  --minutes N   how long (60); fractions are allowed
  --out FILE    where the JSON goes, and beside it the chart (bench/results/soak.json, soak.svg)
  --draw FILE   measures nothing: chart and verdict of a JSON, also of a run that was cut off
`;
const SAMPLE_S = 10;

interface Options {
  readonly minutes: number;
  readonly out: string;
  readonly draw: string | undefined;
}

/** What is saved. */
interface SoakResult {
  readonly kind: "soak";
  readonly setting: Setting;
  readonly minutes: number;
  readonly samples: Sample[];
  readonly pieces: readonly Piece[];
  readonly failures: Failure[];
}

/** @returns exit status: 0 only if everything was flat. Errors: UsageError, and when the gateways do not start. */
export async function soak(words: string[]): Promise<number> {
  const options = readOptions(words);
  if (options.draw !== undefined) return publish(JSON.parse(await readFile(options.draw, "utf8")), options.draw);
  requireBuild(root);
  await requirePrograms("wg");
  const cleanup = new Cleanup(() => {});
  const result = await cleanup.around(async () => {
    const site = await startSoakSite((lab) => cleanup.add(() => lab.close()));
    return run(site, options, await describeSetting());
  });
  return publish(result, options.out);
}

function readOptions(words: string[]): Options {
  const { values } = parseArgs({
    args: words,
    options: {
      minutes: { type: "string", default: "60" },
      out: { type: "string", default: join(root, "bench/results/soak.json") },
      draw: { type: "string" },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new UsageError(`--minutes ${JSON.stringify(values.minutes)}: write a number above 0`);
  return { minutes, out: values.out, draw: values.draw };
}

async function run(site: SoakSite, { minutes, out }: Options, setting: Setting): Promise<SoakResult> {
  const beganMs = performance.now();
  const nowS = (): number => (performance.now() - beganMs) / 1_000;
  const runS = minutes * 60;
  const load = new Load(site, runS, nowS);
  const result: SoakResult = { kind: "soak", setting, minutes, samples: [], pieces: load.pieces, failures: [] };
  await mkdir(dirname(out), { recursive: true });
  load.start();
  const acting = deeds(site).map((deed) => repeat(deed, runS, nowS, result.failures));
  const everyS = Math.min(SAMPLE_S, runS / 12);
  for (let next = 0; next <= runS; next += everyS) {
    await sleep(Math.max(0, next - nowS()) * 1_000);
    const daemons: Record<string, Sample["daemons"][string]> = {};
    for (const watched of site.daemons) daemons[watched.name] = await sampleDaemon(watched);
    result.samples.push({ atS: nowS(), daemons });
    await writeFile(out, JSON.stringify(result)); // a run that is cut off can still be drawn
  }
  await Promise.all(acting);
  await load.stop();
  await writeFile(out, `${JSON.stringify(result)}\n`);
  return result;
}

async function repeat(deed: Deed, runS: number, nowS: () => number, failures: Failure[]): Promise<void> {
  const everyS = Math.min(deed.everyS, runS / 4);
  for (let round = 0; (round + 1) * everyS < runS; round++) {
    await sleep(Math.max(0, (round + 1) * everyS - nowS()) * 1_000);
    try {
      await deed.act(round);
    } catch (error) {
      const text = (error instanceof Error ? error.message : String(error)).slice(0, 500);
      failures.push({ atS: nowS(), deed: deed.name, error: text });
    }
  }
}

async function publish(result: SoakResult, out: string): Promise<number> {
  const { samples, pieces, failures, setting, minutes } = result;
  const judgements = judge(samples, pieces, failures);
  const chart = `${out.replace(/\.json$/, "")}.svg`;
  const day = setting.date.slice(0, 10);
  await writeFile(
    chart,
    drawChart(samples, `longhaul, soaked for ${minutes} minutes on ${day}, ${setting.commit.hash}`),
  );
  const rows = judgements.map(({ what, measured, bound, holds }: Judgement) => [
    what,
    measured,
    `${holds ? "✓" : "✗"} ${bound}`,
  ]);
  const lines = [
    formatMachine(setting),
    formatTable([["over the run", "measured", "must"], ...rows], [0, 2]),
    ...failures.map(({ atS, deed, error }) => `failed after ${atS.toFixed(0)} s: ${deed}: ${error.split("\n")[0]}`),
    `All samples: ${out}; chart: ${chart}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return judgements.every(({ holds }) => holds) ? 0 : 1;
}
