// The order of the lab's measurements. For every scenario and round all tunnels are started side by side, each on a link
// of its own (idle ones cost nothing), and every load goes through them in turn: what changes on the machine meanwhile
// hits all alike. The turn begins with another tunnel each round.
import type { Lab } from "../../src/demo/lab.js";
import { type Link, type Tunnel, waitUntilQuiet, waitUntilUp } from "../macro/link.js";
import type { Progress } from "../support/progress.js";
import { EmulatedLab } from "./emulated-lab.js";
import { type Load, type LoadResult, ping, runLoad } from "./loads.js";
import { type Difference, difference, readCounters } from "./places.js";
import type { Scenario } from "./scenarios.js";

export interface Plan {
  readonly scenarios: readonly Scenario[];
  readonly tunnels: readonly Tunnel[];
  readonly loads: readonly Load[];
  readonly rounds: number;
  /** Length of one load. */
  readonly seconds: number;
  readonly seed: number;
}

/** One load through one tunnel, or why it could not be measured. */
export interface LoadSample extends Partial<LoadResult>, Partial<Difference> {
  readonly scenario: string;
  readonly round: number;
  readonly tunnel: string;
  /** "idle": only a ping. */
  readonly load: string;
  readonly startedAt: string;
  readonly error?: string;
}

/** Set in the namespaces of both ends before anything starts: no TCP of this lab is to be limited by its buffers. */
export const TCP_SYSCTLS = {
  "ipv4/tcp_rmem": "4096 131072 134217728",
  "ipv4/tcp_wmem": "4096 131072 134217728",
  "ipv4/tcp_no_metrics_save": "1",
} as const;

const IDLE = "idle";
const IDLE_PINGS = 20;
const START_S = 3;
const IDLE_S = 2;
/** Around one load: counters, quiet, iperf3's own start and end. */
const AROUND_LOAD_S = 2.5;

/** @returns seconds that the plan should take */
export function estimateS({ scenarios, tunnels, loads, rounds, seconds }: Plan): number {
  return scenarios.length * rounds * tunnels.length * (START_S + IDLE_S + loads.length * (seconds + AROUND_LOAD_S));
}

/**
 * Measures. @param add  told of every lab that is made. @param keep  given all samples so far after every round
 * @returns samples in the order in which they were taken
 */
export async function runPlan(
  plan: Plan,
  progress: Progress,
  add: (lab: Lab) => void,
  keep: (samples: readonly LoadSample[]) => Promise<unknown>,
): Promise<LoadSample[]> {
  const samples: LoadSample[] = [];
  for (const scenario of plan.scenarios) {
    for (let round = 1; round <= plan.rounds; round++) {
      const first = (round - 1) % plan.tunnels.length;
      const tunnels = [...plan.tunnels.slice(first), ...plan.tunnels.slice(0, first)];
      samples.push(...(await new Round({ ...plan, tunnels }, scenario, round, progress, add).run()));
      await keep(samples);
    }
  }
  return samples;
}

interface Started {
  readonly tunnel: Tunnel;
  readonly lab: EmulatedLab;
  /** Or why there is none. */
  readonly link: Link | string;
}

class Round {
  readonly #plan: Plan;
  readonly #scenario: Scenario;
  readonly #round: number;
  readonly #progress: Progress;
  readonly #add: (lab: Lab) => void;
  readonly #samples: LoadSample[] = [];

  constructor(plan: Plan, scenario: Scenario, round: number, progress: Progress, add: (lab: Lab) => void) {
    this.#plan = plan;
    this.#scenario = scenario;
    this.#round = round;
    this.#progress = progress;
    this.#add = add;
  }

  async run(): Promise<LoadSample[]> {
    const { tunnels, loads, seconds } = this.#plan;
    const labs: EmulatedLab[] = [];
    try {
      const started: Started[] = [];
      for (const tunnel of tunnels) {
        // Every round its own seed, every tunnel of a round the same one.
        const lab = new EmulatedLab(this.#scenario.link, this.#plan.seed + this.#round - 1, TCP_SYSCTLS);
        labs.push(lab);
        this.#add(lab);
        const link = await this.#step(`start ${tunnel.name}`, START_S, () => startLink(tunnel, lab));
        if (typeof link === "string") this.#progress.note(`${tunnel.name} did not start: ${link}`);
        started.push({ tunnel, lab, link });
      }
      for (const one of started) {
        await this.#measure(one, IDLE, IDLE_S, async ({ link }) => ping(link as Link, IDLE_PINGS));
      }
      for (const load of loads) {
        for (const one of started) {
          await this.#measure(one, load.name, seconds + AROUND_LOAD_S, (ready) => measureLoad(ready, load, seconds));
        }
      }
    } finally {
      // What does not go is no reason to lose the hours that are still to come.
      for (const lab of labs) await lab.close().catch((error: unknown) => this.#progress.note(reason(error)));
    }
    return this.#samples;
  }

  async #measure(
    started: Started,
    load: string,
    lastsS: number,
    work: (started: Started) => Promise<Partial<LoadSample>>,
  ): Promise<void> {
    const what = `${load} through ${started.tunnel.name}`;
    const sample = { scenario: this.#scenario.name, round: this.#round, tunnel: started.tunnel.name, load };
    const startedAt = new Date().toISOString();
    const outcome = await this.#step(what, lastsS, async (): Promise<Partial<LoadSample>> => {
      if (typeof started.link === "string") return { error: `the tunnel did not start: ${started.link}` };
      try {
        await waitUntilQuiet(started.link);
        return await work(started);
      } catch (error) {
        return { error: reason(error) };
      }
    });
    if (outcome.error !== undefined) this.#progress.note(`${what}: ${outcome.error}`);
    this.#samples.push({ ...sample, startedAt, ...outcome });
  }

  #step<T>(what: string, lastsS: number, work: () => Promise<T>): Promise<T> {
    const label = `${this.#scenario.name}, round ${this.#round} of ${this.#plan.rounds}: ${what}`;
    return this.#progress.step(label, lastsS, work);
  }
}

/** @returns the link, or why there is none */
async function startLink(tunnel: Tunnel, lab: EmulatedLab): Promise<Link | string> {
  try {
    const link = await tunnel.start(() => {}, lab);
    await waitUntilUp(link);
    return link;
  } catch (error) {
    return reason(error);
  }
}

async function measureLoad({ lab, link }: Started, load: Load, seconds: number): Promise<LoadResult & Difference> {
  const cable = lab.cables[0]!;
  const before = await readCounters(link as Link, cable);
  const result = await runLoad(link as Link, load, seconds);
  return { ...result, ...difference(before, await readCounters(link as Link, cable)) };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
