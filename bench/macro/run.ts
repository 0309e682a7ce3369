// The order of measurements. A round starts every tunnel anew, each in namespaces of its own and all side by side (idle
// daemons cost nothing), and measures metric by metric, the tunnels in turn, so that what changes on the machine during
// a run hits all of them alike. The turn begins with another tunnel each round.
import type { Lab } from "../../src/demo/lab.js";
import type { Progress } from "../support/progress.js";
import { type Link, type Tunnel, waitUntilQuiet, waitUntilUp } from "./link.js";
import type { Figures, Metric } from "./metrics.js";
import { iperf } from "./traffic.js";

export interface Plan {
  readonly tunnels: readonly Tunnel[];
  readonly metrics: readonly Metric[];
  readonly rounds: number;
  /** Length of one load. */
  readonly seconds: number;
}

/** One measurement: its figures, or why there are none. */
export interface Sample {
  readonly round: number;
  readonly tunnel: string;
  readonly metric: string;
  readonly startedAt: string;
  readonly figures: Figures;
  readonly error?: string;
}

const START_S = 1.5;
/** One stream before the first measurement: code compiled, ARP done, TCP metrics of the route learnt. */
const WARM_UP_S = 1;

/** @returns seconds that the plan should take. */
export function estimateS({ tunnels, metrics, rounds, seconds }: Plan): number {
  const each = START_S + WARM_UP_S + metrics.reduce((sum, metric) => sum + metric.estimateS(seconds), 0);
  return rounds * tunnels.length * each;
}

/** Measures. @param add  told of every lab that is made. @returns samples in the order in which they were taken. */
export async function runPlan(plan: Plan, progress: Progress, add: (lab: Lab) => void): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    const first = (round - 1) % plan.tunnels.length;
    const tunnels = [...plan.tunnels.slice(first), ...plan.tunnels.slice(0, first)];
    samples.push(...(await runRound({ ...plan, tunnels }, round, progress, add)));
  }
  return samples;
}

async function runRound(plan: Plan, round: number, progress: Progress, add: (lab: Lab) => void): Promise<Sample[]> {
  const samples: Sample[] = [];
  const links = new Map<Tunnel, Link | string>();
  const labs: Lab[] = [];
  const addHere = (lab: Lab): void => {
    labs.push(lab);
    add(lab);
  };
  const label = `round ${round} of ${plan.rounds}`;
  try {
    for (const tunnel of plan.tunnels) {
      const what = `${label}: start ${tunnel.name}`;
      const link = await progress.step(what, START_S + WARM_UP_S, () => startLink(tunnel, addHere));
      if (typeof link === "string") progress.note(`${tunnel.name} did not start: ${link}`);
      links.set(tunnel, link);
    }
    for (const metric of plan.metrics) {
      for (const [tunnel, link] of links) {
        const what = `${label}: ${metric.name} through ${tunnel.name}`;
        const sample = { round, tunnel: tunnel.name, metric: metric.name, startedAt: new Date().toISOString() };
        const outcome = await progress.step(what, metric.estimateS(plan.seconds), () => tryMetric(metric, link, plan));
        if (outcome.error !== undefined) progress.note(`${what}: ${outcome.error}`);
        samples.push({ ...sample, ...outcome });
      }
    }
  } finally {
    for (const lab of labs) await lab.close();
  }
  return samples;
}

/** @returns the link, or why there is none. */
async function startLink(tunnel: Tunnel, add: (lab: Lab) => void): Promise<Link | string> {
  try {
    const link = await tunnel.start(add);
    await waitUntilUp(link);
    await iperf(link, { seconds: WARM_UP_S });
    return link;
  } catch (error) {
    return reason(error);
  }
}

async function tryMetric(metric: Metric, link: Link | string, plan: Plan): Promise<Pick<Sample, "figures" | "error">> {
  if (typeof link === "string") return { figures: {}, error: `the tunnel did not start: ${link}` };
  try {
    await waitUntilQuiet(link);
    return { figures: await metric.measure(link, plan.seconds) };
  } catch (error) {
    return { figures: {}, error: reason(error) };
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
