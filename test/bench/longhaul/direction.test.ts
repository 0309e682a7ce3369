import { describe, expect, test } from "vitest";
import { DeliveryLane } from "../../../bench/longhaul/delivery-lane.js";
import { Direction, type FrameSink, HOLD_TOGETHER_MS, unaccounted } from "../../../bench/longhaul/direction.js";
import { FrameStore } from "../../../bench/longhaul/frame-store.js";
import { type DirectionSetting, linkSetting } from "../../../bench/longhaul/setting.js";
import { superFrame, wirePackets } from "./frames.js";

interface Written {
  readonly atMs: number;
  readonly frame: Buffer;
}

/** A direction in virtual time. */
class World {
  readonly written: Written[] = [];
  readonly direction: Direction;
  nowMs = 0;
  refuses = false;

  constructor(setting: Partial<DirectionSetting>, memoryBytes?: number) {
    const sink: FrameSink = (head, headBytes, body, at, bytes) => {
      if (this.refuses) return -5;
      const frame = Buffer.concat([head.subarray(0, headBytes), body.subarray(at, at + bytes)]);
      this.written.push({ atMs: this.nowMs, frame });
      return frame.length;
    };
    this.direction = new Direction(linkSetting(setting).forward, 3, "forward", sink, memoryBytes);
  }

  send(frame: Buffer): void {
    const at = this.direction.reserve();
    if (at < 0) {
      this.direction.refuse(frame, frame.length);
      return;
    }
    frame.copy(this.direction.memory, at);
    this.direction.accept(at, frame.length, this.nowMs);
  }

  /** Goes from delivery to delivery. */
  runUntil(endMs: number): void {
    while (this.direction.nextMs <= endMs) {
      this.nowMs = this.direction.nextMs;
      this.direction.deliver(this.nowMs);
    }
    this.nowMs = endMs;
  }

  get wire(): Buffer[] {
    return this.written.flatMap(({ frame }) => wirePackets(frame));
  }
}

function numbered(number: number, segments = 45): Buffer {
  const frame = superFrame({ family: 4, protocol: "tcp", payloadBytes: segments * 1_448 - 8, segmentBytes: 1_448 });
  frame.writeUInt16BE(number, 10 + 14 + 20); // source port
  return frame;
}

test("a super-frame arrives as what it was, in few pieces, none early and none held longer than stated", () => {
  const world = new World({ rateMbps: 1_000, delayMs: 40 });
  const frame = numbered(1);
  world.send(frame);
  world.runUntil(1_000);
  expect(world.wire).toEqual(wirePackets(frame));
  expect(world.written.length).toBeLessThanOrEqual(3);
  let sentBytes = 0;
  for (const { atMs, frame: piece } of world.written) {
    const packets = wirePackets(piece);
    const firstMs = 40 + ((sentBytes + packets[0]!.length) * 8) / 1e6;
    sentBytes += packets.reduce((sum, packet) => sum + packet.length, 0);
    expect(atMs).toBeCloseTo(40 + (sentBytes * 8) / 1e6, 6); // with its last packet
    expect(atMs - firstMs).toBeLessThanOrEqual(HOLD_TOGETHER_MS);
  }
  expect(world.direction.counts).toMatchObject({
    framesIn: 1,
    superFramesIn: 1,
    offered: 45,
    delivered: 45,
    inFlight: 0,
  });
  expect(world.direction.counts.deliveredBytes).toBe(world.direction.counts.offeredBytes);
});

test("on a slow line every packet comes alone", () => {
  const world = new World({ rateMbps: 10, delayMs: 5, queueMs: 200 });
  world.send(numbered(1, 20));
  world.runUntil(1_000);
  expect(world.written).toHaveLength(20);
  expect(world.written.every(({ frame }) => frame[1] === 0)).toBe(true);
});

test("losses fall on wire packets, wherever they are inside a super-frame, and the ledger explains each", () => {
  const world = new World({ rateMbps: 1_000, delayMs: 10, jitterMs: 5, queueMs: 20, lossPercent: 3 });
  const sent: Buffer[] = [];
  for (let i = 0; i < 200; i++) {
    const frame = numbered(i + 1, 1 + (i % 45));
    sent.push(...wirePackets(frame));
    world.send(frame);
    world.runUntil(world.nowMs + 0.1);
    expect(unaccounted(world.direction.counts)).toBe(0);
  }
  expect(world.direction.counts.inFlight).toBeGreaterThan(0);
  world.runUntil(1_000);
  const { counts } = world.direction;
  expect(counts.offered).toBe(sent.length);
  expect(counts.lost).toBeGreaterThan(0);
  expect(counts.queueFull).toBeGreaterThan(0);
  expect(counts.delivered).toBe(counts.offered - counts.lost - counts.queueFull);
  expect([counts.inFlight, unaccounted(counts)]).toEqual([0, 0]);
  const wire = world.wire.map((packet) => packet.toString("latin1"));
  expect(wire).toHaveLength(counts.delivered);
  const left = sent.map((packet) => packet.toString("latin1"));
  let at = 0;
  for (const packet of wire) {
    while (at < left.length && left[at] !== packet) at += 1;
    expect(at++, "each as it was sent, in order").toBeLessThan(left.length);
  }
});

test("what is held back arrives later, what is doubled twice, and nothing else is touched", () => {
  const world = new World({ rateMbps: 1_000, delayMs: 10, reorderPercent: 5, reorderMs: 1, duplicatePercent: 5 });
  const sent: string[] = [];
  for (let i = 0; i < 100; i++) {
    const frame = numbered(i + 1);
    sent.push(...wirePackets(frame).map((packet) => packet.toString("latin1")));
    world.send(frame);
    world.runUntil(world.nowMs + 0.6);
  }
  world.runUntil(1_000);
  const { counts } = world.direction;
  expect(counts.delivered).toBe(sent.length + counts.duplicated);
  expect([counts.inFlight, unaccounted(counts)]).toEqual([0, 0]);
  const wire = world.wire.map((packet) => packet.toString("latin1"));
  expect([...new Set(wire)].sort()).toEqual([...new Set(sent)].sort());
  expect(wire).not.toEqual(sent);
  expect(counts.reordered).toBeGreaterThan(0);
  expect(counts.duplicated).toBeGreaterThan(0);
});

test("an interface that takes nothing is in the ledger", () => {
  const world = new World({ delayMs: 10, duplicatePercent: 100 });
  world.send(numbered(1, 3));
  world.refuses = true;
  world.runUntil(100);
  expect(world.direction.counts).toMatchObject({ delivered: 0, refused: 6, inFlight: 0 });
  expect(unaccounted(world.direction.counts)).toBe(0);
});

test("a full memory is in the ledger, and heals", () => {
  const world = new World({ delayMs: 500 }, 1 << 20);
  for (let i = 0; i < 100; i++) world.send(numbered(i + 1));
  const { noMemory, inFlight } = world.direction.counts;
  expect(noMemory).toBeGreaterThan(0);
  expect(noMemory + inFlight).toBe(4_500);
  world.runUntil(6_000);
  expect(world.direction.counts).toMatchObject({ inFlight: 0, delivered: inFlight });
  world.send(numbered(1));
  expect(world.direction.counts.noMemory).toBe(noMemory);
});

describe("the parts", () => {
  test("frames keep their bytes while others come and go in any order", () => {
    const store = new FrameStore(1 << 20);
    const live: Array<{ frame: number; at: number; bytes: number; fill: number }> = [];
    let random = 1;
    let kept = 0;
    for (let i = 0; i < 20_000; i++) {
      random = (random * 48_271) % 2_147_483_647;
      const at = store.reserve();
      if (at >= 0 && random % 3 > 0) {
        const bytes = 20 + (random % 65_000);
        expect(at + 65_563).toBeLessThanOrEqual(store.memory.length);
        store.memory.fill(i & 255, at, at + bytes);
        const frame = store.keep(bytes);
        store.use(frame);
        live.push({ frame, at, bytes, fill: i & 255 });
        kept += 1;
      } else if (live.length > 0) {
        const [{ frame, at: from, bytes, fill }] = live.splice(random % live.length, 1) as [(typeof live)[0]];
        expect([store.at(frame), store.bytes(frame)]).toEqual([from, bytes]);
        expect([store.memory[from], store.memory[from + bytes - 1]]).toEqual([fill, fill]);
        store.release(frame);
      }
    }
    expect(kept).toBeGreaterThan(1_000);
  });

  test("a lane keeps its order while it grows", () => {
    const lane = new DeliveryLane();
    const into = { atMs: 0, frame: 0, first: 0, count: 0, corrupted: false };
    let [pushed, taken] = [0, 0];
    for (const [push, take] of [
      [700, 500],
      [3_000, 100],
      [1, 3_101],
    ] as const) {
      for (let i = 0; i < push; i++) lane.push(pushed / 4, pushed, pushed % 7, 1, pushed++ % 2 === 0);
      for (let i = 0; i < take; i++, taken++) {
        lane.shift(into);
        expect(into).toEqual({ atMs: taken / 4, frame: taken, first: taken % 7, count: 1, corrupted: taken % 2 === 0 });
      }
    }
    expect([lane.length, lane.nextMs]).toEqual([0, Number.POSITIVE_INFINITY]);
  });
});
