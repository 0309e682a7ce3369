// Losses in a real kernel, and in native code, find their way into the ledger: each injected once, exactly its row moves, and the law
// holds. Imports move this process into a network namespace of its own.

import {
  Errno,
  openTun,
  openUdp,
  PacketBatch,
  RECEIVE_STRETCH_BYTES,
  type Tun,
  TunStat,
  type UdpSocket,
  UdpStat,
} from "tun-tap-ts";
import { afterEach, describe, expect, test } from "vitest";
import { canUseDevices, ip, run } from "../../native/test/namespaces.js";
import { dataMessage, endpointTable, outgoing } from "../../native/test/udp-table.js";
import { Ledger } from "../../src/core/device/ledger.js";
import { sendRefusalReason } from "../../src/core/device/send-refusal.js";
import { KernelCell } from "../../src/core/device/statistics.js";
import { DropReason, dropReasonNames } from "../../src/core/drop-reason.js";
import { KernelCounters } from "../../src/io/kernel-counters.js";
import { Network } from "../../src/io/network.js";
import { injectedIntoKernel } from "../support/drop-reason-coverage.js";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** A TUN device with room for few packets, up, and nobody who reads it yet. */
function tunWithQueue(packets: number): Tun {
  const tun = openTun({ name: "led%d" });
  open.push(tun);
  tun.setMtu(9_000);
  tun.setTxQueueLength(packets);
  run("sh", "-c", `echo 1 >/proc/sys/net/ipv6/conf/${tun.name}/disable_ipv6`);
  ip("addr", "add", "10.7.0.1/24", "dev", tun.name);
  tun.setUp(true);
  return tun;
}

/** Datagrams from this host into the interface. */
function sendInto(count: number, bytes: number): void {
  const socket = udp({ sendBufferBytes: 1 << 22 });
  socket.attachEndpoints(endpointTable({ address: "10.7.0.2", port: 9 }));
  const datagrams = Array.from({ length: count }, () => new Uint8Array(bytes));
  expect(socket.sendBatch(outgoing({ endpoint: 0, datagrams }))).toBe(count);
}

function udp(options: { address?: string; receiveBufferBytes?: number; sendBufferBytes?: number } = {}): UdpSocket {
  const socket = openUdp({ family: 4, offloads: false, ...options });
  open.push(socket);
  return socket;
}

const outbound = (): PacketBatch => new PacketBatch({ slots: 512, runs: 512, endpoints: 0, arenaBytes: 1 << 18 });
const inbound = (slots: number): PacketBatch =>
  new PacketBatch({ slots, runs: slots, endpoints: 1, arenaBytes: RECEIVE_STRETCH_BYTES });

/** What the interface has dropped, as ip(8) tells it. */
function txDropped(name: string): number {
  return JSON.parse(ip("-s", "-j", "link", "show", name))[0].stats64.tx.dropped;
}

/** Stands for a native part of which the kernel cannot be made to show the fault. */
function withStats<Part extends Tun | UdpSocket>(part: Part, stat: number, count: number): Part {
  const stats = part.stats.slice();
  stats[stat]! += count;
  return { stats, refreshLosses: () => 0, refreshOverflow: () => 0 } as unknown as Part;
}

interface Injection {
  readonly direction: "inbound" | "outbound";
  /** @returns packets that must be in the row */
  readonly inject: (ledger: Ledger) => number;
}

/** Counts what `part` shows, with a TUN device beside it that shows nothing. */
function readSocket(ledger: Ledger, socket: UdpSocket): void {
  new KernelCounters(ledger, tunWithQueue(10)).readSocket(socket);
}

const injections: Record<(typeof injectedIntoKernel)[number], Injection> = {
  tun_queue_full: {
    direction: "outbound",
    inject: (ledger) => {
      const tun = tunWithQueue(4);
      const kernel = new KernelCounters(ledger, tun);
      sendInto(20, 100);
      kernel.read();
      kernel.read();
      expect(kernel.cells[KernelCell.TunTxDropped]).toBe(16);
      expect(txDropped(tun.name)).toBe(16);
      return 16;
    },
  },
  tun_too_large: {
    direction: "outbound",
    inject: (ledger) => {
      const tun = tunWithQueue(10);
      const kernel = new KernelCounters(ledger, tun);
      sendInto(1, 8_000);
      tun.readBatch(new PacketBatch({ slots: 2, runs: 2, endpoints: 0, arenaBytes: 2_000 }));
      kernel.read();
      return 1;
    },
  },
  tun_malformed: {
    direction: "outbound",
    inject: (ledger) => {
      const tun = withStats(tunWithQueue(10), TunStat.Malformed, 0);
      const kernel = new KernelCounters(ledger, tun);
      tun.stats[TunStat.Malformed]! += 3;
      kernel.read();
      return 3;
    },
  },
  socket_overflow: {
    direction: "inbound",
    inject: (ledger) => {
      const small = udp({ address: "127.0.0.1", receiveBufferBytes: 8_192 });
      const from = udp();
      from.attachEndpoints(endpointTable({ address: "127.0.0.1", port: small.port }));
      const datagrams = Array.from({ length: 100 }, (_, i) => dataMessage(1, BigInt(i), 1_000));
      expect(from.sendBatch(outgoing({ endpoint: 0, datagrams }))).toBe(100);
      let received = 0;
      for (const batch = inbound(64); small.receiveBatch(batch) > 0; batch.clear()) received += batch.header[0]!;
      readSocket(ledger, small);
      return 100 - received;
    },
  },
  batch_full: {
    direction: "inbound",
    inject: (ledger) => {
      const to = openUdp({ family: 4, address: "127.0.0.1" });
      const from = openUdp({ family: 4 });
      open.push(to, from);
      from.attachEndpoints(endpointTable({ address: "127.0.0.1", port: to.port }));
      const datagrams = Array.from({ length: 10 }, (_, i) => dataMessage(1, BigInt(i), 100));
      expect(from.sendBatch(outgoing({ endpoint: 0, datagrams }))).toBe(10);
      expect(to.receiveBatch(inbound(4))).toBe(4);
      readSocket(ledger, to);
      return 6;
    },
  },
  datagram_truncated: {
    direction: "inbound",
    inject: (ledger) => {
      readSocket(ledger, withStats(udp(), UdpStat.Truncated, 2));
      return 2;
    },
  },
};

test("the table is what the simulation leaves", () => {
  expect(Object.keys(injections).sort()).toEqual([...injectedIntoKernel].sort());
});

describe.runIf(canUseDevices)("into the ledger", () => {
  test.each(Object.entries(injections))("%s", (name, { direction, inject }) => {
    const ledger = new Ledger();
    const count = inject(ledger);
    expect(count).toBeGreaterThan(0);
    const column = (drops: Float64Array): Record<string, number> =>
      Object.fromEntries([...drops].flatMap((value, i) => (value === 0 ? [] : [[dropReasonNames[i]!, value]])));
    const moved = { [name]: count };
    expect(column(ledger.inboundDrops)).toEqual(direction === "inbound" ? moved : {});
    expect(column(ledger.outboundDrops)).toEqual(direction === "outbound" ? moved : {});
    expect(ledger.inboundUnaccounted()).toBe(0);
    expect(ledger.outboundUnaccounted(0)).toBe(0);
  });

  test("what went well is counted too, and goes on over a socket that was opened anew", () => {
    const tun = tunWithQueue(50);
    const ledger = new Ledger();
    const kernel = new KernelCounters(ledger, tun);
    sendInto(20, 100);
    const batch = outbound();
    expect(tun.readBatch(batch)).toBe(20);
    for (let round = 1; round <= 2; round++) {
      const socket = udp();
      socket.attachEndpoints(endpointTable({ address: "127.0.0.1", port: socket.port }));
      socket.sendBatch(outgoing({ endpoint: 0, datagrams: [new Uint8Array(70), new Uint8Array(50)] }));
      kernel.read(socket);
      socket.close();
      expect(kernel.cells[KernelCell.UdpSentDatagrams]).toBe(2 * round);
      expect(kernel.cells[KernelCell.UdpSentBytes]).toBe(120 * round);
    }
    expect(kernel.cells[KernelCell.TunReads]).toBe(20);
    expect(kernel.cells[KernelCell.TunReadPackets]).toBe(20);
    expect(ledger.outboundUnaccounted(0)).toBe(0);
  });
});

describe.runIf(canUseDevices)("what the kernel says to a send", () => {
  const to = (address: string, bytes = 100) => ({ table: endpointTable({ address, port: 9 }), bytes });
  const dummy = (): void => {
    ip("link", "add", "dum0", "type", "veth", "peer", "name", "dum1");
    ip("link", "set", "dum0", "up");
    ip("link", "set", "dum1", "up");
    ip("addr", "add", "10.8.0.1/24", "dev", "dum0");
    ip("neigh", "add", "10.8.0.2", "lladdr", "02:00:00:00:00:02", "dev", "dum0");
    open.push({ close: () => ip("link", "del", "dum0") });
  };
  const cases: (ReturnType<typeof to> & { name: string; fault: string; prepare: () => void; count?: number })[] = [
    { name: "send_unreachable", fault: "no route", ...to("198.51.100.1"), prepare: () => {} },
    {
      name: "send_unreachable",
      fault: "an unreachable route",
      ...to("198.51.100.2"),
      prepare: () => ip("route", "add", "unreachable", "198.51.100.2"),
    },
    {
      name: "send_forbidden",
      fault: "a prohibiting route",
      ...to("198.51.100.3"),
      prepare: () => ip("route", "add", "prohibit", "198.51.100.3"),
    },
    {
      name: "send_failed",
      fault: "a blackhole route",
      ...to("198.51.100.4"),
      prepare: () => ip("route", "add", "blackhole", "198.51.100.4"),
    },
    { name: "send_too_large", fault: "no UDP datagram is so long", ...to("127.0.0.1", 70_000), prepare: () => {} },
    { name: "send_no_socket", fault: "the sockets are closed", ...to("127.0.0.1"), prepare: () => {} },
    {
      name: "send_would_block",
      fault: "a slow interface",
      ...to("10.8.0.2", 60_000),
      prepare: () => {
        dummy();
        run("tc", ..."qdisc add dev dum0 root tbf rate 100kbit burst 3000 limit 100000000".split(" "));
      },
      count: 600,
    },
  ];

  test.each(cases)("$name: $fault", ({ name, table, bytes, prepare, count = 1 }) => {
    prepare();
    const network = new Network(table, { offloads: false });
    open.push(network);
    if (name !== "send_no_socket") network.open(0, 0);
    const datagrams = Array.from({ length: count }, () => new Uint8Array(bytes));
    const batch = outgoing({ endpoint: 0, datagrams });
    const sent = network.transmit(batch);
    expect(sent).toBe([...batch.packetStatus].filter((status) => status === 0).length);
    expect(sent).toBeLessThan(count);
    const reasons = new Set([...batch.packetStatus].filter((status) => status < 0).map(sendRefusalReason));
    expect([...reasons].map((reason) => dropReasonNames[reason])).toEqual([name]);
  });

  test("a socket that was closed under the network's feet does not pass for a good one", () => {
    const network = new Network(endpointTable({ address: "127.0.0.1", port: 9 }), { offloads: false });
    network.open(0, 0);
    network.socket4!.close();
    const batch = outgoing({ endpoint: 0, datagrams: [new Uint8Array(10)] });
    expect(network.transmit(batch)).toBe(0);
    expect(batch.packetStatus[0]).toBe(-Errno.EBADF);
    expect(sendRefusalReason(-Errno.EBADF)).toBe(DropReason.SendNoSocket);
    network.close();
  });
});

test.runIf(canUseDevices)("a datagram that a full queue below swallowed is counted for the host", () => {
  ip("link", "add", "full0", "type", "veth", "peer", "name", "full1");
  open.push({ close: () => ip("link", "del", "full0") });
  ip("link", "set", "full0", "up");
  ip("link", "set", "full1", "up");
  ip("addr", "add", "10.9.0.1/24", "dev", "full0");
  ip("neigh", "add", "10.9.0.2", "lladdr", "02:00:00:00:00:02", "dev", "full0");
  run("tc", ..."qdisc add dev full0 root tbf rate 100kbit burst 3000 limit 3000".split(" "));
  const kernel = new KernelCounters(new Ledger(), tunWithQueue(10));
  const socket = udp({ sendBufferBytes: 1 << 22 });
  socket.attachEndpoints(endpointTable({ address: "10.9.0.2", port: 9 }));
  const datagrams = Array.from({ length: 50 }, () => new Uint8Array(1_000));
  expect(socket.sendBatch(outgoing({ endpoint: 0, datagrams }))).toBe(50);
  kernel.read(socket);
  expect(kernel.cells[KernelCell.HostUdpSendBufferErrors]).toBeGreaterThan(30);
});

test("DropReason rows of the ledger are those of the table", () => {
  expect(new Ledger().inboundDrops.length).toBe(Object.keys(DropReason).length);
});
