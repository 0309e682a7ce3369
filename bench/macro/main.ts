// `npm run bench:macro`: longhaul beside other tunnels and no tunnel, in network namespaces of this machine.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseAead, parseCount, parseNames } from "../support/arguments.js";
import { Cleanup } from "../support/cleanup.js";
import { Progress } from "../support/progress.js";
import { describeSetting, formatMachine, saveResult } from "../support/result.js";
import { requireBuild, root } from "../support/root.js";
import { type Tunnel, versionLine } from "./link.js";
import { metrics } from "./metrics.js";
import { requirePrograms } from "./programs.js";
import { formatFailures, formatMedians } from "./report.js";
import { estimateS, type Plan, runPlan, type Sample } from "./run.js";
import { formatTargets, judgeTargets } from "./targets.js";
import { makeTunnels, tunnelNames } from "./tunnels.js";

const metricNames = metrics.map((metric) => metric.name);

export const MACRO_USAGE = `usage: npm run bench:macro -- [OPTION]…
  --rounds N      rounds, of which medians are taken (5)
  --seconds S     length of one load (6)
  --only NAMES    tunnels: ${tunnelNames.join(",")} (all that are installed)
  --metrics NAMES ${metricNames.join(",")} (all)
  --aead NAME     how longhaul seals packets (its own choice)
  --out FILE      where the JSON goes (bench/results/DATE-COMMIT.json)
`;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly string[];
  readonly metrics: readonly string[];
  readonly aead: string | undefined;
  readonly out: string | undefined;
}

/** Runs the bench. @returns exit status: 0, or 1 when nothing could be measured. Errors: UsageError. */
export async function macro(words: string[]): Promise<number> {
  const options = readMacroOptions(words);
  requireBuild(root);
  await requirePrograms();
  const progress: { current: Progress | undefined } = { current: undefined };
  const cleanup = new Cleanup(() => progress.current?.end(true));
  return cleanup.around(async () => {
    const directory = await mkdtemp(join(tmpdir(), "longhaul-bench-"));
    cleanup.addDirectory(directory);
    const { present, absent } = await sortTunnels(await makeTunnels(options.only, options.aead, directory));
    if (present.length === 0) throw new Error(absent.join("\n"));
    const plan: Plan = {
      tunnels: present,
      metrics: metrics.filter(({ name }) => options.metrics.includes(name)),
      rounds: options.rounds,
      seconds: options.seconds,
    };
    for (const line of absent) process.stderr.write(`not measured: ${line}\n`);
    progress.current = new Progress(estimateS(plan));
    const samples = await runPlan(plan, progress.current, (lab) => cleanup.add(() => lab.close()));
    progress.current.end();
    await publish(options, plan, absent, samples);
    return samples.some((sample) => sample.error === undefined) ? 0 : 1;
  });
}

/** Errors: UsageError, or those of parseArgs. */
export function readMacroOptions(words: string[]): Options {
  const { values } = parseArgs({
    args: words,
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "6" },
      only: { type: "string", default: tunnelNames.join(",") },
      metrics: { type: "string", default: metricNames.join(",") },
      aead: { type: "string" },
      out: { type: "string" },
    },
  });
  return {
    rounds: parseCount("--rounds", values.rounds),
    seconds: parseCount("--seconds", values.seconds),
    only: parseNames("--only", values.only, tunnelNames),
    metrics: parseNames("--metrics", values.metrics, metricNames),
    aead: parseAead(values.aead),
    out: values.out,
  };
}

async function sortTunnels(tunnels: readonly Tunnel[]): Promise<{ present: Tunnel[]; absent: string[] }> {
  const present: Tunnel[] = [];
  const absent: string[] = [];
  for (const tunnel of tunnels) {
    const why = await tunnel.missing();
    if (why === undefined) present.push(tunnel);
    else absent.push(`${tunnel.name}: ${why}`);
  }
  return { present, absent };
}

async function publish(
  options: Options,
  plan: Plan,
  absent: readonly string[],
  samples: readonly Sample[],
): Promise<void> {
  const setting = await describeSetting();
  const names = tunnelNames.filter((name) => plan.tunnels.some((tunnel) => tunnel.name === name));
  const versions: Record<string, string> = { iperf3: await versionLine("iperf3", "--version") };
  for (const tunnel of plan.tunnels) versions[tunnel.name] = await tunnel.version();
  const targets = names.includes("longhaul") ? judgeTargets(samples, options.aead) : [];
  const path = await saveResult("macro", options.out, setting, { versions, options, absent, targets, samples });
  const lines = [
    formatMachine(setting),
    ...Object.entries(versions).map(([program, version]) => `${program}: ${version}`),
    `Medians of ${plan.rounds}, loads of ${plan.seconds} s; ratios are medians of the rounds' ratios.`,
    "",
    formatMedians(samples, names, ["longhaul", "wireguard-go"]),
    ...(names.includes("wireguard-go") && targets.length > 0 ? ["", formatTargets(targets)] : []),
    "",
    ...absent.map((line) => `not measured: ${line}`),
    ...formatFailures(samples),
    `All samples: ${path}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
