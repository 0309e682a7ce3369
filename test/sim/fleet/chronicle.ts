// What happened: a hash of everything, so that two runs of a seed can be compared, and the last events in words.

const KEPT = 200;

export class Chronicle {
  #hash = 0x811c9dc5;
  #other = 0x1234567;
  readonly #last: { atMs: number; who: string; what: () => string }[] = [];
  /** Events in all. */
  events = 0;

  /** @param what  words for a reader, made only when somebody reads; what they say must go into `numbers` and `bytes` */
  note(atMs: number, who: string, what: () => string, numbers: readonly number[], bytes?: Uint8Array): void {
    this.events++;
    this.#mix(atMs);
    for (let i = 0; i < who.length; i++) this.#mix(who.charCodeAt(i));
    for (const number of numbers) this.#mix(number);
    if (bytes !== undefined) for (let i = 0; i < bytes.length; i++) this.#mix(bytes[i]);
    this.#last[this.events % KEPT] = { atMs, who, what };
  }

  hash(): string {
    return [this.#hash, this.#other].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** @returns one line an event */
  tail(): string[] {
    const at = (this.events + 1) % KEPT;
    const inOrder = [...this.#last.slice(at), ...this.#last.slice(0, at)].filter((event) => event !== undefined);
    return inOrder.map(({ atMs, who, what }) => `${(atMs / 1_000).toFixed(3).padStart(10)} s  ${who}: ${what()}`);
  }

  #mix(number: number): void {
    this.#hash = Math.imul(this.#hash ^ number, 0x01000193);
    this.#other = (Math.imul(this.#other, 0x9e3779b1) + number) | 0;
  }
}
