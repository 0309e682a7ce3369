// Deliveries in order of their time: a queue in typed arrays that grows when it has to.

/** One piece of a frame that is under way. */
export interface Delivery {
  atMs: number;
  /** Row of the frame. */
  frame: number;
  /** Its segments. */
  first: number;
  count: number;
  corrupted: boolean;
}

export class DeliveryLane {
  #at = new Float64Array(1_024);
  /** Four cells a delivery: frame, first, count, corrupted. */
  #cells = new Int32Array(4 * 1_024);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** When the first is due; Infinity when nothing is under way. */
  get nextMs(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : this.#at[this.#head]!;
  }

  /** Appends; times never go back. */
  push(atMs: number, frame: number, first: number, count: number, corrupted: boolean): void {
    if (this.#length === this.#at.length) this.#grow();
    const row = (this.#head + this.#length) & (this.#at.length - 1);
    this.#length += 1;
    this.#at[row] = atMs;
    this.#cells[4 * row] = frame;
    this.#cells[4 * row + 1] = first;
    this.#cells[4 * row + 2] = count;
    this.#cells[4 * row + 3] = Number(corrupted);
  }

  /** Takes the first out. */
  shift(into: Delivery): void {
    const row = this.#head;
    into.atMs = this.#at[row]!;
    into.frame = this.#cells[4 * row]!;
    into.first = this.#cells[4 * row + 1]!;
    into.count = this.#cells[4 * row + 2]!;
    into.corrupted = this.#cells[4 * row + 3] === 1;
    this.#head = (row + 1) & (this.#at.length - 1);
    this.#length -= 1;
  }

  /** Doubles the room, first row first. */
  #grow(): void {
    const rows = this.#at.length;
    const at = new Float64Array(2 * rows);
    const cells = new Int32Array(8 * rows);
    at.set(this.#at.subarray(this.#head));
    at.set(this.#at.subarray(0, this.#head), rows - this.#head);
    cells.set(this.#cells.subarray(4 * this.#head));
    cells.set(this.#cells.subarray(0, 4 * this.#head), 4 * (rows - this.#head));
    this.#at = at;
    this.#cells = cells;
    this.#head = 0;
  }
}
