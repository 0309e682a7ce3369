// In which order a turn takes what the sockets of both sizes hold, on real sockets, with a device that only looks.

import { HeaderCell, openUdp, type PacketBatch, type Tun, type UdpSocket } from "tun-tap-ts";
import { afterEach, expect, test } from "vitest";
import { until } from "../../native/test/namespaces.js";
import { dataMessage, endpointTable, outgoing } from "../../native/test/udp-table.js";
import type { Device } from "../../src/core/device/device.js";
import { LoopStatistics } from "../../src/core/device/loop-statistics.js";
import { EventLoop } from "../../src/io/event-loop.js";
import { Network } from "../../src/io/network.js";

const EAGAIN = 11;
const SMALL = 96;
const BULK = 1_200;

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

interface Taken {
  readonly size: "small" | "bulk";
  readonly datagrams: number;
}

/** A loop whose device notes what it is given. @param onBatch  called with each, as it comes */
function listen(onBatch: (taken: Taken) => void = () => {}) {
  const network = new Network(new Uint8Array(64), { offloads: true });
  network.open(0, 0);
  const taken: Taken[] = [];
  const device = {
    receive: (batch: PacketBatch) => {
      const size = batch.packetLength[0]! <= SMALL ? ("small" as const) : ("bulk" as const);
      taken.push({ size, datagrams: batch.header[HeaderCell.PacketCount]! });
      onBatch(taken.at(-1)!);
      return 0;
    },
    delivered: () => {},
    finishTurn: () => {},
    nextDeadlineMs: () => Number.POSITIVE_INFINITY,
  };
  const tun = { fds: [], readBatch: () => -EAGAIN };
  const listener = { tunFailed: () => {}, tunSpokeWhileDown: () => {} };
  const loop = new EventLoop(
    device as unknown as Device,
    tun as unknown as Tun,
    network,
    listener,
    new LoopStatistics(),
  );
  open.push({ close: () => loop.unwatchSockets() }, loop, network);
  return { loop, network, taken };
}

/** Sends to the port, each datagram a message of its own. */
function sender(port: number): (bytes: number, count: number) => void {
  const socket: UdpSocket = openUdp({ family: 4, offloads: false, sendBufferBytes: 1 << 22 });
  open.push(socket);
  socket.attachEndpoints(endpointTable({ address: "127.0.0.1", port }));
  return (bytes, count) => {
    const datagrams = Array.from({ length: count }, (_, i) => dataMessage(7, BigInt(i), bytes));
    expect(socket.sendBatch(outgoing({ endpoint: 0, datagrams }))).toBe(count);
  };
}

const counted = (taken: readonly Taken[], size: Taken["size"]): number =>
  taken.filter((one) => one.size === size).reduce((sum, one) => sum + one.datagrams, 0);

test("small datagrams come first, and then in turns with bulk, however many there are", async () => {
  const { loop, network, taken } = listen();
  const send = sender(network.port);
  send(BULK, 1_000);
  for (let i = 0; i < 5; i++) send(SMALL, 1_000);
  loop.watchSockets();
  await until("all datagrams", () => counted(taken, "small") === 5_000 && counted(taken, "bulk") === 1_000);
  const sizes = taken.map(({ size }) => size);
  expect(sizes[0]).toBe("small");
  expect(taken.filter(({ size }) => size === "bulk").length).toBeGreaterThan(2);
  // While both wait, neither has two batches in a row.
  const last = Math.min(sizes.lastIndexOf("small"), sizes.lastIndexOf("bulk"));
  const inARow = sizes.filter((size, i) => i > 0 && i <= last && size === sizes[i - 1]).length;
  expect(inARow).toBe(0);
});

test("a small datagram that comes while bulk is in work goes before the next batch of bulk", async () => {
  let send: (bytes: number, count: number) => void = () => {};
  let isFirst = true;
  const { loop, network, taken } = listen(({ size }) => {
    if (size === "bulk" && isFirst) send(SMALL, 1);
    isFirst = false;
  });
  send = sender(network.port);
  send(BULK, 2_000);
  loop.watchSockets();
  await until("all datagrams", () => counted(taken, "small") === 1 && counted(taken, "bulk") === 2_000);
  expect(taken.slice(0, 3).map(({ size }) => size)).toEqual(["bulk", "small", "bulk"]);
});
