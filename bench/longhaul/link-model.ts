// One direction of a link in virtual time: each wire packet goes in with the time, and out comes its fate and when it
// arrives. It knows no bytes, no clock and no devices. The order is that of a line: MTU, queue, line, loss, delay.
import { Random } from "./random.js";
import type { DirectionSetting } from "./setting.js";

/** What became of a packet at the link's entrance. */
export const Fate = { Passed: 0, TooBig: 1, QueueFull: 2, Lost: 3, LostInBurst: 4 } as const;
export type Fate = (typeof Fate)[keyof typeof Fate];

/** How the jitter moves, ms of delay a ms of time. Below 1, or packets would overtake each other. */
const JITTER_SLOPE = 0.25;
export const ETHERNET_HEADER_BYTES = 14;

/** Packets by what happened to them; `offered` is the sum of `passed` and the four that follow it. */
export interface ModelCounts {
  offered: number;
  offeredBytes: number;
  passed: number;
  tooBig: number;
  queueFull: number;
  lost: number;
  lostInBurst: number;
  /** Of those passed. */
  reordered: number;
  duplicated: number;
  corrupted: number;
  /** Longest wait for the line. */
  peakQueueMs: number;
}

export class LinkModel {
  readonly setting: DirectionSetting;
  readonly counts: ModelCounts = {
    offered: 0,
    offeredBytes: 0,
    passed: 0,
    tooBig: 0,
    queueFull: 0,
    lost: 0,
    lostInBurst: 0,
    reordered: 0,
    duplicated: 0,
    corrupted: 0,
    peakQueueMs: 0,
  };
  /** Of the packet that offer() has just let pass. */
  deliverAtMs = 0;
  reordered = false;
  duplicated = false;
  corrupted = false;
  readonly #msPerByte: number;
  readonly #loss: Random;
  readonly #burst: Random;
  readonly #reorder: Random;
  readonly #duplicate: Random;
  readonly #corrupt: Random;
  readonly #jitter: WanderingJitter;
  #lineFreeMs = 0;
  #inBurst = false;

  /** @param name  of the direction: each has its own randomness */
  constructor(setting: DirectionSetting, seed: number, name: string) {
    this.setting = setting;
    this.#msPerByte = 8 / (setting.rateMbps * 1_000);
    const random = (purpose: string): Random => new Random(seed, `${name} ${purpose}`);
    this.#loss = random("loss");
    this.#burst = random("burst");
    this.#reorder = random("reorder");
    this.#duplicate = random("duplicate");
    this.#corrupt = random("corrupt");
    this.#jitter = new WanderingJitter(setting.jitterMs, random("jitter"));
  }

  /**
   * One packet at the link's entrance; times never go back.
   * @param frameBytes  with its Ethernet header. @returns its fate; after Passed the fields above tell the rest.
   */
  offer(nowMs: number, frameBytes: number): Fate {
    const { setting, counts } = this;
    counts.offered += 1;
    counts.offeredBytes += frameBytes;
    if (frameBytes - ETHERNET_HEADER_BYTES > setting.mtu) {
      counts.tooBig += 1;
      return Fate.TooBig;
    }
    const waitMs = this.#lineFreeMs - nowMs;
    if (waitMs > setting.queueMs) {
      counts.queueFull += 1;
      return Fate.QueueFull;
    }
    if (waitMs > counts.peakQueueMs) counts.peakQueueMs = waitMs;
    const sentMs = (waitMs > 0 ? this.#lineFreeMs : nowMs) + frameBytes * this.#msPerByte;
    this.#lineFreeMs = sentMs;
    const fate = this.#survive();
    if (fate !== Fate.Passed) return fate;
    counts.passed += 1;
    this.deliverAtMs = sentMs + setting.delayMs + this.#jitter.at(sentMs);
    this.reordered = this.#reorder.happens(setting.reorderPercent);
    this.duplicated = this.#duplicate.happens(setting.duplicatePercent);
    this.corrupted = this.#corrupt.happens(setting.corruptPercent);
    if (this.reordered) {
      this.deliverAtMs += setting.reorderMs;
      counts.reordered += 1;
    }
    if (this.duplicated) counts.duplicated += 1;
    if (this.corrupted) counts.corrupted += 1;
    return Fate.Passed;
  }

  #survive(): Fate {
    const { burstLoss, lossPercent } = this.setting;
    if (burstLoss !== undefined) {
      const turns = this.#burst.happens(this.#inBurst ? burstLoss.leavePercent : burstLoss.enterPercent);
      if (turns) this.#inBurst = !this.#inBurst;
      if (this.#inBurst) {
        if (!this.#loss.happens(burstLoss.lossPercent)) return Fate.Passed;
        this.counts.lostInBurst += 1;
        return Fate.LostInBurst;
      }
    }
    if (!this.#loss.happens(lossPercent)) return Fate.Passed;
    this.counts.lost += 1;
    return Fate.Lost;
  }
}

/**
 * An offset that walks up and down between −range and +range at one speed, turns at random and at the ends. Over time
 * every offset is equally likely (the stationary distribution of a reflected telegraph process is even).
 */
class WanderingJitter {
  readonly #rangeMs: number;
  readonly #random: Random;
  #timeMs = 0;
  #offsetMs: number;
  #direction: number;
  #turnInMs: number;

  constructor(rangeMs: number, random: Random) {
    this.#rangeMs = rangeMs;
    this.#random = random;
    this.#offsetMs = 0;
    this.#direction = 1;
    this.#turnInMs = 0;
    if (rangeMs > 0) this.#redraw();
  }

  /** @returns the offset at that time, ms; times never go back */
  at(timeMs: number): number {
    if (this.#rangeMs === 0) return 0;
    let leftMs = timeMs - this.#timeMs;
    this.#timeMs = timeMs;
    // After a long pause nothing of the old offset is left.
    if (leftMs * JITTER_SLOPE > 100 * this.#rangeMs) this.#redraw();
    else {
      while (leftMs > 0) leftMs -= this.#walk(leftMs);
    }
    return this.#offsetMs;
  }

  /** Goes on until the time is up, the end of the range, or a turn. @returns ms walked */
  #walk(leftMs: number): number {
    const roomMs = (this.#rangeMs - this.#direction * this.#offsetMs) / JITTER_SLOPE;
    const stepMs = Math.min(leftMs, this.#turnInMs, roomMs);
    this.#offsetMs += this.#direction * stepMs * JITTER_SLOPE;
    this.#turnInMs -= stepMs;
    if (stepMs === roomMs) {
      this.#offsetMs = this.#direction * this.#rangeMs;
      this.#direction = -this.#direction;
    } else if (stepMs < leftMs) {
      this.#direction = -this.#direction;
      this.#turnInMs = this.#drawTurnMs();
    }
    return stepMs;
  }

  #redraw(): void {
    this.#offsetMs = (2 * this.#random.next() - 1) * this.#rangeMs;
    this.#direction = this.#random.next() < 0.5 ? -1 : 1;
    this.#turnInMs = this.#drawTurnMs();
  }

  #drawTurnMs(): number {
    return this.#random.exponential(this.#rangeMs / JITTER_SLOPE);
  }
}
