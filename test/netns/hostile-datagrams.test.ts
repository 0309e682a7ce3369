// What a hostile or broken network does to datagrams: replay, corruption, duplication, loss, reordering, garbage.
// Nothing is delivered twice or altered, and the tunnel goes on.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { interfaceCounters, moveBytes, ping } from "../support/traffic.js";
import { MessageType, startWiredPair, type WiredPair } from "../support/wire.js";

describe("a hostile network", requireTools(["ip", "wg", "ping"]), () => {
  let pair: WiredPair;
  beforeAll(async () => {
    pair = await startWiredPair({ programs: [longhaul, longhaul] });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterAll(() => pair?.lab.close());

  test("replayed data is delivered once", async () => {
    const { left, right, wire } = pair;
    await wire.forget();
    expect(await ping(left.host, right.address(), { count: 5 })).toBe(5);
    const before = await interfaceCounters(right.host, "wg0");
    const bytesBefore = (await right.peer()).receivedBytes;
    expect(await wire.replay("left", MessageType.Data, 3)).toBeGreaterThanOrEqual(15);
    expect((await interfaceCounters(right.host, "wg0")).rxPackets).toBe(before.rxPackets);
    expect((await right.peer()).receivedBytes).toBe(bytesBefore);
    expect(await ping(left.host, right.address())).toBe(3);
  });

  test("a replayed handshake initiation gets no answer and changes nothing", async () => {
    const { left, right, wire } = pair;
    const handshake = (await right.peer()).latestHandshake;
    await left.kill("SIGTERM"); // so that the next traffic starts with a handshake that the wire records
    await left.restart();
    await wire.forget();
    expect(await ping(left.host, right.address())).toBe(3);
    expect((await right.peer()).latestHandshake).toBeGreaterThanOrEqual(handshake);
    const responses = (await wire.recorded("right", MessageType.Response)).length;
    expect(responses).toBeGreaterThan(0);
    expect(await wire.replay("left", MessageType.Initiation, 5)).toBeGreaterThanOrEqual(5);
    expect((await wire.recorded("right", MessageType.Response)).length).toBe(responses);
    expect(await ping(left.host, right.address())).toBe(3);
  });

  // the byte before mac2 is mac1's last; nothing else of the message covers it
  test.each([
    ["initiation", "left", MessageType.Initiation, -17],
    ["response", "right", MessageType.Response, -17],
    ["initiation", "left", MessageType.Initiation, 60],
    ["response", "right", MessageType.Response, 20],
  ] as const)(
    "an altered handshake %s from the %s makes no session: type %i, byte %i",
    async (_, from, only, corruptByte) => {
      const { left, right, wire } = pair;
      await left.kill("SIGTERM");
      await left.restart();
      await wire.rules(from, { only, corruptEvery: 1, corruptByte });
      await wire.forget();
      expect(await ping(left.host, right.address(), { count: 2, waitS: 1 })).toBe(0);
      expect((await left.peer()).latestHandshake).toBe(0);
      expect((await wire.recorded("right", MessageType.Response)).length > 0).toBe(from === "right");
      await wire.rules(from);
      await left.kill("SIGTERM");
      await left.restart();
      expect(await ping(left.host, right.address())).toBe(3);
    },
  );

  // receiver index, counter, ciphertext, tag
  test.each([4, 8, 20, -1])("data with a bit of byte %i flipped is not delivered", async (corruptByte) => {
    const { left, right, wire } = pair;
    const before = await interfaceCounters(right.host, "wg0");
    await wire.rules("left", { only: MessageType.Data, corruptEvery: 1, corruptByte });
    expect(await ping(left.host, right.address(), { count: 3, waitS: 1 })).toBe(0);
    expect((await interfaceCounters(right.host, "wg0")).rxPackets).toBe(before.rxPackets);
    await wire.rules("left");
    expect(await ping(left.host, right.address())).toBe(3);
  });

  test("every datagram doubled: every packet once", async () => {
    const { left, right, wire } = pair;
    const before = await interfaceCounters(right.host, "wg0");
    await wire.rules("left", { duplicateEvery: 1 });
    await wire.rules("right", { duplicateEvery: 1 });
    expect(await ping(left.host, right.address(), { count: 10 })).toBe(10);
    await wire.rules("left");
    await wire.rules("right");
    expect((await interfaceCounters(right.host, "wg0")).rxPackets - before.rxPackets).toBe(10);
  });

  test.each([
    ["lost now and then", { dropEvery: 20 }],
    ["reordered", { reorder: 4 }],
    ["late", { delayMs: 20 }],
    ["doubled, corrupted and lost", { duplicateEvery: 3, corruptEvery: 50, dropEvery: 70 }],
  ])("a file arrives whole over datagrams that are %s", async (_, rules) => {
    const { left, right, wire } = pair;
    await wire.rules("left", { only: MessageType.Data, ...rules });
    expect(await moveBytes(left.host, right.host, right.address(), 300_000)).toBe(300_000);
    await wire.rules("left");
  });

  test("garbage, truncated, oversized and reflected datagrams do no harm", async () => {
    const { left, right, wire } = pair;
    await wire.forget();
    expect(await ping(left.host, right.address(), { count: 5 })).toBe(5);
    const before = await interfaceCounters(right.host, "wg0");
    const real = (await wire.recorded("left", MessageType.Data))[0]!.bytes;
    const reflected = (await wire.recorded("right")).map((one) => one.bytes);
    const lengths = [0, 1, 3, 4, 15, 16, 31, 32, 63, 64, 65, 91, 92, 93, 147, 148, 149, 1_420, 9_000, 60_000];
    const typed = lengths.flatMap((length) => [1, 2, 3, 4, 5, 0x104].map((type) => message(type, length)));
    const truncated = [1, 16, 31, 32, real.length - 1].map((length) => real.subarray(0, length));
    const longer = [Buffer.concat([real, randomBytes(16)])];
    await wire.inject("left", [...typed, ...truncated, ...longer, ...reflected]);
    expect((await interfaceCounters(right.host, "wg0")).rxPackets).toBe(before.rxPackets);
    expect(await ping(left.host, right.address())).toBe(3);
    expect(right.host.processes()).toEqual(expect.arrayContaining([...right.daemonPids]));
  });
});

/** Random bytes that begin with a message type. */
function message(type: number, length: number): Buffer {
  const bytes = randomBytes(length);
  if (length >= 4) bytes.writeUInt32LE(type);
  return bytes;
}
