// What many samples come to: medians over rounds, and ratios within rounds, since only these shared a machine's mood.
import { median, quantile, ratios, type Sample as Value } from "../support/statistics.js";
import { type Drops, type Place, placeNames } from "./places.js";
import type { LoadSample } from "./run.js";

/** The tunnel that stands for the bare link. */
export const BARE = "none";

export interface Summary {
  readonly scenario: string;
  readonly tunnel: string;
  readonly load: string;
  /** Rounds that gave a figure. */
  readonly rounds: number;
  readonly mbps: Value;
  readonly mbpsSettled: Value;
  /** Of the bare link's, round by round. */
  readonly share: Value;
  readonly shareSettled: Value;
  readonly retransmits: Value;
  readonly idlePingMs: Value;
  readonly pingMs: Value;
  readonly pingP99Ms: Value;
  readonly cpuSecondsPerGb: Value;
  /** Medians of the rounds; `worst` the most of any. */
  readonly drops: Drops;
  readonly worst: Drops;
  /** Processor cores that the emulator took. */
  readonly emulatorCores: Value;
  /** Of the link's deliveries, those more than a millisecond late: above some percent the machine was too busy. */
  readonly latePercent: Value;
}

/** @returns one summary for every scenario, load and tunnel that was measured, in order of first appearance */
export function summarise(samples: readonly LoadSample[], seconds: number): Summary[] {
  const groups = new Map<string, LoadSample[]>();
  for (const sample of samples) {
    if (sample.load === "idle") continue;
    const key = [sample.scenario, sample.load, sample.tunnel].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  return [...groups.values()].map((group) => summariseGroup(group, samples, seconds));
}

function summariseGroup(group: readonly LoadSample[], all: readonly LoadSample[], seconds: number): Summary {
  const { scenario, tunnel, load } = group[0]!;
  const of = (name: string, what: string): LoadSample[] =>
    all.filter((one) => one.scenario === scenario && one.tunnel === name && one.load === what);
  const bare = group.map(({ round }) => of(BARE, load).find((sample) => sample.round === round));
  const share = (rate: (sample: LoadSample | undefined) => Value): Value =>
    median(ratios(group.map(rate), bare.map(rate)));
  const pings = group.flatMap(({ pingsMs }) => pingsMs ?? []);
  return {
    scenario,
    tunnel,
    load,
    rounds: group.filter(({ mbps }) => mbps !== undefined).length,
    mbps: median(group.map(({ mbps }) => mbps)),
    mbpsSettled: median(group.map(({ mbpsSettled }) => mbpsSettled)),
    share: share((sample) => sample?.mbps),
    shareSettled: share((sample) => sample?.mbpsSettled),
    retransmits: median(group.map(({ retransmits }) => retransmits)),
    idlePingMs: median(of(tunnel, "idle").flatMap(({ pingsMs }) => pingsMs ?? [])),
    pingMs: median(pings),
    pingP99Ms: quantile(pings, 0.99),
    cpuSecondsPerGb: median(group.map(cpuSecondsPerGb)),
    drops: byPlace(group, median),
    worst: byPlace(group, (values) => quantile(values, 1)),
    emulatorCores: median(group.map(({ link }) => link && link.cpuSeconds / seconds)),
    latePercent: median(group.map(latePercent)),
  };
}

function byPlace(group: readonly LoadSample[], pick: (values: Value[]) => Value): Drops {
  const result: Partial<Record<Place, number>> = {};
  for (const place of placeNames) {
    const value = pick(group.map(({ drops }) => drops?.[place]));
    if (value !== undefined) result[place] = value;
  }
  return result;
}

function cpuSecondsPerGb({ daemonCpuSeconds, bytes }: LoadSample): Value {
  return daemonCpuSeconds === undefined || !bytes ? undefined : daemonCpuSeconds / (bytes / 1e9);
}

function latePercent({ link }: LoadSample): Value {
  if (link === undefined) return undefined;
  const sent = link.forward.framesOut + link.backward.framesOut;
  return sent === 0 ? undefined : (100 * (link.forward.lateOver1Ms + link.backward.lateOver1Ms)) / sent;
}
