import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Frame, PIECE_HEAD_BYTES } from "../../../bench/longhaul/frame.js";
import { checksumsHold, type SuperFrame, superFrame, wirePackets } from "./frames.js";

const KINDS: SuperFrame[] = (["tcp", "udp"] as const).flatMap((protocol) =>
  ([4, 6] as const).map((family) => ({ family, protocol, payloadBytes: 10_000, segmentBytes: 1_400 })),
);

function frameOf(bytes: Buffer, at = 48): { frame: Frame; memory: Buffer } {
  const memory = Buffer.alloc(at + bytes.length);
  bytes.copy(memory, at);
  const frame = new Frame(memory);
  frame.read(at, bytes.length);
  return { frame, memory };
}

/** What would be written for some of the segments. */
function piece(frame: Frame, memory: Buffer, first: number, count: number): Buffer {
  const head = Buffer.alloc(PIECE_HEAD_BYTES, 0xee);
  const bytes = frame.writePieceHead(head, first, count);
  const at = frame.payloadAt + first * frame.segmentBytes;
  return Buffer.concat([head.subarray(0, bytes), memory.subarray(at, at + frame.pieceBytes(first, count))]);
}

test("the second opinion itself: its packets are valid", () => {
  for (const kind of KINDS)
    for (const packet of wirePackets(superFrame(kind))) expect(checksumsHold(packet)).toBe(true);
});

describe.each(KINDS)("$protocol over IPv$family", (kind) => {
  test("counts wire packets and their bytes", () => {
    const bytes = superFrame(kind);
    const { frame } = frameOf(bytes);
    const wire = wirePackets(bytes);
    expect(frame.segments).toBe(wire.length);
    expect(wire.map((_, i) => frame.wireBytes(i))).toEqual(wire.map((packet) => packet.length));
  });

  test("cut anywhere, it is the same packets on the wire", () => {
    const tcpFlags = fc.constantFrom(0x10, 0x18, 0x19, 0x99); // ACK, PSH, FIN, CWR
    const sizes = fc.record({
      payloadBytes: fc.integer({ min: 1, max: 20_000 }),
      segmentBytes: fc.integer({ min: 500, max: 1_460 }),
    });
    fc.assert(
      fc.property(sizes, tcpFlags, fc.array(fc.integer({ min: 1, max: 9 })), (size, flags, cuts) => {
        const bytes = superFrame({ ...kind, ...size, tcpFlags: flags, ecn: kind.protocol === "tcp" && flags === 0x99 });
        const { frame, memory } = frameOf(bytes);
        const wire: Buffer[] = [];
        for (let first = 0; first < frame.segments; ) {
          const count = Math.min(cuts.shift() ?? frame.segments, frame.segments - first);
          const part = frame.segments === 1 ? bytes : piece(frame, memory, first, count);
          if (count === 1) expect(part[1]).toBe(0);
          wire.push(...wirePackets(part));
          first += count;
        }
        expect(wire).toEqual(wirePackets(bytes));
      }),
      { numRuns: 25 },
    );
  });

  test("the virtio header says what the piece is", () => {
    const { frame, memory } = frameOf(superFrame({ ...kind, ecn: kind.protocol === "tcp" }));
    const type = memory[48 + 1]!;
    expect(piece(frame, memory, 0, 2)[1]).toBe(type);
    expect(piece(frame, memory, 1, 2)[1]).toBe(type & 0x7f);
    expect(piece(frame, memory, 1, 2).readUInt16LE(4)).toBe(kind.segmentBytes);
    expect(piece(frame, memory, 3, 1).readUInt16LE(4)).toBe(0);
  });

  test("a corrupted packet differs in one bit of a valid one", () => {
    const bytes = superFrame(kind);
    const { frame } = frameOf(bytes);
    const wire = wirePackets(bytes);
    for (let i = 0; i < 100; i++) {
      const segment = i % wire.length;
      const into = Buffer.alloc(70_000);
      const length = frame.writeCorrupted(into, segment, i / 100);
      const packet = into.subarray(10, length);
      expect(into.subarray(0, 10).every((byte) => byte === 0)).toBe(true);
      expect(packet.length).toBe(wire[segment]!.length);
      let bits = 0;
      for (let at = 0; at < packet.length; at++) {
        let difference = packet[at]! ^ wire[segment]![at]!;
        for (; difference > 0; difference &= difference - 1) bits += 1;
        if (at < 14) expect(bits).toBe(0);
      }
      expect(bits).toBe(1);
    }
  });
});

test("a plain frame is one packet, corrupted too", () => {
  const arp = Buffer.concat([
    Buffer.alloc(10),
    Buffer.from("ffffffffffff0200000000010806", "hex"),
    Buffer.alloc(28, 1),
  ]);
  const { frame } = frameOf(arp);
  expect([frame.segments, frame.wireBytes(0)]).toEqual([1, 42]);
  const into = Buffer.alloc(1_000);
  expect(frame.writeCorrupted(into, 0, 0.5)).toBe(52);
  expect(into.subarray(0, 52).equals(arp)).toBe(false);
  const plain = superFrame({ family: 4, protocol: "tcp", payloadBytes: 100, segmentBytes: 1_400 });
  const single = frameOf(plain).frame;
  expect([single.segments, single.wireBytes(0)]).toEqual([1, plain.length - 10]);
  const length = single.writeCorrupted(into, 0, 0.999);
  expect(into[length - 1]! ^ plain.at(-1)!).toBe(0x40);
});
