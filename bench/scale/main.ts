// `npm run bench:scale`: a gateway with ten thousand peers, longhaul beside wireguard-go, in network namespaces of this machine.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hasProgram } from "../../src/demo/command.js";
import { type DaemonProgram, wireguardGoPath } from "../../test/support/programs.js";
import { GET_PEERS, versionLine } from "../macro/link.js";
import type { Figures } from "../macro/metrics.js";
import { requirePrograms } from "../macro/programs.js";
import { parseCount, parseNames } from "../support/arguments.js";
import { Cleanup } from "../support/cleanup.js";
import { describeSetting, formatMachine, saveResult } from "../support/result.js";
import { requireBuild, root } from "../support/root.js";
import { measureDeadCrowd, measureReload, measureStorm, type Setup } from "./phases.js";
import { formatFigures, formatTargets, judge, type Round } from "./report.js";

const daemonNames = ["longhaul", "wireguard-go"] as const;
const phaseNames = ["dead", "storm", "reload"] as const;
type PhaseName = (typeof phaseNames)[number];

export const SCALE_USAGE = `usage: npm run bench:scale -- [OPTION]…
  --peers N      (10000)
  --rounds N     rounds, of which medians are taken (1)
  --retry S      how long dead peers are retried (60)
  --stream S     length of each TCP stream (10)
  --only NAMES   daemons: ${daemonNames.join(",")} (both)
  --phases NAMES ${phaseNames.join(",")} (all)
  --out FILE     where the JSON goes (bench/results/DATE-COMMIT-scale.json)
`;

/** @returns exit status: 0 when all phases were measured. Errors: UsageError. */
export async function scale(words: string[]): Promise<number> {
  const options = readOptions(words);
  requireBuild(root);
  await requirePrograms("wg");
  const cleanup = new Cleanup(() => {});
  return cleanup.around(async () => {
    const rounds: Round[] = [];
    let failed = false;
    for (let round = 1; round <= options.rounds; round++) {
      for (const phase of options.phases) {
        // another one begins each round, so that what changes on the machine hits both alike
        const order = round % 2 === 1 ? options.only : [...options.only].reverse();
        for (const daemon of order) {
          if (phase === "reload" && daemon !== "longhaul") continue;
          process.stderr.write(`round ${round} of ${options.rounds}: ${phase}, ${daemon}\n`);
          try {
            const figures = await measure(phase, {
              ...(await setupOf(daemon)),
              ...options,
              add: (lab) => cleanup.add(() => lab.close()),
            });
            rounds.push({ round, daemon, phase, figures });
          } catch (error) {
            failed = true;
            const text = error instanceof Error ? error.message : String(error);
            process.stderr.write(`${phase}, ${daemon}: ${text}\n`);
            rounds.push({ round, daemon, phase, figures: {}, error: text });
          }
        }
      }
    }
    await publish(options, rounds);
    return failed ? 1 : 0;
  });
}

function readOptions(words: string[]) {
  const { values } = parseArgs({
    args: words,
    options: {
      peers: { type: "string", default: "10000" },
      rounds: { type: "string", default: "1" },
      retry: { type: "string", default: "60" },
      stream: { type: "string", default: "10" },
      only: { type: "string", default: daemonNames.join(",") },
      phases: { type: "string", default: phaseNames.join(",") },
      out: { type: "string" },
    },
  });
  return {
    peers: parseCount("--peers", values.peers),
    rounds: parseCount("--rounds", values.rounds),
    retryS: parseCount("--retry", values.retry),
    streamS: parseCount("--stream", values.stream),
    only: parseNames("--only", values.only, daemonNames),
    phases: parseNames("--phases", values.phases, phaseNames),
    out: values.out,
  };
}

async function setupOf(daemon: (typeof daemonNames)[number]): Promise<Pick<Setup, "program" | "isLonghaul">> {
  const path = daemon === "longhaul" ? join(root, "bin/longhaul") : wireguardGoPath();
  if (!(await hasProgram(path))) throw new Error(`${path} is not there: ${GET_PEERS}`);
  const program: DaemonProgram = { name: daemon, path };
  return { program, isLonghaul: daemon === "longhaul" };
}

function measure(phase: PhaseName, setup: Setup): Promise<Figures> {
  if (phase === "dead") return measureDeadCrowd(setup);
  return phase === "storm" ? measureStorm(setup) : measureReload(setup);
}

async function publish(options: ReturnType<typeof readOptions>, rounds: readonly Round[]): Promise<void> {
  const setting = await describeSetting();
  const targets = judge(rounds);
  const versions = options.only.includes("wireguard-go")
    ? { "wireguard-go": await versionLine(wireguardGoPath(), "--version") }
    : {};
  const path = await saveResult("scale", options.out, setting, { versions, options, targets, rounds });
  const lines = [
    formatMachine(setting),
    ...Object.values(versions),
    `${options.peers} peers; medians of ${options.rounds}.`,
    "",
    formatFigures(rounds, options.only),
    "",
    formatTargets(targets),
    `All figures: ${path}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
