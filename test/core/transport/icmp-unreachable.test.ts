import { describe, expect, test } from "vitest";
import { UNREACHABLE_BYTES_MAX, writeUnreachable } from "../../../src/core/transport/icmp-unreachable.js";

const A4 = [10, 0, 0, 1];
const B4 = [10, 0, 0, 2];
const A6 = [0xfd, ...new Array<number>(14).fill(0), 1];
const B6 = [0xfd, ...new Array<number>(14).fill(0), 2];
const UDP = 17;

function packet4(
  payload: readonly number[],
  change: Partial<{ from: number[]; to: number[]; protocol: number; fragment: number }> = {},
) {
  const { from = A4, to = B4, protocol = UDP, fragment = 0 } = change;
  const length = 20 + payload.length;
  const header = [0x45, 0, length >> 8, length & 255, 0, 0, fragment >> 8, fragment & 255, 64, protocol, 0, 0];
  return Uint8Array.from([...header, ...from, ...to, ...payload]);
}

function packet6(payload: readonly number[], change: Partial<{ from: number[]; to: number[]; next: number }> = {}) {
  const { from = A6, to = B6, next = UDP } = change;
  return Uint8Array.from([
    0x60,
    0,
    0,
    0,
    payload.length >> 8,
    payload.length & 255,
    next,
    64,
    ...from,
    ...to,
    ...payload,
  ]);
}

function answerTo(packet: Uint8Array): Uint8Array {
  const into = new Uint8Array(UNREACHABLE_BYTES_MAX).fill(0xaa);
  return into.slice(0, writeUnreachable(packet, into));
}

/** RFC 1071: what a receiver computes over a message with its checksum is zero. */
function residue(...parts: (Uint8Array | number[])[]): number {
  const bytes = parts.flatMap((part) => [...part]);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return 0xffff - sum;
}

describe.each([0, 1, 8, 531, 1_400])("a packet with %i bytes of payload", (bytes) => {
  const payload = Array.from({ length: bytes }, (_, i) => (i * 7 + 1) & 255);

  test("IPv4: host unreachable, from where it was sent to, with what fits of it", () => {
    const packet = packet4(payload);
    const answer = answerTo(packet);
    expect(answer.length).toBe(Math.min(576, 28 + packet.length));
    expect([...answer.subarray(12, 20)]).toEqual([...B4, ...A4]);
    expect([answer[0], answer[9], answer[20], answer[21]]).toEqual([0x45, 1, 3, 1]);
    expect(answer[2]! * 256 + answer[3]!).toBe(answer.length);
    expect(answer.subarray(28)).toEqual(packet.subarray(0, answer.length - 28));
    expect(residue(answer.subarray(0, 20))).toBe(0);
    expect(residue(answer.subarray(20))).toBe(0);
  });

  test("IPv6: address unreachable", () => {
    const packet = packet6(payload);
    const answer = answerTo(packet);
    expect(answer.length).toBe(Math.min(1_280, 48 + packet.length));
    expect([...answer.subarray(8, 40)]).toEqual([...B6, ...A6]);
    expect([answer[0], answer[6], answer[40], answer[41]]).toEqual([0x60, 58, 1, 3]);
    const icmp = answer.subarray(40);
    expect(answer[4]! * 256 + answer[5]!).toBe(icmp.length);
    expect(answer.subarray(48)).toEqual(packet.subarray(0, answer.length - 48));
    expect(residue(answer.subarray(8, 40), [0, 0, icmp.length >> 8, icmp.length & 255, 0, 0, 0, 58], icmp)).toBe(0);
  });
});

describe("what must not be answered is not", () => {
  test.each([
    ["an ICMP error", packet4([3, 1, 0, 0], { protocol: 1 })],
    ["time exceeded", packet4([11, 0, 0, 0], { protocol: 1 })],
    ["a later fragment", packet4([1], { fragment: 100 })],
    ["a multicast", packet4([1], { to: [224, 0, 0, 1] })],
    ["a broadcast", packet4([1], { to: [255, 255, 255, 255] })],
    ["from nobody", packet4([1], { from: [0, 0, 0, 0] })],
    ["an ICMPv6 error", packet6([1, 3, 0, 0], { next: 58 })],
    ["an IPv6 multicast", packet6([133, 0], { to: [0xff, 2, ...new Array<number>(13).fill(0), 2], next: 58 })],
    ["from ::", packet6([1], { from: new Array<number>(16).fill(0) })],
    ["a later IPv6 fragment", packet6([UDP, 0, 1, 0, 0, 0, 0, 0], { next: 44 })],
    ["no IP packet", Uint8Array.of(0, 1, 2)],
    ["a cut header", packet4([]).slice(0, 19)],
    ["nothing", new Uint8Array(0)],
  ])("%s", (_, packet) => {
    expect(answerTo(packet)).toHaveLength(0);
  });

  test.each([
    ["a ping", packet4([8, 0, 0, 0], { protocol: 1 })],
    ["a first fragment", packet4([1], { fragment: 0x2000 })],
    ["an IPv6 ping", packet6([128, 0, 0, 0], { next: 58 })],
    ["a first IPv6 fragment", packet6([UDP, 0, 0, 1, 0, 0, 0, 0], { next: 44 })],
  ])("but %s is", (_, packet) => {
    expect(answerTo(packet).length).toBeGreaterThan(packet.length);
  });
});
