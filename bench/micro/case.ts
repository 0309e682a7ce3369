// What a micro bench is, and how it is timed: warm-up, then samples of all cases of a group in turn, medians.
import { median, type Sample } from "../support/statistics.js";

/** One thing whose cost is measured. */
export interface Case {
  readonly name: string;
  /** Operations that one run does. */
  readonly operations: number;
  /** Bytes that one operation handles, if a rate makes sense. */
  readonly bytes?: number;
  /** @returns nanoseconds that the operations took. */
  run(): number;
}

/** Cases that are measured together. */
export interface Group {
  readonly name: string;
  /** Sets up the cases. `defer` is given what to do when they have been measured. */
  cases(scale: Scale, defer: (end: () => void) => void): Promise<Case[]>;
}

/** How much is done: little inside the tests, so that no bench rots. */
export interface Scale {
  readonly samples: number;
  /** Milliseconds a sample lasts at least. */
  readonly sampleMs: number;
  readonly prefixesMax: number;
  readonly timers: number;
}

export interface CaseResult {
  readonly group: string;
  readonly name: string;
  readonly nsPerOperation: Sample;
  readonly bytes: number | undefined;
  /** Nanoseconds an operation, one a sample. */
  readonly samples: readonly number[];
}

/** Measures every case of a group. */
export async function measureGroup(group: Group, scale: Scale): Promise<CaseResult[]> {
  const ends: Array<() => void> = [];
  try {
    const cases = await group.cases(scale, (end) => ends.push(end));
    const samples = cases.map(() => [] as number[]);
    for (const one of cases) takeSample(one, scale.sampleMs);
    for (let round = 0; round < scale.samples; round++) {
      cases.forEach((one, i) => {
        samples[i]!.push(takeSample(one, scale.sampleMs));
      });
    }
    return cases.map(({ name, bytes }, i) => ({
      group: group.name,
      name,
      nsPerOperation: median(samples[i]!),
      bytes,
      samples: samples[i]!,
    }));
  } finally {
    for (const end of ends) end();
  }
}

/** Nanoseconds that `work` takes. */
export function timeNs(work: () => void): number {
  const startedMs = performance.now();
  work();
  return (performance.now() - startedMs) * 1e6;
}

function takeSample(one: Case, sampleMs: number): number {
  const endMs = performance.now() + sampleMs;
  let ns = 0;
  let operations = 0;
  do {
    ns += one.run();
    operations += one.operations;
  } while (performance.now() < endMs);
  return ns / operations;
}

/** Errors: throws. A bench that measures a failure is worse than none. */
export function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`micro bench: ${what}`);
}
