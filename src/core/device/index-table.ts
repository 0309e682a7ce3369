// HOT PATH: receiver indices ([W] 5.4.2: random u32, unique in a device) to whatever small integer the device gives
// them. Open addressing with linear probing; the keys are random and ours, so their low bits are the hash and nobody
// outside can choose collisions. Deletion shifts back, so no tombstones pile up over months of rekeys.

const EMPTY = -1;
const INITIAL_SLOTS = 64;
const DRAWN_AHEAD = 64;

export class IndexTable {
  readonly #random: (into: Uint32Array) => void;
  readonly #drawn = new Uint32Array(DRAWN_AHEAD);
  #drawnLeft = 0;
  /** Bit patterns of the indices; int32 so that a probe compares machine integers. */
  #keys = new Int32Array(INITIAL_SLOTS);
  #values = new Int32Array(INITIAL_SLOTS).fill(EMPTY);
  #mask = INITIAL_SLOTS - 1;
  #used = 0;

  /** @param random  fills the array with unpredictable u32; asked for 64 at a time */
  constructor(random: (into: Uint32Array) => void) {
    this.#random = random;
  }

  /** Indices in use. */
  get size(): number {
    return this.#used;
  }

  /**
   * Takes an unused random index. Allocates only when the table grows (amortised, at half load).
   * @param value  integer ≥ 0
   * @returns u32, never 0, so that 0 may mean "no index" elsewhere.
   */
  allocate(value: number): number {
    if ((this.#used + 1) * 2 > this.#mask + 1) this.#grow();
    for (;;) {
      if (this.#drawnLeft === 0) {
        this.#random(this.#drawn);
        this.#drawnLeft = DRAWN_AHEAD;
      }
      const index = this.#drawn[--this.#drawnLeft];
      if (index === 0) continue;
      const slot = this.#find(index | 0);
      if (this.#values[slot] !== EMPTY) continue;
      this.#keys[slot] = index;
      this.#values[slot] = value;
      this.#used++;
      return index;
    }
  }

  /** @returns the index's value, or -1 when it is not in use. */
  lookup(index: number): number {
    return this.#values[this.#find(index | 0)];
  }

  /** Gives an index in use another value (integer ≥ 0). @returns whether it was in use. */
  set(index: number, value: number): boolean {
    const slot = this.#find(index | 0);
    if (this.#values[slot] === EMPTY) return false;
    this.#values[slot] = value;
    return true;
  }

  /** Frees an index. @returns whether it was in use. */
  release(index: number): boolean {
    const keys = this.#keys;
    const values = this.#values;
    const mask = this.#mask;
    let hole = this.#find(index | 0);
    if (values[hole] === EMPTY) return false;
    this.#used--;
    for (let slot = (hole + 1) & mask; values[slot] !== EMPTY; slot = (slot + 1) & mask) {
      // An entry may move back into the hole unless that would put it before the slot its hash names.
      const displacement = (slot - keys[slot]) & mask;
      if (displacement < ((slot - hole) & mask)) continue;
      keys[hole] = keys[slot];
      values[hole] = values[slot];
      hole = slot;
    }
    values[hole] = EMPTY;
    return true;
  }

  /** @returns the slot that holds the key, or the empty slot where it belongs. */
  #find(key: number): number {
    const keys = this.#keys;
    const values = this.#values;
    const mask = this.#mask;
    let slot = key & mask;
    while (values[slot] !== EMPTY && keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  // cold: amortised growth
  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    const slots = keys.length * 2;
    this.#keys = new Int32Array(slots);
    this.#values = new Int32Array(slots).fill(EMPTY);
    this.#mask = slots - 1;
    for (let i = 0; i < keys.length; i++) {
      if (values[i] === EMPTY) continue;
      const slot = this.#find(keys[i]);
      this.#keys[slot] = keys[i];
      this.#values[slot] = values[i];
    }
  }
}
