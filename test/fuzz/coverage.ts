// Which code ran, by V8's own block coverage, asked in the process itself. Source: the inspector's Profiler domain.

import { type Profiler, Session } from "node:inspector/promises";

type ScriptCoverage = Profiler.ScriptCoverage;
type FunctionCoverage = Profiler.FunctionCoverage;

interface Bounds {
  readonly start: number;
  readonly end: number;
}

const KNOWN = 1;
const RAN = 2;
const ELSEWHERE = 3;

/** Characters of the scripts that ran, and every shape in which a function ran. */
export class Coverage {
  readonly #session = new Session();
  readonly #isCovered: (url: string) => boolean;
  readonly #seen = new Set<string>();
  readonly #functions = new Map<string, Map<string, Bounds>>();
  /** By script: for each character whether it is code that is known of, and whether it ran. */
  readonly #cells = new Map<string, Uint8Array>();

  /** @param isCovered  whether a script, by its address, counts */
  constructor(isCovered: (url: string) => boolean) {
    this.#isCovered = isCovered;
  }

  /** Call before the code that counts is loaded: what ran before is not known. */
  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post("Profiler.enable");
    await this.#session.post("Profiler.startPreciseCoverage", { callCount: false, detailed: true });
  }

  stop(): void {
    this.#session.disconnect();
  }

  /**
   * @param commit  false: what is new stays new
   * @returns whether code ran since the last call that never ran before, or a function in a shape never seen
   */
  async take(commit: boolean): Promise<{ newCode: boolean; newShape: boolean }> {
    const { result } = await this.#session.post("Profiler.takePreciseCoverage");
    let newCode = false;
    let newShape = false;
    for (const script of result) {
      if (!this.#isCovered(script.url)) continue;
      const bounds = this.#boundsOf(script);
      for (const one of script.functions) {
        const shape = `${script.scriptId} ${JSON.stringify(one.ranges)}`;
        if (this.#seen.has(shape)) continue;
        newShape = true;
        if (!commit) return { newCode, newShape };
        this.#seen.add(shape);
        if (this.#paint(script, one, bounds)) newCode = true;
      }
    }
    return { newCode, newShape };
  }

  /** Where every function of a script stands that V8 has told of, also one that did not run. */
  #boundsOf(script: ScriptCoverage): Map<string, Bounds> {
    const bounds = this.#functions.get(script.url) ?? new Map<string, Bounds>();
    this.#functions.set(script.url, bounds);
    for (const { ranges } of script.functions) {
      const [{ startOffset: start, endOffset: end }] = ranges;
      bounds.set(`${start}-${end}`, { start, end });
    }
    return bounds;
  }

  /**
   * Ranges lie inside each other, the outer first. What stands in a function within is its own matter.
   * @returns whether a character ran for the first time
   */
  #paint(script: ScriptCoverage, one: FunctionCoverage, bounds: Map<string, Bounds>): boolean {
    const [{ startOffset: start, endOffset: end }] = one.ranges;
    const states = new Uint8Array(end - start);
    for (const range of one.ranges) {
      states.fill(range.count > 0 ? RAN : 0, range.startOffset - start, range.endOffset - start);
    }
    for (const inner of bounds.values()) {
      const isInside = inner.start >= start && inner.end <= end && inner.end - inner.start < end - start;
      if (isInside) states.fill(ELSEWHERE, inner.start - start, inner.end - start);
    }
    const cells = grown(this.#cells, script.url, end);
    let isNew = false;
    for (let i = 0; i < states.length; i++) {
      if (states[i] === ELSEWHERE) continue;
      if (states[i] === RAN && cells[start + i] !== RAN) isNew = true;
      cells[start + i] = Math.max(cells[start + i] ?? 0, states[i] === RAN ? RAN : KNOWN);
    }
    return isNew;
  }

  /** Of the scripts that were loaded, in characters of JavaScript. */
  total(): { ran: number; known: number; shapes: number } {
    let ran = 0;
    let known = 0;
    for (const cells of this.#cells.values()) {
      for (const cell of cells) {
        if (cell === RAN) ran++;
        if (cell !== 0) known++;
      }
    }
    return { ran, known, shapes: this.#seen.size };
  }
}

function grown(maps: Map<string, Uint8Array>, url: string, length: number): Uint8Array {
  const old = maps.get(url);
  if (old !== undefined && old.length >= length) return old;
  const larger = new Uint8Array(Math.max(length, (old?.length ?? 0) * 2));
  if (old !== undefined) larger.set(old);
  maps.set(url, larger);
  return larger;
}
