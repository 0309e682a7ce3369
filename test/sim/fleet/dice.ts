// Random choices out of one seed. Each part of a fleet has dice of its own, so that what one draws does not move the others.

import { seededRandom } from "../world.js";

export class Dice {
  readonly random: () => number;

  /** @param stream  which of a seed's dice */
  constructor(seed: number, stream: number) {
    this.random = seededRandom((Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0);
    for (let i = 0; i < 4; i++) this.random();
  }

  /** @returns an integer, 0 ≤ n < count */
  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  /** @returns an integer, both ends included */
  between(least: number, greatest: number): number {
    return least + this.below(greatest - least + 1);
  }

  chance(perMille: number): boolean {
    return this.random() * 1_000 < perMille;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  fill(into: Uint8Array): void {
    for (let i = 0; i < into.length; i += 4) {
      const word = this.random() * 0x1_0000_0000;
      for (let byte = 0; byte < 4 && i + byte < into.length; byte++) into[i + byte] = word >>> (8 * byte);
    }
  }

  bytes(length: number): Uint8Array {
    const made = new Uint8Array(length);
    this.fill(made);
    return made;
  }
}
