// Seeded randomness for the link model: the same seed gives the same link, whatever machine it runs on.

/** xoshiro128** over 32-bit words. Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators". */
export class Random {
  readonly #state = new Uint32Array(4);

  /**
   * @param seed  any whole number
   * @param stream  tells apart generators of one seed that do not disturb each other: switching jitter on leaves the
   *   losses where they are
   */
  constructor(seed: number, stream: string) {
    let word = seed >>> 0;
    word = Math.imul(word ^ Math.floor(seed / 2 ** 32), 0x85eb_ca6b) >>> 0;
    for (const character of stream) word = Math.imul(word ^ character.codePointAt(0)!, 0x0100_0193) >>> 0;
    for (let i = 0; i < 4; i++) {
      word = (word + 0x9e37_79b9) >>> 0;
      let mixed = Math.imul(word ^ (word >>> 16), 0x21f0_aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
      this.#state[i] = (mixed ^ (mixed >>> 15)) >>> 0;
    }
    if (this.#state.every((part) => part === 0)) this.#state[0] = 1;
  }

  /** @returns a whole number, 0 to 2^32 − 1 */
  next32(): number {
    const state = this.#state;
    const [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!];
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    state[2] = c ^ a;
    state[3] = d ^ b;
    state[1] = b ^ state[2]!;
    state[0] = a ^ state[3]!;
    state[2] = state[2]! ^ (b << 9);
    state[3] = (state[3]! << 11) | (state[3]! >>> 21);
    return result;
  }

  /** @returns 0 ≤ x < 1 */
  next(): number {
    return this.next32() / 2 ** 32;
  }

  /** Whether an event of that probability happens. 0 never draws. */
  happens(percent: number): boolean {
    return percent > 0 && this.next() * 100 < percent;
  }

  /** Exponentially distributed with that mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }
}
