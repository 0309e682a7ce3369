// The socket for small datagrams: what the kernel gives to it and what to the first, over IPv4 and IPv6.
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { Errno, type SystemCallError } from "../errors.js";
import { HeaderCell, PacketBatch } from "../packet-batch.js";
import {
  openUdp,
  RECEIVE_STRETCH_BYTES,
  SMALL_DATAGRAM_BYTES,
  type UdpOptions,
  type UdpSocket,
  UdpStat,
} from "../udp.js";
import { dataMessage, endpointTable, outgoing, slotBytes } from "./udp-table.js";

const open: UdpSocket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

function udp(options: UdpOptions): UdpSocket {
  const socket = openUdp(options);
  open.push(socket);
  return socket;
}

const inbox = new PacketBatch({ slots: 4096, runs: 4096, endpoints: 64, arenaBytes: 64 * RECEIVE_STRETCH_BYTES });

/** Lengths of what waits in one of the two, in order. */
function waiting(receive: (batch: PacketBatch) => number): number[] {
  const lengths: number[] = [];
  for (inbox.clear(); receive(inbox) > 0; inbox.clear()) {
    for (let slot = 0; slot < inbox.header[HeaderCell.PacketCount]!; slot++)
      lengths.push(slotBytes(inbox, slot).length);
  }
  return lengths;
}
const small = (socket: UdpSocket): number[] => waiting((batch) => socket.receiveSmallBatch(batch));
const others = (socket: UdpSocket): number[] => waiting((batch) => socket.receiveBatch(batch));

const typed = (type: number, bytes: number): Uint8Array => new Uint8Array(bytes).fill(type, 0, 1);
const times = (count: number, bytes: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => dataMessage(7, BigInt(i), bytes));

describe.each([
  [4, "127.0.0.1", true],
  [4, "127.0.0.1", false],
  [6, "::1", true],
] as const)("over IPv%i from %s, offloads %s", (family, address, offloads) => {
  const pair = (): { a: UdpSocket; b: UdpSocket } => {
    const b = udp({ family, address, splitSmall: true, offloads });
    const a = udp({ family, offloads });
    a.attachEndpoints(endpointTable({ address, port: b.port }));
    return { a, b };
  };
  const send = (a: UdpSocket, ...datagrams: Uint8Array[]): void => {
    expect(a.sendBatch(outgoing({ endpoint: 0, datagrams }))).toBe(datagrams.length);
  };

  test("transport data of up to 160 bytes comes by it, all else by the first", () => {
    const { a, b } = pair();
    expect(b.smallFd).toBeGreaterThan(b.fd);
    expect(SMALL_DATAGRAM_BYTES).toBe(160);
    // Growing from one to the next: nothing is merged.
    send(a, typed(4, 9), typed(4, 32), typed(4, 96), typed(4, 160), typed(4, 161), typed(4, 1452));
    send(a, new Uint8Array(0), new Uint8Array(3), typed(5, 40), typed(3, 64), typed(2, 92), typed(1, 148));
    expect(small(b)).toEqual([9, 32, 96, 160]);
    expect(others(b)).toEqual([161, 1452, 0, 3, 40, 64, 92, 148]);
    expect(b.stats[UdpStat.SmallDatagrams]).toBe(4);
    expect(b.stats[UdpStat.ReceiveDatagrams]).toBe(12);
    expect(b.receiveSmallBatch(inbox)).toBe(-Errno.EAGAIN);
  });

  test.each([32, 48, 64, 80, 96, 112, 128, 144, 160])(
    "%i bytes each, merged by the kernel, are still small",
    (bytes) => {
      const { a, b } = pair();
      send(a, ...times(40, bytes));
      expect(small(b)).toEqual(new Array(40).fill(bytes));
      if (offloads) expect(b.stats[UdpStat.MergedMessages]).toBe(1);
      expect(others(b)).toEqual([]);
    },
  );

  test("bulk, merged or not, is never small", () => {
    const { a, b } = pair();
    send(a, ...times(30, 176), ...times(30, 1452), ...times(3, 9000));
    expect(small(b)).toEqual([]);
    expect(others(b).length).toBe(63);
  });

  test("a small one at the end of a run of bulk stays with it while it is merged", () => {
    const { a, b } = pair();
    send(a, ...times(5, 1452), typed(4, 100));
    expect(small(b)).toEqual(offloads ? [] : [100]);
    expect(others(b)).toEqual([1452, 1452, 1452, 1452, 1452, ...(offloads ? [100] : [])]);
  });

  test("what either has dropped is counted once", () => {
    const b = udp({ family, address, splitSmall: true, offloads, receiveBufferBytes: 4096 });
    const a = udp({ family, offloads: false, sendBufferBytes: 1 << 20 });
    a.attachEndpoints(endpointTable({ address, port: b.port }));
    send(a, ...times(100, 100), ...times(100, 200));
    const received = small(b).length + others(b).length;
    expect(received).toBeLessThan(200);
    expect(b.refreshOverflow()).toBe(0);
    expect(b.stats[UdpStat.RxOverflow]).toBe(200 - received);
    expect(b.refreshOverflow()).toBe(0);
    expect(b.stats[UdpStat.RxOverflow]).toBe(200 - received);
  });
});

describe("the port stays its owner's", () => {
  const refusal = (options: UdpOptions): string => {
    try {
      udp(options);
    } catch (error) {
      return (error as SystemCallError).code;
    }
    return "none";
  };

  test("another socket is told that it is taken, with a second socket of its own or without", () => {
    const first = udp({ family: 4, splitSmall: true });
    expect(refusal({ family: 4, port: first.port })).toBe("EADDRINUSE");
    expect(refusal({ family: 4, port: first.port, splitSmall: true })).toBe("EADDRINUSE");
    first.close();
    expect(refusal({ family: 4, port: first.port, splitSmall: true })).toBe("none");
  });

  test("who asks to share it gets nothing", async () => {
    const b = udp({ family: 4, address: "127.0.0.1", splitSmall: true });
    const stranger = spawn("python3", ["-c", STRANGER, String(b.port)], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: stranger.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe("bound");
    const a = udp({ family: 4 });
    a.attachEndpoints(endpointTable({ address: "127.0.0.1", port: b.port }));
    a.sendBatch(outgoing({ endpoint: 0, datagrams: [...times(20, 96), ...times(20, 1008), typed(1, 148)] }));
    expect([small(b).length, others(b).length]).toEqual([20, 21]);
    stranger.stdin.end();
    expect((await lines.next()).value).toBe("got nothing");
  });
});

/** Shares a port, and says what came by it until its input ended. */
const STRANGER = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
print("bound", flush=True)
sys.stdin.read()
s.setblocking(False)
try:
    print("got", len(s.recv(65536)))
except BlockingIOError:
    print("got nothing")
`;

/** Takes `fd` over in a process of its own, and sends to it. @returns what it has, and received by each socket */
function inChild(fd: number): string {
  const script = `
    import * as t from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
    const { createSocket } = await import("node:dgram");
    const socket = t.openUdp({ family: 4, fd: 3, splitSmall: true });
    const sender = createSocket("udp4");
    const message = (bytes) => Uint8Array.of(4, ...new Array(bytes - 1).fill(0));
    const send = (bytes) => new Promise((sent) => sender.send(message(bytes), socket.port, "127.0.0.1", sent));
    for (const bytes of [32, 1000, 64, 160, 161]) await send(bytes);
    sender.close();
    const batch = new t.PacketBatch({ slots: 256, runs: 256, endpoints: 8, arenaBytes: 8 * t.RECEIVE_STRETCH_BYTES });
    const small = socket.receiveSmallBatch(batch);
    batch.clear();
    console.log(socket.smallFd > 3, small, socket.receiveBatch(batch));
    socket.close();`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "pipe", fd],
    encoding: "utf8",
  });
  return child.stdout + child.stderr;
}

test("a socket that is taken over has a second one again, as often as it is, and alone it receives all", () => {
  const socket = udp({ family: 4, address: "127.0.0.1" });
  expect(inChild(socket.fd)).toBe("true 3 2\n");
  expect(inChild(socket.fd)).toBe("true 3 2\n");
  const a = udp({ family: 4 });
  a.attachEndpoints(endpointTable({ address: "127.0.0.1", port: socket.port }));
  a.sendBatch(outgoing({ endpoint: 0, datagrams: [...times(2, 100), ...times(2, 1000)] }));
  expect(others(socket)).toEqual([100, 100, 1000, 1000]);
});

test("while the second socket of its last owner is open, small ones go on to that", () => {
  const socket = udp({ family: 4, address: "127.0.0.1", splitSmall: true });
  expect(inChild(socket.fd)).toBe("true -11 2\n");
  expect(small(socket)).toEqual([32, 64, 160]);
});
