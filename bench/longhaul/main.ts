// `npm run bench:longhaul`: longhaul beside other tunnels and the bare link, over emulated long links.
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Tunnel, versionLine } from "../macro/link.js";
import { requirePrograms } from "../macro/programs.js";
import { makeTunnels, tunnelNames } from "../macro/tunnels.js";
import { parseCount, parseNames } from "../support/arguments.js";
import { Cleanup } from "../support/cleanup.js";
import { formatDuration, Progress } from "../support/progress.js";
import { describeSetting, formatMachine, type Setting, saveResult } from "../support/result.js";
import { requireBuild, root } from "../support/root.js";
import { checkAccuracy } from "./accuracy.js";
import { renderHtml } from "./html.js";
import { kernelWireguardTunnel } from "./kernel-wireguard.js";
import { DEFAULT_LOADS, INTERVAL_S, type Load, load, loadNames, missingCongestionControl, settleS } from "./loads.js";
import { places } from "./places.js";
import { estimateS, type LoadSample, type Plan, runPlan, TCP_SYSCTLS } from "./run.js";
import { scenario, scenarioNames } from "./scenarios.js";
import { takeScreenshots } from "./screenshots.js";
import { settingToJson } from "./setting.js";
import { BARE, summarise } from "./summary.js";
import { formatSummaries } from "./table.js";
import { formatTargets, judge } from "./targets.js";

const names = [...tunnelNames, "wireguard-kernel"] as const;

export const LONGHAUL_USAGE = `usage: npm run bench:longhaul -- [OPTION]…
  --scenarios NAMES  ${scenarioNames.join(",")} (all)
  --only NAMES       tunnels: ${names.join(",")} (all that are here)
  --loads NAMES      ${loadNames.join(",")} (${DEFAULT_LOADS.join(",")})
  --rounds N         rounds, of which medians are taken (3)
  --seconds S        length of one load (20)
  --seed N           of the links' randomness (1)
  --out FILE         where the JSON goes (bench/results/DATE-COMMIT-longhaul.json), anew after every round; the report
                     lies beside it, as .html
  --estimate         only says how long it would take
  --check            only measures whether the emulator does what it is set to: about half a minute
  --render FILE      measures nothing: makes the report anew from a JSON
  --screenshots DIR  pictures of the report too (needs /usr/bin/chromium)
`;

interface Options {
  readonly scenarios: readonly (typeof scenarioNames)[number][];
  readonly only: readonly string[];
  readonly loads: readonly (typeof loadNames)[number][];
  readonly rounds: number;
  readonly seconds: number;
  readonly seed: number;
  readonly out: string | undefined;
  readonly estimate: boolean;
  readonly check: boolean;
  readonly render: string | undefined;
  readonly screenshots: string | undefined;
}

/** Runs the lab. @returns exit status: 0, or 1 when nothing could be measured. Errors: UsageError. */
export async function longhaul(words: string[]): Promise<number> {
  const options = readOptions(words);
  if (options.render !== undefined) return render(options.render, options);
  requireBuild(root);
  await requirePrograms();
  const progress: { current: Progress | undefined } = { current: undefined };
  const cleanup = new Cleanup(() => progress.current?.end(true));
  return cleanup.around(async () => {
    if (options.check) {
      const { text, holds } = await checkAccuracy((lab) => cleanup.add(() => lab.close()));
      process.stdout.write(`${text}\n`);
      return holds ? 0 : 1;
    }
    const directory = await mkdtemp(join(tmpdir(), "longhaul-lab-"));
    cleanup.addDirectory(directory);
    const { plan, absent } = await makePlan(options, directory);
    if (plan.tunnels.length === 0 || plan.loads.length === 0) throw new Error(absent.join("\n"));
    for (const line of absent) process.stderr.write(`not measured: ${line}\n`);
    process.stderr.write(`this will take about ${formatDuration(estimateS(plan))}\n`);
    if (options.estimate) return 0;
    const run: Run = { plan, absent, setting: await describeSetting(), versions: await versionsOf(plan) };
    progress.current = new Progress(estimateS(plan));
    const samples = await runPlan(
      plan,
      progress.current,
      (lab) => cleanup.add(() => lab.close()),
      (some) => save(run, some, options.out),
    );
    progress.current.end();
    await publish(options, run, samples);
    return samples.some((sample) => sample.mbps !== undefined) ? 0 : 1;
  });
}

function readOptions(words: string[]): Options {
  const { values } = parseArgs({
    args: words,
    options: {
      scenarios: { type: "string", default: scenarioNames.join(",") },
      only: { type: "string", default: names.join(",") },
      loads: { type: "string", default: DEFAULT_LOADS.join(",") },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "20" },
      seed: { type: "string", default: "1" },
      out: { type: "string" },
      estimate: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      render: { type: "string" },
      screenshots: { type: "string" },
    },
  });
  return {
    scenarios: parseNames("--scenarios", values.scenarios, scenarioNames),
    only: parseNames("--only", values.only, names),
    loads: parseNames("--loads", values.loads, loadNames),
    rounds: parseCount("--rounds", values.rounds),
    seconds: parseCount("--seconds", values.seconds),
    seed: parseCount("--seed", values.seed),
    out: values.out,
    estimate: values.estimate,
    check: values.check,
    render: values.render,
    screenshots: values.screenshots,
  };
}

async function makePlan(options: Options, directory: string): Promise<{ plan: Plan; absent: string[] }> {
  const known = [...(await makeTunnels(options.only, undefined, directory)), kernelWireguardTunnel(directory)];
  const tunnels: Tunnel[] = [];
  const loads: Load[] = [];
  const absent: string[] = [];
  for (const tunnel of known.filter(({ name }) => options.only.includes(name))) {
    const why = await tunnel.missing();
    if (why === undefined) tunnels.push(tunnel);
    else absent.push(`${tunnel.name}: ${why}`);
  }
  for (const one of options.loads.map(load)) {
    const why = missingCongestionControl(one);
    if (why === undefined) loads.push(one);
    else absent.push(`${one.name}: ${why}`);
  }
  const { rounds, seconds, seed } = options;
  return { plan: { scenarios: options.scenarios.map(scenario), tunnels, loads, rounds, seconds, seed }, absent };
}

/** What is known before the first measurement. */
interface Run {
  readonly plan: Plan;
  readonly absent: readonly string[];
  readonly setting: Setting;
  readonly versions: Readonly<Record<string, string>>;
}

async function versionsOf(plan: Plan): Promise<Record<string, string>> {
  const versions: Record<string, string> = { iperf3: await versionLine("iperf3", "--version") };
  for (const tunnel of plan.tunnels) {
    versions[tunnel.name] = tunnel.name === BARE ? "the bare link" : await tunnel.version();
  }
  return versions;
}

/** Writes what there is so far: a run of hours that is cut off has not been for nothing. @returns the path, for people */
function save(
  { plan, absent, setting, versions }: Run,
  samples: readonly LoadSample[],
  out: string | undefined,
): Promise<string> {
  const summaries = summarise(samples, plan.seconds);
  const { rounds, seconds, seed } = plan;
  return saveResult("longhaul", out, setting, {
    ...{ versions, absent, rounds, seconds, seed, settleS: settleS(seconds), intervalS: INTERVAL_S },
    tcpSysctls: TCP_SYSCTLS,
    scenarios: plan.scenarios.map((one) => ({ ...one, link: JSON.parse(settingToJson(one.link)) })),
    tunnels: plan.tunnels.map(({ name }) => name),
    loads: plan.loads,
    ...{ places, targets: judge(summaries, samples), summaries, samples },
  });
}

async function publish(options: Options, run: Run, samples: readonly LoadSample[]): Promise<void> {
  const { plan, absent, setting, versions } = run;
  const { rounds, seconds, seed } = plan;
  const summaries = summarise(samples, seconds);
  const targets = judge(summaries, samples);
  const path = await save(run, samples, options.out);
  const failures = samples.flatMap((sample) =>
    sample.error === undefined
      ? []
      : [`failed: ${sample.scenario}, round ${sample.round}, ${sample.load} through ${sample.tunnel}: ${sample.error}`],
  );
  const lines = [
    formatMachine(setting),
    ...Object.entries(versions).map(([program, version]) => `${program}: ${version}`),
    `Medians of ${rounds}, loads of ${seconds} s of which ${settleS(seconds)} s are slow start; seed ${seed}.`,
    `TCP buffers: rmem ${TCP_SYSCTLS["ipv4/tcp_rmem"]}; wmem ${TCP_SYSCTLS["ipv4/tcp_wmem"]}.`,
    "",
    formatSummaries(plan.scenarios, plan.loads, summaries),
    "",
    ...(targets.length > 0 ? [formatTargets(targets), ""] : []),
    ...absent.map((line) => `not measured: ${line}`),
    ...failures,
    `All samples: ${path}`,
    `Report: ${await writeReport(path, options)}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

async function render(path: string, options: Options): Promise<number> {
  process.stdout.write(`${await writeReport(path, options)}\n`);
  return 0;
}

/** Makes the report beside a JSON. @returns its path */
async function writeReport(path: string, { screenshots }: Options): Promise<string> {
  const report = path.replace(/(\.json)?$/, ".html");
  await writeFile(report, renderHtml(await readFile(path, "utf8")));
  if (screenshots !== undefined) await takeScreenshots(report, screenshots);
  return report;
}
