// Random numbers and mutations from a seed, so that a run can be repeated.

import fc from "fast-check";
import { seededRandom } from "../sim/world.js";

/** Draws from a seed. */
export class FuzzRandom {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** @returns an integer in [0, n) */
  below(n: number): number {
    return Math.floor(this.#next() * n);
  }

  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** @returns one value of an arbitrary, the same for the same seed */
export function sampleOf<T>(arbitrary: fc.Arbitrary<T>, seed: number): T {
  return fc.sample(arbitrary, { seed, numRuns: 1 })[0] as T;
}

export const encode = (text: string): Uint8Array => Buffer.from(text, "latin1");
export const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

const EDGES = [0, 1, 9, 10, 13, 32, 35, 45, 47, 48, 57, 58, 61, 91, 93, 127, 128, 255];

/** One to four changes. @param other  another input, to take a piece of */
export function mutate(
  random: FuzzRandom,
  input: Uint8Array,
  other: Uint8Array,
  dictionary: readonly string[],
): Uint8Array {
  let bytes: Buffer = Buffer.from(input);
  for (let n = 1 + random.below(4); n > 0; n--) bytes = mutateOnce(random, bytes, other, dictionary);
  return bytes;
}

function mutateOnce(random: FuzzRandom, bytes: Buffer, other: Uint8Array, dictionary: readonly string[]): Buffer {
  const at = random.below(bytes.length + 1);
  const length = random.below(random.oneIn(4) ? bytes.length - at + 1 : Math.min(bytes.length - at + 1, 12));
  const before = bytes.subarray(0, at);
  const piece = bytes.subarray(at, at + length);
  const after = bytes.subarray(at + length);
  switch (random.below(9)) {
    case 0: // a byte
      return Buffer.concat([before, Uint8Array.of(random.below(256)), bytes.subarray(at + 1)]);
    case 1: // an edge
      return Buffer.concat([before, Uint8Array.of(random.pick(EDGES)), bytes.subarray(at + 1)]);
    case 2: // a bit
      return Buffer.concat([before, Uint8Array.of((bytes[at] ?? 0) ^ (1 << random.below(8))), bytes.subarray(at + 1)]);
    case 3: // a word, put in or in place of something
      return Buffer.concat([
        before,
        encode(random.pick(dictionary)),
        random.oneIn(2) ? after : Buffer.concat([piece, after]),
      ]);
    case 4: // a piece taken away
      return Buffer.concat([before, after]);
    case 5: // a piece twice, or so often that what costs more than its length shows
      return Buffer.concat([
        before,
        ...Array.from({ length: random.oneIn(20) ? 2_000 : 1 + random.below(4) }, () => piece),
        piece,
        after,
      ]);
    case 6: {
      // a piece of another input
      const from = random.below(other.length + 1);
      return Buffer.concat([before, other.subarray(from, from + random.below(64)), after]);
    }
    case 7: // a digit
      return Buffer.concat([before, encode(String(random.below(70_000))), after]);
    default: // a byte more
      return Buffer.concat([before, Uint8Array.of(random.below(256)), bytes.subarray(at)]);
  }
}
