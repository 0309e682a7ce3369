// HOT PATH: how the event loop has fared: turns, absences from its descriptors, how long packets can have been queued. Written
// once a turn; times come in as cells, because a double as an argument would be a new number on the heap.

/** Cells of {@link LoopStatistics.cells}. The first four are native code's, which sees what JavaScript cannot. */
export const LoopCell = {
  /** Times that the loop was away from its descriptors (a turn, timers, control work), ms, the longest: the stall. */
  Absences: 0,
  AbsenceMsSum: 1,
  AbsenceMsMax: 2,
  /** How long what was found ready last can have been so. */
  ReadySinceMs: 3,
  /** Calls of the turn, and ms spent in them; the longest. */
  Turns: 4,
  TurnMsSum: 5,
  TurnMsMax: 6,
  /**
   * Sojourn: packets taken from the queues of TUN and sockets, and the ms that they can have been in this host at most:
   * from when the loop had last looked to the end of the turn that sent them on.
   */
  QueuedPackets: 7,
  QueuedMsSum: 8,
  QueuedMsMax: 9,
} as const;
const LOOP_CELLS = 10;

/** Upper bounds of the histograms' buckets, ms; one more bucket holds what is longer. */
export const LOOP_BOUNDS_MS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 1_000] as const;
export const LOOP_BUCKETS = LOOP_BOUNDS_MS.length + 1;

/** Cells of the turn in work. */
const StartMs = 0;
const Packets = 1;

export class LoopStatistics {
  /** By {@link LoopCell}. */
  readonly cells = new Float64Array(LOOP_CELLS);
  /** Turns, absences and queued packets by {@link LOOP_BOUNDS_MS}; not cumulative. */
  readonly turns = new Float64Array(LOOP_BUCKETS);
  readonly absences = new Float64Array(LOOP_BUCKETS);
  readonly queued = new Float64Array(LOOP_BUCKETS);
  readonly #turn = new Float64Array(2);

  /** A turn begins. @param clock  as just read @param cell  of the clock that counts */
  turnBegan(clock: Float64Array, cell: number): void {
    this.#turn[StartMs] = clock[cell];
    this.#turn[Packets] = 0;
  }

  /** The turn took packets from a queue. */
  took(packets: number): void {
    this.#turn[Packets] += packets;
  }

  /** The turn is over. @param clock  read anew */
  turnEnded(clock: Float64Array, cell: number): void {
    const { cells } = this;
    const ms = clock[cell] - this.#turn[StartMs];
    cells[LoopCell.Turns]++;
    cells[LoopCell.TurnMsSum] += ms;
    if (ms > cells[LoopCell.TurnMsMax]) cells[LoopCell.TurnMsMax] = ms;
    let bucket = 0;
    while (bucket < LOOP_BOUNDS_MS.length && ms > LOOP_BOUNDS_MS[bucket]) bucket++;
    this.turns[bucket]++;
    const packets = this.#turn[Packets];
    if (packets === 0) return;
    const queuedMs = ms + cells[LoopCell.ReadySinceMs];
    cells[LoopCell.QueuedPackets] += packets;
    cells[LoopCell.QueuedMsSum] += packets * queuedMs;
    if (queuedMs > cells[LoopCell.QueuedMsMax]) cells[LoopCell.QueuedMsMax] = queuedMs;
    while (bucket < LOOP_BOUNDS_MS.length && queuedMs > LOOP_BOUNDS_MS[bucket]) bucket++;
    this.queued[bucket] += packets;
  }
}
