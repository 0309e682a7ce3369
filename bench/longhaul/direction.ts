// One direction of the emulated link: frames go in, pieces come out when the model says. It decides for every wire
// packet and hands on as few frames as that allows. No clock and no device: time is an argument, the far end a function.
import { type Delivery, DeliveryLane } from "./delivery-lane.js";
import { Frame, PIECE_HEAD_BYTES, VIRTIO_HEADER_BYTES } from "./frame.js";
import { FrameStore } from "./frame-store.js";
import { Fate, LinkModel, type ModelCounts } from "./link-model.js";
import { Random } from "./random.js";
import type { DirectionSetting } from "./setting.js";

/** Segments of one super-frame stay together while the first need not wait longer than this for the last. */
export const HOLD_TOGETHER_MS = 0.3;
const MEMORY_SLACK_BYTES = 32 << 20;
const MEMORY_BYTES_MAX = 512 << 20;

/** Takes a frame in two pieces, headBytes of `head` and a part of `body`. @returns bytes taken, or -errno */
export type FrameSink = (head: Buffer, headBytes: number, body: Buffer, at: number, bytes: number) => number;

/** The ledger of one direction, wire packets. */
export interface DirectionCounts extends ModelCounts {
  /** Reads, and those of them that stood for several wire packets. */
  framesIn: number;
  superFramesIn: number;
  framesOut: number;
  /** Wire packets that the far end took, duplicates too, and bytes of them. */
  delivered: number;
  deliveredBytes: number;
  /** Wire packets that the far end's interface refused: it is down. */
  refused: number;
  /** Wire packets that this emulator had no memory for. Never within its rate, delay and queue. */
  noMemory: number;
  inFlight: number;
  /** How long after the model's time deliveries were made. */
  lateMaxMs: number;
  lateSumMs: number;
  /** Deliveries more than a millisecond late: this process did not get the processor. */
  lateOver1Ms: number;
}

export class Direction {
  readonly #model: LinkModel;
  readonly #store: FrameStore;
  readonly #frame: Frame;
  readonly #lane = new DeliveryLane();
  /** Packets that are held back; each waits equally long, so that their order is that of their times too. */
  readonly #lateLane = new DeliveryLane();
  readonly #sink: FrameSink;
  readonly #random: Random;
  readonly #head = Buffer.alloc(PIECE_HEAD_BYTES);
  readonly #scratch = Buffer.alloc(1 << 17);
  readonly #delivery: Delivery = { atMs: 0, frame: 0, first: 0, count: 0, corrupted: false };
  readonly #group = { first: 0, count: 0, firstAtMs: 0, lastAtMs: 0 };
  readonly #own = {
    framesIn: 0,
    superFramesIn: 0,
    framesOut: 0,
    delivered: 0,
    deliveredBytes: 0,
    refused: 0,
    noMemory: 0,
    inFlight: 0,
    lateMaxMs: 0,
    lateSumMs: 0,
    lateOver1Ms: 0,
  };

  constructor(
    setting: DirectionSetting,
    seed: number,
    name: string,
    sink: FrameSink,
    storeBytes: number = memoryBytes(setting),
  ) {
    this.#model = new LinkModel(setting, seed, name);
    this.#store = new FrameStore(storeBytes);
    this.#frame = new Frame(this.#store.memory);
    this.#sink = sink;
    this.#random = new Random(seed, `${name} bits`);
  }

  /** Where frames are written: at reserve(). */
  get memory(): Buffer {
    return this.#store.memory;
  }

  get counts(): DirectionCounts {
    return { ...this.#model.counts, ...this.#own };
  }

  /** Starts the maxima anew. */
  resetPeaks(): void {
    this.#model.counts.peakQueueMs = 0;
    this.#own.lateMaxMs = 0;
  }

  /** When deliver() next has something to do; Infinity when nothing is under way. */
  get nextMs(): number {
    return Math.min(this.#lane.nextMs, this.#lateLane.nextMs);
  }

  /** @returns where the next frame goes; when -1, read it to anywhere else and call refuse() */
  reserve(): number {
    return this.#store.reserve();
  }

  /** Takes the frame that was written where reserve() said, virtio header first. Times never go back. */
  accept(at: number, bytes: number, nowMs: number): void {
    const frame = this.#frame;
    frame.read(at, bytes);
    this.#own.framesIn += 1;
    if (frame.segments > 1) this.#own.superFramesIn += 1;
    const number = this.#store.keep(bytes);
    this.#store.use(number); // held while its segments are sorted
    for (let segment = 0; segment < frame.segments; segment++) this.#offer(number, segment, nowMs);
    this.#closeGroup(number);
    this.#store.release(number);
  }

  /** Counts a frame that there was no memory for. @param memory  where it was read to, with room for its headers */
  refuse(memory: Buffer, bytes: number): void {
    const frame = new Frame(memory);
    frame.read(0, bytes);
    this.#own.framesIn += 1;
    this.#own.noMemory += frame.segments;
  }

  #offer(frame: number, segment: number, nowMs: number): void {
    const model = this.#model;
    const group = this.#group;
    if (model.offer(nowMs, this.#frame.wireBytes(segment)) !== Fate.Passed) {
      this.#closeGroup(frame);
      return;
    }
    const atMs = model.deliverAtMs;
    this.#own.inFlight += model.duplicated ? 2 : 1;
    if (model.reordered || model.duplicated || model.corrupted) {
      this.#closeGroup(frame);
      const lane = model.reordered ? this.#lateLane : this.#lane;
      for (let copy = model.duplicated ? 2 : 1; copy > 0; copy--) {
        this.#store.use(frame);
        lane.push(atMs, frame, segment, 1, model.corrupted);
      }
      return;
    }
    if (group.count > 0 && atMs - group.firstAtMs > HOLD_TOGETHER_MS) this.#closeGroup(frame);
    if (group.count === 0) {
      group.first = segment;
      group.firstAtMs = atMs;
    }
    group.count += 1;
    group.lastAtMs = atMs;
  }

  #closeGroup(frame: number): void {
    const group = this.#group;
    if (group.count === 0) return;
    this.#store.use(frame);
    this.#lane.push(group.lastAtMs, frame, group.first, group.count, false);
    group.count = 0;
  }

  /** Hands on everything that is due. */
  deliver(nowMs: number): void {
    for (;;) {
      const lane = this.#lateLane.nextMs < this.#lane.nextMs ? this.#lateLane : this.#lane;
      if (lane.nextMs > nowMs) return;
      lane.shift(this.#delivery);
      this.#noteLateness(nowMs - this.#delivery.atMs);
      this.#write(this.#delivery);
      this.#store.release(this.#delivery.frame);
    }
  }

  #write({ frame: number, first, count, corrupted }: Delivery): void {
    const { memory } = this.#store;
    const frame = this.#frame;
    frame.read(this.#store.at(number), this.#store.bytes(number));
    let written: number;
    if (corrupted) {
      const bytes = frame.writeCorrupted(this.#scratch, first, this.#random.next());
      written = this.#sink(this.#head, 0, this.#scratch, 0, bytes);
    } else if (count === frame.segments) {
      written = this.#sink(this.#head, 0, memory, this.#store.at(number), this.#store.bytes(number));
    } else {
      const headBytes = frame.writePieceHead(this.#head, first, count);
      const at = frame.payloadAt + first * frame.segmentBytes;
      written = this.#sink(this.#head, headBytes, memory, at, frame.pieceBytes(first, count));
    }
    const own = this.#own;
    own.inFlight -= count;
    if (written < 0) {
      own.refused += count;
      return;
    }
    own.framesOut += 1;
    own.delivered += count;
    own.deliveredBytes +=
      count === 1 ? written - VIRTIO_HEADER_BYTES : count * frame.headerBytes + frame.pieceBytes(first, count);
  }

  #noteLateness(lateMs: number): void {
    const own = this.#own;
    own.lateSumMs += lateMs;
    if (lateMs > own.lateMaxMs) own.lateMaxMs = lateMs;
    if (lateMs > 1) own.lateOver1Ms += 1;
  }
}

/** @returns packets that the ledger cannot explain: 0, or the emulator is wrong */
export function unaccounted(counts: DirectionCounts): number {
  const entered = counts.offered - counts.tooBig - counts.queueFull - counts.lost - counts.lostInBurst;
  return entered + counts.duplicated - counts.delivered - counts.refused - counts.inFlight;
}

/** Memory for what can be under way at the set rate, twice: a frame of which one segment is left stays whole. */
function memoryBytes(setting: DirectionSetting): number {
  const underWayMs = setting.delayMs + setting.jitterMs + setting.queueMs + setting.reorderMs;
  const bytes = (setting.rateMbps * 1_000 * underWayMs) / 8;
  return Math.min(MEMORY_BYTES_MAX, 2 * bytes + MEMORY_SLACK_BYTES);
}
