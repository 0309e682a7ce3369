// The two sockets of a device: each run by its family's, and neither is troubled with a batch that has nothing for it.

import { openUdp, UdpStat } from "tun-tap-ts";
import { afterEach, expect, test } from "vitest";
import { endpointTable, outgoing } from "../../native/test/udp-table.js";
import { Network } from "../../src/io/network.js";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

const datagram = (): Uint8Array => new Uint8Array(10);

test("each run leaves by its family's socket, and no socket is called in vain", () => {
  const sinks = [openUdp({ family: 4, address: "127.0.0.1" }), openUdp({ family: 6, address: "::1" })] as const;
  open.push(...sinks);
  const table = endpointTable({ address: "127.0.0.1", port: sinks[0].port }, { address: "::1", port: sinks[1].port });
  const network = new Network(table, { offloads: true });
  open.push(network);
  network.open(0, 0);
  const datagramsSent = (): Array<number | undefined> =>
    [network.socket4, network.socket6].map((socket) => socket?.stats[UdpStat.SendDatagrams]);
  const v4 = { endpoint: 0, datagrams: [datagram(), datagram()] };
  const v6 = { endpoint: 1, datagrams: [datagram()] };

  expect(network.transmit(outgoing(v4, v6, v4))).toBe(5);
  expect(datagramsSent()).toEqual([4, 1]);
  expect(network.transmit(outgoing(v6))).toBe(1);
  expect(datagramsSent()).toEqual([4, 2]);

  const { socket6 } = network;
  let calls = 0;
  const sendBatch = socket6!.sendBatch.bind(socket6);
  socket6!.sendBatch = (batch) => {
    calls++;
    return sendBatch(batch);
  };
  expect(network.transmit(outgoing(v4))).toBe(2);
  expect(calls).toBe(0);
  expect(network.transmit(outgoing(v6))).toBe(1);
  expect(calls).toBe(1);
});
