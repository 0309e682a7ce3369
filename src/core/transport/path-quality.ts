// HOT PATH: what the path did to a peer's transport data, read from the counters that arrive in the clear: loss and its bursts,
// reordering, duplicates. One row of cells a peer, fed by the replay window of each of its keypairs. Costs a packet that
// comes in order nothing: gaps are looked for a word of the window at a time, when a second has passed over it.
// Source: RFC 4737 (reordering), RFC 3357 (loss bursts); [W] 5.4.6.

/** Cells of a peer's path quality; packets unless said otherwise. Only ever grow, but for the two greatest values. */
export const PathCell = {
  /** Authenticated and new. */
  Received: 0,
  /** Counters that the peer sealed and that did not come within {@link SETTLE_MS} after a later one. */
  Lost: 1,
  /** Counted as lost, and came after all: loss is Lost − CameLate. */
  CameLate: 2,
  /** Came after a later counter of a packet of its size, small or not, within the replay window. */
  Reordered: 3,
  /** Sum over these of how many counters behind the greatest they came. */
  ReorderExtentSum: 4,
  /** Greatest of that. */
  ReorderExtentMax: 5,
  /** Authenticated, and here before. */
  Duplicates: 6,
  /** Runs of lost counters. */
  LossBursts: 7,
  /** Counters in the longest. */
  LossBurstMax: 8,
  /** Counters that the peer left out itself: a leap that no path could have swallowed in the time. */
  Skipped: 9,
} as const;
/** Histogram of loss bursts: one cell for each of {@link LOSS_BURST_BOUNDS} and one for longer ones. */
export const FIRST_LOSS_BURST_CELL = 10;
/** Bursts of up to so many packets. */
export const LOSS_BURST_BOUNDS = [1, 2, 4, 8, 16, 64, 256] as const;
export const PATH_CELLS = FIRST_LOSS_BURST_CELL + LOSS_BURST_BOUNDS.length + 1;

/** A missing packet is waited for between so long and twice as long, as far as the replay window reaches. */
export const SETTLE_MS = 1_000;
/** No peer seals more: one that leaps further left counters out. 11 Gbit/s of full packets. */
const PACKETS_PER_MS_MAX = 1_000;
/** How finely the time between two packets is known. */
const TIME_ERROR_MS = 10;

/** Counts losses in the order of their counters, so that neighbours make one burst. One a keypair. */
export class LossCounter {
  #counts: Float64Array;
  /** One cell: lost counters in a row that no arrival has ended yet. */
  readonly #burst = new Float64Array(1);

  /** @param counts  a peer's PATH_CELLS cells */
  constructor(counts: Float64Array) {
    this.#counts = counts;
  }

  /** For the next key: its losses go to `counts`. */
  reset(counts: Float64Array): void {
    this.#counts = counts;
    this.#burst[0] = 0;
  }

  /** The next `count` counters did not come. */
  lost(count: number): void {
    this.#counts[PathCell.Lost] += count;
    this.#burst[0] += count;
  }

  /** The next counter came. */
  arrived(): void {
    const length = this.#burst[0];
    if (length === 0) return;
    const counts = this.#counts;
    this.#burst[0] = 0;
    counts[PathCell.LossBursts]++;
    if (length > counts[PathCell.LossBurstMax]) counts[PathCell.LossBurstMax] = length;
    let bucket = 0;
    while (bucket < LOSS_BURST_BOUNDS.length && length > LOSS_BURST_BOUNDS[bucket]) bucket++;
    counts[FIRST_LOSS_BURST_CELL + bucket]++;
  }

  /** The peer's counter leapt over `count` counters within `elapsedMs`: lost, if so many can have been sent. */
  leapt(count: number, elapsedMs: number): void {
    if (count <= (elapsedMs + TIME_ERROR_MS) * PACKETS_PER_MS_MAX) this.lost(count);
    else this.#counts[PathCell.Skipped] += count;
  }

  /** A packet that was counted as lost came after all. */
  cameLate(): void {
    this.#counts[PathCell.CameLate]++;
  }

  /** A new packet came `extent` counters behind the greatest of its size. */
  overtaken(extent: number): void {
    const counts = this.#counts;
    counts[PathCell.Reordered]++;
    counts[PathCell.ReorderExtentSum] += extent;
    if (extent > counts[PathCell.ReorderExtentMax]) counts[PathCell.ReorderExtentMax] = extent;
  }

  duplicated(): void {
    this.#counts[PathCell.Duplicates]++;
  }
}
