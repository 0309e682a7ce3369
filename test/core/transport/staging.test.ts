import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StagedPackets } from "../../../src/core/transport/staging.js";

const BLOCK_BYTES = 2048;

interface Packet {
  readonly peer: number;
  readonly bytes: Uint8Array;
}

/** Every packet different, so that a mixed-up block shows. */
function packet(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 31 + (i >>> 8) * 7 + seed * 101;
  return bytes;
}

/** The rule itself: one array in the order of arrival. */
class NaiveStaged {
  packets: Packet[] = [];
  readonly #limits: { peerPacketsMax: number; peerBytesMax: number; poolBytes: number };

  constructor(limits: { peerPacketsMax: number; peerBytesMax: number; poolBytes: number }) {
    this.#limits = limits;
  }

  of(peer: number): Packet[] {
    return this.packets.filter((packet) => packet.peer === peer);
  }

  push(peer: number, bytes: Uint8Array): number {
    const { peerPacketsMax, peerBytesMax, poolBytes } = this.#limits;
    const blocksOf = (packets: readonly Packet[]): number =>
      packets.reduce((sum, packet) => sum + Math.max(1, Math.ceil(packet.bytes.length / BLOCK_BYTES)), 0);
    const bytesOf = (packets: readonly Packet[]): number => packets.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const blocks = Math.floor(poolBytes / BLOCK_BYTES);
    const added = { peer, bytes };
    if (blocksOf([added]) > blocks || bytes.length > peerBytesMax) return -1;
    let dropped = 0;
    const drop = (packet: Packet): void => {
      this.packets.splice(this.packets.indexOf(packet), 1);
      dropped++;
    };
    while (this.of(peer).length >= peerPacketsMax || bytesOf([...this.of(peer), added]) > peerBytesMax) {
      drop(this.of(peer)[0]);
    }
    while (blocksOf([...this.packets, added]) > blocks) drop(this.packets[0]);
    this.packets.push(added);
    return dropped;
  }

  pop(peer: number): Uint8Array | undefined {
    const first = this.of(peer)[0];
    if (first !== undefined) this.packets.splice(this.packets.indexOf(first), 1);
    return first?.bytes;
  }
}

const into = new Uint8Array(70_000);

/** Takes the peer's oldest packet, which must be this one; undefined: there is none. */
function expectPop(staged: StagedPackets, peer: number, expected: Uint8Array | undefined): void {
  const announced = staged.nextLength(peer);
  into[8] = 0xcc;
  if (announced >= 0) into[9 + announced] = 0xcc;
  const length = staged.pop(peer, into, 9);
  expect([announced, length]).toEqual([expected?.length ?? -1, expected?.length ?? -1]);
  if (expected === undefined) return;
  expect([into[8], into[9 + length]]).toEqual([0xcc, 0xcc]);
  expect(Buffer.compare(into.subarray(9, 9 + length), expected)).toBe(0);
}

const length = fc.oneof(
  fc.integer({ min: 1, max: 3000 }),
  fc.constantFrom(0, 2047, 2048, 2049, 4096, 4097, 9000, 20_000, 40_000),
);
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("push" as const), peer: fc.nat(4), length }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pop" as const), peer: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), peer: fc.nat(4) }) },
);

test("any sequence of packets, as the rule itself", () => {
  const limits = { peerPacketsMax: 6, peerBytesMax: 30_000, poolBytes: 16 * BLOCK_BYTES + 100 };
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80, size: "max" }), (operations) => {
      const staged = new StagedPackets(limits);
      const naive = new NaiveStaged(limits);
      for (const [seed, step] of operations.entries()) {
        if (step.kind === "push") {
          const bytes = packet(step.length, seed);
          const around = new Uint8Array(step.length + 5);
          around.set(bytes, 5);
          expect(staged.push(step.peer, around, 5, step.length)).toBe(naive.push(step.peer, bytes));
        } else if (step.kind === "pop") {
          expectPop(staged, step.peer, naive.pop(step.peer));
        } else {
          expect(staged.clear(step.peer)).toBe(naive.of(step.peer).length);
          naive.packets = naive.packets.filter((packet) => packet.peer !== step.peer);
        }
        expect(staged.total).toBe(naive.packets.length);
        for (let peer = 0; peer < 5; peer++) expect(staged.count(peer)).toBe(naive.of(peer).length);
      }
      for (let peer = 0; peer < 5; peer++) {
        while (staged.count(peer) > 0) expectPop(staged, peer, naive.pop(peer));
      }
    }),
    { numRuns: 100 },
  );
});

describe("the limits as shipped", () => {
  test("a whole TCP super-packet waits, and so does the largest packet there is", () => {
    const staged = new StagedPackets();
    for (let i = 0; i < 46; i++) expect(staged.push(3, packet(1420, i), 0, 1420)).toBe(0);
    expect(staged.push(4, packet(65_455, 1), 0, 65_455)).toBe(0);
    for (let i = 0; i < 46; i++) expectPop(staged, 3, packet(1420, i));
    expectPop(staged, 4, packet(65_455, 1));
    expect(staged.total).toBe(0);
  });

  test("128 packets a peer: the oldest go", () => {
    const staged = new StagedPackets();
    let dropped = 0;
    for (let i = 0; i < 1000; i++) dropped += staged.push(7, packet(100, i), 0, 100);
    expect([dropped, staged.count(7), staged.total]).toEqual([872, 128, 128]);
    expectPop(staged, 7, packet(100, 872));
  });

  test("what many peers stage stays inside the pool: the device's oldest go", () => {
    const staged = new StagedPackets({ poolBytes: 1024 * 1024 });
    let dropped = 0;
    for (let peer = 0; peer < 10_000; peer++) dropped += staged.push(peer, packet(1420, peer), 0, 1420);
    expect([dropped, staged.total]).toEqual([10_000 - 512, 512]);
    expect([staged.count(0), staged.count(9487), staged.count(9488)]).toEqual([0, 0, 1]);
    expectPop(staged, 9999, packet(1420, 9999));
  });
});

test("a packet that can never fit is refused and displaces nothing", () => {
  const staged = new StagedPackets({ poolBytes: 8 * BLOCK_BYTES, peerBytesMax: 12_000 });
  staged.push(1, packet(50, 1), 0, 50);
  expect(staged.push(1, packet(12_001, 2), 0, 12_001)).toBe(-1);
  const small = new StagedPackets({ poolBytes: 2 * BLOCK_BYTES });
  small.push(1, packet(50, 1), 0, 50);
  expect(small.push(1, packet(2 * BLOCK_BYTES + 1, 2), 0, 2 * BLOCK_BYTES + 1)).toBe(-1);
  expect([staged.total, small.total]).toEqual([1, 1]);
});

test("a peer may hold peerBytesMax bytes to the last", () => {
  const staged = new StagedPackets({ peerBytesMax: 3000 });
  expect([1, 2, 3].map((seed) => staged.push(1, packet(1000, seed), 0, 1000))).toEqual([0, 0, 0]);
  expect(staged.push(1, packet(1, 4), 0, 1)).toBe(1);
  expect(staged.push(1, packet(3000, 5), 0, 3000)).toBe(3);
});

test("a packet stays where it is when there is no room to take it", () => {
  const staged = new StagedPackets();
  staged.push(0, packet(100, 1), 0, 100);
  expect(staged.pop(0, new Uint8Array(109), 10)).toBe(-1);
  expect(staged.count(0)).toBe(1);
  expect(staged.pop(0, new Uint8Array(110), 10)).toBe(100);
});

test("peers never seen have nothing", () => {
  const staged = new StagedPackets();
  expect([staged.count(1e6), staged.nextLength(1e6), staged.clear(1e6)]).toEqual([0, -1, 0]);
  expect(staged.pop(1e6, new Uint8Array(10), 0)).toBe(-1);
  for (const peer of [0, 3, 100_000, 3]) expect(staged.push(peer, packet(10, peer), 0, 10)).toBe(0);
  for (const peer of [100_000, 3, 0, 3]) expectPop(staged, peer, packet(10, peer));
});
