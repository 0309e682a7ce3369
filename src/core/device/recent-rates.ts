// How a peer has been doing of late: throughput and loss as decaying averages, from samples of its counters once a second. Only
// for showing; whoever keeps history takes the counters themselves. One row of cells a peer, kept in columns.

import { PathCell } from "../transport/path-quality.js";
import { type Peer, PeerBytes } from "./peer.js";
import { PeerCell } from "./peer-statistics.js";

/** Cells of a row. */
const Cell = {
  SampledMs: 0,
  SentBytes: 1,
  ReceivedBytes: 2,
  SentInnerBytes: 3,
  ReceivedInnerBytes: 4,
  Lost: 5,
  Received: 6,
  // decaying averages
  SentBitsPerS: 7,
  ReceivedBitsPerS: 8,
  SentGoodBitsPerS: 9,
  ReceivedGoodBitsPerS: 10,
  RecentLost: 11,
  RecentReceived: 12,
} as const;
const ROW_CELLS = 13;
const INITIAL_ROWS = 64;
/** Throughput: half of an average is younger than this. */
const RATE_HALF_LIFE_MS = 2_000;
const LOSS_HALF_LIFE_MS = 30_000;
const Rate = 0;
const Loss = 1;

export class RecentRates {
  #cells = new Float64Array(INITIAL_ROWS * ROW_CELLS);
  /** Whose row it is: ids are used again. */
  readonly #owners: (Peer | undefined)[] = [];
  /** What an average keeps of itself in the sample in work: cells, since thousands are taken in a row. */
  readonly #keep = new Float64Array(2);

  /** Takes a sample of the peer's counters. Allocates only for peers that are new. */
  sample(peer: Peer, nowMs: number): void {
    const at = peer.id * ROW_CELLS;
    if (this.#owners[peer.id] !== peer) {
      this.#own(peer);
      this.#note(peer, at, nowMs);
      return;
    }
    const cells = this.#cells;
    const elapsedMs = nowMs - cells[at + Cell.SampledMs];
    if (elapsedMs <= 0) return;
    this.#keep[Rate] = 0.5 ** (elapsedMs / RATE_HALF_LIFE_MS);
    this.#keep[Loss] = 0.5 ** (elapsedMs / LOSS_HALF_LIFE_MS);
    const { statistics, bytes } = peer;
    const { cells: counts } = statistics;
    this.#average(at + Cell.SentBitsPerS, at + Cell.SentBytes, bytes, PeerBytes.Sent, elapsedMs);
    this.#average(at + Cell.ReceivedBitsPerS, at + Cell.ReceivedBytes, bytes, PeerBytes.Received, elapsedMs);
    this.#average(at + Cell.SentGoodBitsPerS, at + Cell.SentInnerBytes, counts, PeerCell.SentInnerBytes, elapsedMs);
    const into = at + Cell.ReceivedGoodBitsPerS;
    this.#average(into, at + Cell.ReceivedInnerBytes, counts, PeerCell.ReceivedInnerBytes, elapsedMs);
    const { path } = statistics;
    const lost = path[PathCell.Lost] - path[PathCell.CameLate] - cells[at + Cell.Lost];
    const received = path[PathCell.Received] - cells[at + Cell.Received];
    cells[at + Cell.RecentLost] = Math.max(0, cells[at + Cell.RecentLost] * this.#keep[Loss] + lost);
    cells[at + Cell.RecentReceived] = cells[at + Cell.RecentReceived] * this.#keep[Loss] + received;
    this.#note(peer, at, nowMs);
  }

  /** Bits a second on the wire, UDP payload. */
  sentBitsPerS(peer: Peer): number {
    return this.#read(peer, Cell.SentBitsPerS);
  }

  receivedBitsPerS(peer: Peer): number {
    return this.#read(peer, Cell.ReceivedBitsPerS);
  }

  /** Goodput: bits a second of inner packets. */
  sentGoodBitsPerS(peer: Peer): number {
    return this.#read(peer, Cell.SentGoodBitsPerS);
  }

  receivedGoodBitsPerS(peer: Peer): number {
    return this.#read(peer, Cell.ReceivedGoodBitsPerS);
  }

  /** Loss on the path from the peer to here, 0 to 1, over the last minute or so; NaN: nothing came. */
  loss(peer: Peer): number {
    const lost = this.#read(peer, Cell.RecentLost);
    return lost / (lost + this.#read(peer, Cell.RecentReceived));
  }

  #read(peer: Peer, cell: number): number {
    return this.#owners[peer.id] === peer ? this.#cells[peer.id * ROW_CELLS + cell] : 0;
  }

  /** Takes what `counts` gained over `elapsedMs` into an average. */
  #average(into: number, was: number, counts: Float64Array, cell: number, elapsedMs: number): void {
    const cells = this.#cells;
    const keep = this.#keep[Rate];
    const bitsPerS = ((counts[cell] - cells[was]) * 8_000) / elapsedMs;
    cells[into] = cells[into] * keep + bitsPerS * (1 - keep);
  }

  #note(peer: Peer, at: number, nowMs: number): void {
    const cells = this.#cells;
    const { statistics, bytes } = peer;
    cells[at + Cell.SampledMs] = nowMs;
    cells[at + Cell.SentBytes] = bytes[PeerBytes.Sent];
    cells[at + Cell.ReceivedBytes] = bytes[PeerBytes.Received];
    cells[at + Cell.SentInnerBytes] = statistics.cells[PeerCell.SentInnerBytes];
    cells[at + Cell.ReceivedInnerBytes] = statistics.cells[PeerCell.ReceivedInnerBytes];
    cells[at + Cell.Lost] = statistics.path[PathCell.Lost] - statistics.path[PathCell.CameLate];
    cells[at + Cell.Received] = statistics.path[PathCell.Received];
  }

  #own(peer: Peer): void {
    const needed = (peer.id + 1) * ROW_CELLS;
    if (needed > this.#cells.length) {
      const longer = new Float64Array(Math.max(needed, this.#cells.length * 2));
      longer.set(this.#cells);
      this.#cells = longer;
    }
    this.#cells.fill(0, peer.id * ROW_CELLS, needed);
    this.#owners[peer.id] = peer;
  }
}
