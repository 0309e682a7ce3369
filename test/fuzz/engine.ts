// Coverage-guided fuzzing of one target: mutate what has shown new code, keep what shows more. Inputs run in rounds, because
// asking V8 for coverage costs as much as many inputs; a round that showed something new is run again one by one.

import type { Coverage } from "./coverage.js";
import { FuzzRandom, mutate } from "./random.js";
import type { FuzzTarget } from "./target.js";

const ROUND = 48;
const POOL_MAX = 3_000;
/** One input, of whatever kind, takes far less, on any machine. */
const SLOW_MS = 2_000;
/** Inputs between two looks at the heap. */
const HEAP_EVERY = 4_096;
/** What the engine itself may come to hold between two looks. */
const HEAP_GROWTH_MAX = 96 << 20;

export interface Finding {
  readonly input: Uint8Array;
  readonly error: Error;
}

export interface FuzzResult {
  readonly executions: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
  /** Inputs that ran code which none before them did: what to keep. */
  readonly kept: readonly Uint8Array[];
  readonly slowestMs: number;
}

export interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly corpus: readonly Uint8Array[];
  readonly findingsMax: number;
}

export class Fuzzer {
  readonly #target: FuzzTarget;
  readonly #coverage: Coverage;
  readonly #random: FuzzRandom;
  readonly #options: FuzzOptions;
  readonly #pool: Uint8Array[] = [];
  readonly #kept: Uint8Array[] = [];
  readonly #findings: Finding[] = [];
  readonly #messages = new Set<string>();
  #executions = 0;
  #slowestMs = 0;
  #heapBytes = 0;

  constructor(target: FuzzTarget, coverage: Coverage, options: FuzzOptions) {
    this.#target = target;
    this.#coverage = coverage;
    this.#options = options;
    this.#random = new FuzzRandom(options.seed);
  }

  async run(): Promise<FuzzResult> {
    const beganMs = performance.now();
    const isOver = (): boolean =>
      performance.now() - beganMs >= this.#options.seconds * 1_000 ||
      this.#findings.length >= this.#options.findingsMax;
    for (const input of this.#options.corpus) await this.#try(input);
    while (!isOver()) await this.#round();
    return {
      executions: this.#executions,
      seconds: (performance.now() - beganMs) / 1_000,
      findings: this.#findings,
      kept: this.#kept,
      slowestMs: this.#slowestMs,
    };
  }

  async #round(): Promise<void> {
    const inputs = Array.from({ length: ROUND }, () => this.#next());
    for (const input of inputs) await this.#execute(input);
    const { newShape } = await this.#coverage.take(false);
    if (newShape) for (const input of inputs) await this.#try(input);
    this.#watchHeap();
  }

  async #try(input: Uint8Array): Promise<void> {
    await this.#execute(input);
    const { newCode, newShape } = await this.#coverage.take(true);
    if (newCode) this.#kept.push(input);
    if (!newShape) return;
    if (this.#pool.length < POOL_MAX) this.#pool.push(input);
    else this.#pool[this.#random.below(POOL_MAX)] = input;
  }

  #next(): Uint8Array {
    const { dictionary, bytesMax } = this.#target;
    const fresh = (): Uint8Array => this.#target.make(this.#random.below(2 ** 31));
    const any = (): Uint8Array => (this.#pool.length === 0 ? fresh() : this.#random.pick(this.#pool));
    const isFresh = this.#random.oneIn(6);
    const base = isFresh ? fresh() : any();
    // What is valid shows what a mutation hides: a way back that does not lead back.
    const isLeft = this.#random.oneIn(isFresh ? 2 : 12);
    const input = isLeft ? base : mutate(this.#random, base, any(), dictionary);
    return input.subarray(0, bytesMax);
  }

  async #execute(input: Uint8Array): Promise<void> {
    const beganMs = performance.now();
    this.#executions++;
    try {
      await this.#target.check(Uint8Array.from(input));
    } catch (error) {
      this.#report(input, error as Error);
    }
    const ms = performance.now() - beganMs;
    this.#slowestMs = Math.max(this.#slowestMs, ms);
    if (ms > SLOW_MS) this.#report(input, new Error(`slow: ${Math.round(ms)} ms for ${input.length} bytes`));
  }

  /** One finding a message, numbers aside. */
  #report(input: Uint8Array, error: Error): void {
    const message = String(error.message)
      .replace(/[0-9]+/g, "0")
      .slice(0, 60);
    if (this.#messages.has(message)) return;
    this.#messages.add(message);
    this.#findings.push({ input, error });
  }

  #watchHeap(): void {
    if (globalThis.gc === undefined || this.#executions % HEAP_EVERY >= ROUND) return;
    globalThis.gc();
    const bytes = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    if (this.#heapBytes > 0 && bytes > this.#heapBytes + HEAP_GROWTH_MAX) {
      this.#report(new Uint8Array(0), new Error(`memory grew by ${bytes - this.#heapBytes} bytes`));
    }
    if (this.#heapBytes === 0) this.#heapBytes = bytes;
  }
}
