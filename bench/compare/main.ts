// `npm run bench:compare -- REF`: this tree's longhaul and another commit's, interleaved on one machine in one session.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { metrics } from "../macro/metrics.js";
import { requirePrograms } from "../macro/programs.js";
import { figures, formatFailures, valuesOf } from "../macro/report.js";
import { estimateS, type Plan, runPlan, type Sample } from "../macro/run.js";
import { longhaulTunnel } from "../macro/wireguard.js";
import { parseAead, parseCount, parseNames, UsageError } from "../support/arguments.js";
import { Cleanup } from "../support/cleanup.js";
import { Progress } from "../support/progress.js";
import { describeSetting, formatMachine, saveResult } from "../support/result.js";
import { requireBuild, root } from "../support/root.js";
import { median, ratios, spread, type Sample as Value } from "../support/statistics.js";
import { formatNumber, formatRatio, formatTable } from "../support/table.js";
import { buildCommit } from "./worktree.js";

const metricNames = metrics.map((metric) => metric.name);

export const COMPARE_USAGE = `usage: npm run bench:compare -- REF [OPTION]…
  REF             commit, branch or tag to compare this tree with; it is built in a temporary worktree
  --rounds N      rounds, of which medians are taken (5)
  --seconds S     length of one load (6)
  --metrics NAMES ${metricNames.join(",")} (tcp1,tcp8,udp64,ping,loadedping)
  --aead NAME     how both seal packets (their own choice)
  --out FILE      where the JSON goes (bench/results/DATE-COMMIT-compare.json)
`;

const THIS = "this tree";

interface Options {
  readonly ref: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly metrics: readonly string[];
  readonly aead: string | undefined;
  readonly out: string | undefined;
}

/** Runs the comparison. @returns exit status: 0, or 1 when nothing could be measured. Errors: UsageError. */
export async function compare(words: string[]): Promise<number> {
  const options = readOptions(words);
  requireBuild(root);
  await requirePrograms("wg", "git", "npm");
  const progress: { current: Progress | undefined } = { current: undefined };
  const cleanup = new Cleanup(() => progress.current?.end(true));
  return cleanup.around(async () => {
    const directory = await mkdtemp(join(tmpdir(), "longhaul-bench-"));
    cleanup.addDirectory(directory);
    process.stderr.write(`building ${options.ref} in ${directory}\n`);
    const other = await buildCommit(options.ref, directory, cleanup);
    const aead = options.aead === undefined ? [] : ["--aead", options.aead];
    const plan: Plan = {
      tunnels: [
        await longhaulTunnel(other.hash, other.path, aead, directory),
        await longhaulTunnel(THIS, root, aead, directory),
      ],
      metrics: metrics.filter(({ name }) => options.metrics.includes(name)),
      rounds: options.rounds,
      seconds: options.seconds,
    };
    progress.current = new Progress(estimateS(plan));
    const samples = await runPlan(plan, progress.current, (lab) => cleanup.add(() => lab.close()));
    progress.current.end();
    await publish(options, other.hash, samples);
    return samples.some((sample) => sample.error === undefined) ? 0 : 1;
  });
}

function readOptions(words: string[]): Options {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "6" },
      metrics: { type: "string", default: "tcp1,tcp8,udp64,ping,loadedping" },
      aead: { type: "string" },
      out: { type: "string" },
    },
  });
  const [ref, ...more] = positionals;
  if (ref === undefined || more.length > 0) throw new UsageError("name one commit to compare this tree with");
  return {
    ref,
    rounds: parseCount("--rounds", values.rounds),
    seconds: parseCount("--seconds", values.seconds),
    metrics: parseNames("--metrics", values.metrics, metricNames),
    aead: parseAead(values.aead),
    out: values.out,
  };
}

async function publish(options: Options, other: string, samples: readonly Sample[]): Promise<void> {
  const setting = await describeSetting();
  const path = await saveResult("compare", options.out, setting, { options, other, samples });
  const { hash, dirty } = setting.commit;
  const lines = [
    formatMachine(setting),
    `${THIS}: ${hash}${dirty ? " and changes" : ""}; compared with ${other} (${options.ref})`,
    `Medians of ${options.rounds} [least – greatest], loads of ${options.seconds} s; ratios are taken round by round.`,
    "",
    formatComparison(samples, other),
    "",
    ...formatFailures(samples),
    `All samples: ${path}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** A difference is clear when every round says so. */
function formatComparison(samples: readonly Sample[], other: string): string {
  const rows = figures.flatMap(({ metric, figure, title }) => {
    const [theirs, ours] = [valuesOf(samples, other, metric, figure), valuesOf(samples, THIS, metric, figure)];
    if (median(theirs) === undefined && median(ours) === undefined) return [];
    const changes = ratios(ours, theirs);
    const range = spread(changes);
    const clear = range === undefined || changes.length < 3 ? "" : range[0] > 1 ? "more" : range[1] < 1 ? "less" : "";
    return [[title, withSpread(theirs), withSpread(ours), formatRatio(median(changes)), brackets(range), clear]];
  });
  return formatTable([["", other, THIS, "ratio", "", "in every round"], ...rows], [0, 5]);
}

function withSpread(values: readonly Value[]): string {
  return `${formatNumber(median(values))} ${brackets(spread(values))}`.trim();
}

function brackets(range: readonly [number, number] | undefined): string {
  return range === undefined ? "" : `[${formatNumber(range[0])} – ${formatNumber(range[1])}]`;
}
