// `npm run bench:flood`: a TCP stream through a daemon, and first handshakes with it, while a third host floods it. Each flood and
// each daemon in turn, so that drift of the machine hits all alike.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Lab } from "../../src/demo/lab.js";
import type { KeyPair } from "../../test/support/keys.js";
import { type DaemonProgram, longhaul, wireguardGo } from "../../test/support/programs.js";
import { versionLine } from "../macro/link.js";
import { requirePrograms } from "../macro/programs.js";
import { iperf } from "../macro/traffic.js";
import { parseCount, parseNames } from "../support/arguments.js";
import { Cleanup } from "../support/cleanup.js";
import { describeCommit } from "../support/machine.js";
import { Progress } from "../support/progress.js";
import { describeSetting, formatMachine, saveResult } from "../support/result.js";
import { requireBuild, root } from "../support/root.js";
import { type FloodName, floodNames } from "./datagrams.js";
import { cpuSecondsOf, rssMbOf } from "./process.js";
import { type FloodSite, startFlood, startFloodSite, startNewcomers } from "./site.js";
import { type FloodSample, formatFloods } from "./table.js";

const daemonNames = ["longhaul", "wireguard-go"] as const;
const programs: Readonly<Record<(typeof daemonNames)[number], DaemonProgram>> = {
  longhaul: { ...longhaul, path: join(root, "bin/longhaul") },
  "wireguard-go": wireguardGo,
};

export const FLOOD_USAGE = `usage: npm run bench:flood -- [OPTION]…
  --rounds N      rounds, of which medians are taken (3)
  --seconds S     length of one flood and of the stream under it (5)
  --rate N        datagrams a second of a flood (20000)
  --only NAMES    ${daemonNames.join(",")} (both)
  --floods NAMES  ${floodNames.join(",")} (all)
  --out FILE      where the JSON goes (bench/results/DATE-COMMIT-flood.json)
`;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly rate: number;
  readonly only: readonly (typeof daemonNames)[number][];
  readonly floods: readonly FloodName[];
  readonly out: string | undefined;
}

/** First handshakes begun a second: too few to put anybody under load. */
const NEWCOMERS_RATE = 10;
const WARM_UP_S = 1;
const AROUND_S = 1.5;

/** Runs the bench. @returns exit status: 0, or 1 when nothing could be measured. Errors: UsageError. */
export async function flood(words: string[]): Promise<number> {
  const options = readOptions(words);
  requireBuild(root);
  await requirePrograms("wg", "tcpdump");
  const steps = options.rounds * options.only.length * options.floods.length;
  const progress = new Progress(steps * (options.seconds + AROUND_S));
  const cleanup = new Cleanup(() => progress.end(true));
  return cleanup.around(async () => {
    const samples: FloodSample[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      samples.push(...(await measureRound(options, round, progress, (lab) => cleanup.add(() => lab.close()))));
    }
    progress.end();
    await publish(options, samples);
    return samples.length > 0 ? 0 : 1;
  });
}

function readOptions(words: string[]): Options {
  const { values } = parseArgs({
    args: words,
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "5" },
      rate: { type: "string", default: "20000" },
      only: { type: "string", default: daemonNames.join(",") },
      floods: { type: "string", default: floodNames.join(",") },
      out: { type: "string" },
    },
  });
  return {
    rounds: parseCount("--rounds", values.rounds),
    seconds: parseCount("--seconds", values.seconds),
    rate: parseCount("--rate", values.rate),
    only: parseNames("--only", values.only, daemonNames),
    floods: parseNames("--floods", values.floods, floodNames),
    out: values.out,
  };
}

async function measureRound(
  options: Options,
  round: number,
  progress: Progress,
  add: (lab: Lab) => void,
): Promise<FloodSample[]> {
  const labs: Lab[] = [];
  const samples: FloodSample[] = [];
  const perFlood = options.seconds * NEWCOMERS_RATE;
  try {
    const sites = new Map<(typeof daemonNames)[number], FloodSite>();
    for (const name of options.only) {
      const site = await startFloodSite(programs[name], perFlood * options.floods.length, (lab) => {
        labs.push(lab);
        add(lab);
      });
      await iperf(site.link, { seconds: WARM_UP_S });
      sites.set(name, site);
    }
    for (const [i, name] of options.floods.entries()) {
      for (const [daemon, site] of sites) {
        const keys = site.keys.slice(i * perFlood, (i + 1) * perFlood);
        const what = `round ${round} of ${options.rounds}: ${name} at ${daemon}`;
        const work = (): Promise<Omit<FloodSample, "round" | "daemon" | "flood">> =>
          measure(site, name, keys, options.rate, options.seconds);
        samples.push({ round, daemon, flood: name, ...(await progress.step(what, options.seconds + AROUND_S, work)) });
      }
    }
  } finally {
    for (const lab of labs) await lab.close();
  }
  return samples;
}

async function measure(
  site: FloodSite,
  name: FloodName,
  keys: readonly KeyPair[],
  rate: number,
  seconds: number,
): Promise<Omit<FloodSample, "round" | "daemon" | "flood">> {
  const flooding = name === "none" ? undefined : await startFlood(site, name, rate, seconds + AROUND_S);
  const newcomers = await startNewcomers(site, keys, NEWCOMERS_RATE, seconds);
  const before = { rssMb: rssMbOf(site.pid), cpuS: cpuSecondsOf(site.pid) };
  flooding?.go();
  newcomers.go();
  const stream = await iperf(site.link, { seconds });
  const [flooded, handshakes] = await Promise.all([flooding?.report, newcomers.report]);
  const cpuSeconds = cpuSecondsOf(site.pid) - before.cpuS;
  await sleep(200);
  return {
    mbps: stream.bitsPerSecond / 1e6,
    floodPerSecond: flooded === undefined ? 0 : flooded.sent / flooded.seconds,
    attempts: handshakes.attempts,
    tookMs: handshakes.tookMs,
    cookies: handshakes.cookies,
    rssBeforeMb: before.rssMb,
    rssAfterMb: rssMbOf(site.pid),
    cpuSeconds,
  };
}

async function publish(options: Options, samples: readonly FloodSample[]): Promise<void> {
  const setting = await describeSetting();
  const { hash, dirty } = await describeCommit(root);
  const versions: Record<string, string> = { longhaul: `${hash}${dirty ? " and changes" : ""}` };
  if (options.only.includes("wireguard-go"))
    versions["wireguard-go"] = await versionLine(wireguardGo.path, "--version");
  const path = await saveResult("flood", options.out, setting, { versions, options, samples });
  const lines = [
    formatMachine(setting),
    ...Object.entries(versions).map(([program, version]) => `${program}: ${version}`),
    `Medians of ${options.rounds}; floods of ${options.rate} datagrams a second for ${options.seconds} s.`,
    "",
    ...options.only.map((daemon) => `${daemon}\n${formatFloods(samples, daemon, options.floods)}\n`),
    `All samples: ${path}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
