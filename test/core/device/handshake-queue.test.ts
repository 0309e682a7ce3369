import { expect, test } from "vitest";
import { ENDPOINT_BYTES, PacketBatch } from "../../../native/packet-batch.js";
import { HandshakeQueue, HANDSHAKE_QUEUE_ROWS as ROWS } from "../../../src/core/device/handshake-queue.js";

const KINDS = [1, 2] as const;

/** A batch with one run whose message and endpoint hold `mark`. */
function batchOf(mark: number): PacketBatch {
  const batch = new PacketBatch({ slots: 4, runs: 4, endpoints: 4, arenaBytes: 4_096 });
  const length = mark % 2 === 0 ? 148 : 92;
  batch.packetOffset[2] = 700;
  batch.packetLength[2] = length;
  batch.runFirst[1] = 2;
  batch.runCount[1] = 1;
  batch.runKind[1] = KINDS[mark % 2]!;
  batch.runEndpoint[1] = 3;
  new DataView(batch.arena.buffer, batch.arena.byteOffset).setUint32(700 + length - 4, mark);
  batch.endpoints.fill(mark & 255, 3 * ENDPOINT_BYTES, 4 * ENDPOINT_BYTES);
  return batch;
}

function check(queue: HandshakeQueue, mark: number): void {
  const { batch } = queue;
  const run = queue.shift();
  const slot = batch.runFirst[run]!;
  const length = mark % 2 === 0 ? 148 : 92;
  expect([batch.runCount[run], batch.runKind[run], batch.packetStatus[slot]]).toEqual([1, KINDS[mark % 2], 0]);
  expect(batch.packetLength[slot]).toBe(length);
  const at = batch.arena.byteOffset + batch.packetOffset[slot]! + length - 4;
  expect(new DataView(batch.arena.buffer).getUint32(at)).toBe(mark);
  const record = batch.runEndpoint[run]! * ENDPOINT_BYTES;
  expect(batch.endpoints[record + ENDPOINT_BYTES - 1]).toBe(mark & 255);
  batch.runEndpoint[run] = -1; // as whoever handles it leaves it
  batch.packetStatus[slot] = 7;
}

test("gives back what was put in, oldest first, around its end", () => {
  const queue = new HandshakeQueue();
  let put = 0;
  let taken = 0;
  for (let round = 0; round < 5; round++) {
    while (queue.count < ROWS) expect(queue.push(batchOf(put++), 1)).toBe(true);
    while (queue.count > 300) check(queue, taken++);
  }
  expect(put).toBeGreaterThan(3 * ROWS);
});

test("refuses what it has no room for, and keeps what it has", () => {
  const queue = new HandshakeQueue();
  for (let i = 0; i < ROWS; i++) queue.push(batchOf(i), 1);
  expect(queue.push(batchOf(9_999), 1)).toBe(false);
  expect(queue.count).toBe(ROWS);
  check(queue, 0);
  expect(queue.push(batchOf(ROWS), 1)).toBe(true);
  for (let i = 1; i <= ROWS; i++) check(queue, i);
  expect(queue.count).toBe(0);
});
