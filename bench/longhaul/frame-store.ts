// The memory of frames under way: a ring of bytes, filled in order and freed in order. A frame stays until all of its
// deliveries are done; one that waits longer than those behind it keeps them too.
import { FRAME_BYTES_MAX } from "tun-tap-ts";

const ALIGN_BYTES = 16;

export class FrameStore {
  readonly memory: Buffer;
  #rows = 1_024;
  #at = new Int32Array(this.#rows);
  #bytes = new Int32Array(this.#rows);
  /** Deliveries that still need it. */
  #uses = new Int32Array(this.#rows);
  /** Frame numbers only grow; a row is a number modulo the rows. */
  #first = 0;
  #next = 0;
  #writeAt = 0;

  /** @param bytes  at least twice the largest frame */
  constructor(bytes: number) {
    this.memory = Buffer.allocUnsafeSlow(Math.max(bytes, 4 * FRAME_BYTES_MAX));
  }

  /** @returns where a frame of any size may be written now, or -1 when the memory is full */
  reserve(): number {
    if (this.#first === this.#next) this.#writeAt = 0;
    const usedFrom = this.#first === this.#next ? -1 : this.#at[this.#first & (this.#rows - 1)]!;
    if (usedFrom < this.#writeAt) {
      if (this.memory.length - this.#writeAt >= FRAME_BYTES_MAX) return this.#writeAt;
      if (usedFrom < 0 || usedFrom > FRAME_BYTES_MAX) this.#writeAt = 0;
      else return -1;
    }
    return usedFrom < 0 || usedFrom - this.#writeAt > FRAME_BYTES_MAX ? this.#writeAt : -1;
  }

  /** Keeps what was written where reserve() said. @returns its number; it has no uses yet */
  keep(bytes: number): number {
    if (this.#next - this.#first === this.#rows) this.#grow();
    const row = this.#next & (this.#rows - 1);
    this.#at[row] = this.#writeAt;
    this.#bytes[row] = bytes;
    this.#uses[row] = 0;
    this.#writeAt += Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
    this.#next += 1;
    return this.#next - 1;
  }

  use(frame: number): void {
    this.#uses[frame & (this.#rows - 1)]! += 1;
  }

  at(frame: number): number {
    return this.#at[frame & (this.#rows - 1)]!;
  }

  bytes(frame: number): number {
    return this.#bytes[frame & (this.#rows - 1)]!;
  }

  /** One use is done. */
  release(frame: number): void {
    const row = frame & (this.#rows - 1);
    this.#uses[row]! -= 1;
    if (this.#uses[row] === 0 && frame === this.#next - 1) {
      this.#next -= 1; // dropped as a whole: it must not wait for those before it
      this.#writeAt = this.#at[row]!;
    }
    while (this.#first < this.#next && this.#uses[this.#first & (this.#rows - 1)] === 0) this.#first += 1;
  }

  #grow(): void {
    const rows = 2 * this.#rows;
    const moved = [new Int32Array(rows), new Int32Array(rows), new Int32Array(rows)] as const;
    for (let frame = this.#first; frame < this.#next; frame++) {
      const from = frame & (this.#rows - 1);
      const to = frame & (rows - 1);
      moved[0][to] = this.#at[from]!;
      moved[1][to] = this.#bytes[from]!;
      moved[2][to] = this.#uses[from]!;
    }
    [this.#at, this.#bytes, this.#uses] = moved;
    this.#rows = rows;
  }
}
