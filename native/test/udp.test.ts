import { afterEach, describe, expect, test } from "vitest";
import { addon } from "../addon.js";
import { Errno, SystemCallError } from "../errors.js";
import { ENDPOINT_BYTES, EndpointField, HeaderCell, PacketBatch, RunKind } from "../packet-batch.js";
import { openUdp, RECEIVE_STRETCH_BYTES, type UdpOptions, type UdpSocket, UdpStat } from "../udp.js";
import { canUseDevices, ip, run, until } from "./namespaces.js";
import { dataMessage, endpointTable, type OutgoingRun, outgoing, setSource, slotBytes } from "./udp-table.js";

const open: UdpSocket[] = [];

function udp(options: UdpOptions): UdpSocket {
  const socket = openUdp(options);
  open.push(socket);
  return socket;
}

afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

const inbox = new PacketBatch({ slots: 4096, runs: 4096, endpoints: 64, arenaBytes: 64 * RECEIVE_STRETCH_BYTES });

/** Receives until `count` datagrams came, one batch's worth at a time. @returns their bytes, in order. */
async function receive(socket: UdpSocket, count: number): Promise<Uint8Array[]> {
  const got: Uint8Array[] = [];
  await until(`${count} datagrams`, () => {
    inbox.clear();
    const datagrams = socket.receiveBatch(inbox);
    for (let slot = 0; slot < datagrams; slot++) got.push(slotBytes(inbox, slot));
    return got.length >= count;
  });
  return got;
}

/** Datagrams as text, which compares faster than typed arrays. */
const texts = (datagrams: Uint8Array[]): string[] => datagrams.map((bytes) => Buffer.from(bytes).toString("latin1"));

/** A pair on the loopback; `a` sends to `b`. */
function pair(family: 4 | 6, options: Partial<UdpOptions> = {}): { a: UdpSocket; b: UdpSocket; table: Uint8Array } {
  const address = family === 4 ? "127.0.0.1" : "::1";
  const b = udp({ family, address, ...options });
  const a = udp({ family, ...options });
  const table = endpointTable({ address, port: b.port });
  a.attachEndpoints(table);
  return { a, b, table };
}

const to = (endpoint: number, ...datagrams: Uint8Array[]): OutgoingRun => ({ endpoint, datagrams });
const stat = (socket: UdpSocket, index: number): number => socket.stats[index] as number;

describe.each([4, 6] as const)("over IPv%i", (family) => {
  test("equal datagrams travel merged and arrive as one run", async () => {
    const { a, b } = pair(family);
    const sent = Array.from({ length: 100 }, (_, i) => dataMessage(7, BigInt(i), i === 99 ? 500 : 1000));
    expect(a.sendBatch(outgoing({ ...to(0, ...sent), tos: 0b10 }))).toBe(100);
    expect(a.offloads).toEqual({ segment: true, gro: true });
    expect([stat(a, UdpStat.SendCalls), stat(a, UdpStat.SendMessages)]).toEqual([1, 2]);
    inbox.clear();
    expect(b.receiveBatch(inbox)).toBe(100);
    expect([...inbox.header.subarray(0, 4)]).toEqual([100, 1, 2 * RECEIVE_STRETCH_BYTES, 1]);
    expect(inbox.header[HeaderCell.More]).toBe(0);
    expect([inbox.runKind[0], inbox.runReceiver[0], inbox.runCount[0]]).toEqual([RunKind.Data, 7, 100]);
    expect([inbox.runTos[0], inbox.runKey[0], inbox.runEndpoint[0]]).toEqual([0b10, -1, 0]);
    expect([...inbox.packetCounter.subarray(0, 100)]).toEqual(sent.map((_, i) => i));
    expect(sent.every((message, slot) => Buffer.compare(message, slotBytes(inbox, slot)) === 0)).toBe(true);
    expect(b.receiveBatch(inbox)).toBe(-Errno.EAGAIN);
    expect([stat(b, UdpStat.ReceiveDatagrams), stat(b, UdpStat.ReceiveBytes)]).toEqual([100, 99_500]);
  });

  test("without offloads the same datagrams arrive, one a message", async () => {
    const { a, b } = pair(family, { offloads: false, receiveBufferBytes: 1 << 20 });
    const sent = Array.from({ length: 100 }, (_, i) => dataMessage(7, BigInt(i), 1000));
    expect(a.sendBatch(outgoing(to(0, ...sent)))).toBe(100);
    expect(stat(a, UdpStat.SendMessages)).toBe(100);
    expect(texts(await receive(b, 100))).toEqual(texts(sent));
    expect(stat(b, UdpStat.MergedMessages)).toBe(0);
  });

  test("sizes that go up and down keep their order", async () => {
    const { a, b } = pair(family);
    const sizes = [40, 40, 60, 60, 33, 60, 0, 32, 60, 1452, 1452, 9000, 60_000, 60_000, 1];
    const sent = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
    expect(a.sendBatch(outgoing(to(0, ...sent)))).toBe(sizes.length);
    expect(texts(await receive(b, sizes.length))).toEqual(texts(sent));
  });

  test("the largest datagram passes, a larger one has EMSGSIZE, and those around it go", async () => {
    const { a, b } = pair(family, { receiveBufferBytes: 1 << 20 });
    const largest = family === 4 ? 65_507 : 65_487;
    const sent = [new Uint8Array(largest), new Uint8Array(70_000), new Uint8Array(50)];
    const batch = outgoing(to(0, ...sent));
    expect(a.sendBatch(batch)).toBe(2);
    expect([...batch.packetStatus]).toEqual([0, -Errno.EMSGSIZE, 0]);
    expect(texts(await receive(b, 2))).toEqual(texts([sent[0], sent[2]]));
    expect(stat(a, UdpStat.SendFailures)).toBe(1);
  });

  test("a reply goes back from the address that was asked", async () => {
    const [address, ifindex] = family === 4 ? ["127.0.0.9", 1] : ["::1", 1];
    const server = udp({ family });
    const client = udp({ family });
    client.attachEndpoints(endpointTable({ address, port: server.port }));
    client.sendBatch(outgoing(to(0, dataMessage(1, 0n, 32))));
    await receive(server, 1);
    const record = inbox.endpoints.slice(0, ENDPOINT_BYTES);
    const view = new DataView(record.buffer);
    expect(view.getUint16(EndpointField.Family, true)).toBe(family === 4 ? 2 : 10);
    expect(view.getUint16(EndpointField.Port)).toBe(client.port);
    expect(view.getUint32(EndpointField.SourceIfindex, true)).toBe(ifindex);
    const source = record.slice(EndpointField.Source, EndpointField.Source + 16);
    expect(source).toEqual(
      endpointTable({ address, port: 0 }).slice(EndpointField.Address, EndpointField.Address + 16),
    );
    server.attachEndpoints(record);
    expect(server.sendBatch(outgoing(to(0, dataMessage(2, 0n, 32))))).toBe(1);
    await receive(client, 1);
    const from = inbox.endpoints.slice(EndpointField.Address, EndpointField.Address + 16);
    expect(from).toEqual(source);
    expect(stat(server, UdpStat.SourceCleared)).toBe(0);
  });
});

describe("receiving", () => {
  test("sorts datagrams by type, length and receiver", async () => {
    const { a, b } = pair(4);
    const typed = (type: number, bytes: number) => {
      const message = new Uint8Array(bytes);
      message[0] = type;
      return message;
    };
    const reserved = dataMessage(7, 0n, 32);
    reserved[1] = 1;
    const messages: [Uint8Array, number][] = [
      [typed(1, 148), RunKind.Initiation],
      [typed(1, 148), RunKind.Initiation],
      [typed(1, 147), RunKind.Malformed],
      [typed(2, 92), RunKind.Response],
      [typed(3, 64), RunKind.CookieReply],
      [typed(3, 65), RunKind.Malformed],
      [dataMessage(7, 1n, 32), RunKind.Data],
      [dataMessage(7, 2n ** 53n - 1n, 48), RunKind.Data],
      [dataMessage(8, 2n ** 53n, 48), RunKind.Data],
      [dataMessage(8, 2n ** 64n - 1n, 48), RunKind.Data],
      [dataMessage(8, 0n, 31), RunKind.Malformed],
      [reserved, RunKind.Malformed],
      [typed(5, 148), RunKind.Malformed],
      [new Uint8Array(0), RunKind.Malformed],
      [new Uint8Array(3), RunKind.Malformed],
    ];
    expect(a.sendBatch(outgoing(to(0, ...messages.map(([message]) => message))))).toBe(messages.length);
    inbox.clear();
    await until("all", () => {
      b.receiveBatch(inbox);
      return (inbox.header[HeaderCell.PacketCount] as number) >= messages.length;
    });
    const kinds: number[] = [];
    const shapes: string[] = [];
    for (let row = 0; row < (inbox.header[HeaderCell.RunCount] as number); row++) {
      shapes.push(`${inbox.runKind[row]}x${inbox.runCount[row]}/${inbox.runReceiver[row]}`);
      for (let i = 0; i < (inbox.runCount[row] as number); i++) kinds.push(inbox.runKind[row] as number);
    }
    expect(kinds).toEqual(messages.map(([, kind]) => kind));
    expect(shapes).toEqual(["1x1/0", "1x1/0", "0x1/0", "2x1/0", "3x1/0", "0x1/0", "4x2/7", "4x2/8", "0x5/0"]);
    expect([...inbox.packetCounter.subarray(6, 10)]).toEqual([1, 2 ** 53 - 1, 2 ** 53, 2 ** 53]);
    expect([...inbox.packetStatus.subarray(0, messages.length)].every((status) => status === 0)).toBe(true);
  });

  test("keeps senders apart", async () => {
    const { a, b, table } = pair(4, { offloads: false });
    const c = udp({ family: 4 });
    c.attachEndpoints(table);
    for (const sender of [a, c, a]) sender.sendBatch(outgoing(to(0, dataMessage(7, 0n, 32), dataMessage(7, 1n, 32))));
    inbox.clear();
    await until("six", () => {
      b.receiveBatch(inbox);
      return inbox.header[HeaderCell.PacketCount] === 6;
    });
    expect(inbox.header[HeaderCell.EndpointCount]).toBe(3);
    expect([...inbox.runCount.subarray(0, 3)]).toEqual([2, 2, 2]);
    const view = new DataView(inbox.endpoints.buffer, inbox.endpoints.byteOffset);
    const port = (row: number) =>
      view.getUint16((inbox.runEndpoint[row] as number) * ENDPOINT_BYTES + EndpointField.Port);
    expect([port(0), port(1), port(2)]).toEqual([a.port, c.port, a.port]);
  });

  test("counts what the kernel dropped for want of buffer", async () => {
    const { a, b } = pair(4, { offloads: false });
    const small = udp({ family: 4, address: "127.0.0.1", receiveBufferBytes: 8192 });
    a.attachEndpoints(endpointTable({ address: "127.0.0.1", port: small.port }));
    const burst = Array.from({ length: 200 }, (_, i) => dataMessage(1, BigInt(i), 1000));
    expect(a.sendBatch(outgoing(to(0, ...burst)))).toBe(200);
    let received = 0;
    for (inbox.clear(); small.receiveBatch(inbox) > 0; inbox.clear()) received += inbox.header[0] as number;
    expect(received).toBeLessThan(200);
    expect(small.refreshOverflow()).toBe(0);
    expect(stat(small, UdpStat.RxOverflow)).toBe(200 - received);
    // The next datagram tells the same number, and it is not counted twice.
    a.sendBatch(outgoing(to(0, dataMessage(1, 0n, 32))));
    await receive(small, 1);
    expect(stat(small, UdpStat.RxOverflow)).toBe(200 - received);
    expect(stat(b, UdpStat.RxOverflow)).toBe(0);
  });

  test("a batch without room says so and loses nothing; one without slots counts what it drops", async () => {
    const { a, b } = pair(4);
    const sent = Array.from({ length: 10 }, (_, i) => dataMessage(1, BigInt(i), 100));
    a.sendBatch(outgoing(to(0, ...sent)));
    const tiny = new PacketBatch({ slots: 64, runs: 64, endpoints: 1, arenaBytes: 1000 });
    expect(b.receiveBatch(tiny)).toBe(-Errno.ENOBUFS);
    expect(tiny.header[HeaderCell.More]).toBe(1);
    const narrow = new PacketBatch({ slots: 4, runs: 4, endpoints: 1, arenaBytes: RECEIVE_STRETCH_BYTES });
    expect(b.receiveBatch(narrow)).toBe(4);
    expect(stat(b, UdpStat.NoSlot)).toBe(6);
  });
});

describe("sending", () => {
  test("skips what is not its own: other family, no endpoint, refused, unsealed", async () => {
    const { a, b } = pair(4);
    a.attachEndpoints(endpointTable({ address: "127.0.0.1", port: b.port }, { address: "::1", port: b.port }));
    const message = (i: number) => dataMessage(i, 0n, 32);
    const batch = outgoing(
      to(1, message(1)),
      to(-1, message(2)),
      to(99, message(3)),
      { ...to(0, message(4)), kind: RunKind.Data, key: -1 },
      { ...to(0, message(5)), kind: RunKind.Malformed },
      { ...to(0, message(6), message(7)), kind: RunKind.Data, key: 3 },
      to(0, message(8)),
    );
    batch.packetStatus[5] = 9;
    expect(a.sendBatch(batch)).toBe(2);
    expect(texts(await receive(b, 2))).toEqual(texts([message(7), message(8)]));
    expect([...batch.packetStatus]).toEqual([0, 0, 0, 0, 0, 9, 0, 0]);
    expect(batch.header[HeaderCell.OtherFamily]).toBe(1);
    const own = outgoing(to(0, message(9)));
    own.header[HeaderCell.OtherFamily] = 7;
    a.sendBatch(own);
    expect(own.header[HeaderCell.OtherFamily]).toBe(0);
  });

  test("no message holds more than 64 datagrams or more bytes than UDP can", async () => {
    const { a, b } = pair(4, { receiveBufferBytes: 2 << 20 });
    expect(a.sendBatch(outgoing(to(0, ...Array.from({ length: 130 }, () => new Uint8Array(40)))))).toBe(130);
    expect(stat(a, UdpStat.SendMessages)).toBe(3);
    expect(a.sendBatch(outgoing(to(0, ...Array.from({ length: 60 }, () => new Uint8Array(1100)))))).toBe(60);
    expect(stat(a, UdpStat.SendMessages)).toBe(5);
    expect(stat(a, UdpStat.GsoRefused)).toBe(0);
    await receive(b, 190);
  });

  test("merges across runs of one endpoint and TOS only", async () => {
    const { a, b } = pair(4);
    const c = udp({ family: 4, address: "127.0.0.1" });
    a.attachEndpoints(endpointTable({ address: "127.0.0.1", port: b.port }, { address: "127.0.0.1", port: c.port }));
    const m = () => dataMessage(1, 0n, 64);
    const batch = outgoing(to(0, m(), m()), to(0, m()), { ...to(0, m()), tos: 3 }, to(1, m()), to(0, m(), m()));
    expect(a.sendBatch(batch)).toBe(7);
    expect([stat(a, UdpStat.SendMessages), stat(a, UdpStat.SegmentedMessages)]).toEqual([4, 2]);
    expect(await receive(b, 6)).toHaveLength(6);
    expect(await receive(c, 1)).toHaveLength(1);
  });

  test("a gap between datagrams does not stop the merging", async () => {
    const { a, b } = pair(4);
    const sent = [0, 1, 2, 3].map((i) => dataMessage(1, BigInt(i), 64));
    const batch = outgoing(to(0, ...sent));
    batch.packetStatus[1] = 1;
    expect(a.sendBatch(batch)).toBe(3);
    expect(stat(a, UdpStat.SendMessages)).toBe(1);
    expect(texts(await receive(b, 3))).toEqual(texts([sent[0], sent[2], sent[3]]));
  });

  test("bounds that lie outside the batch are refused, not read", () => {
    const { a } = pair(4);
    const batch = outgoing(to(0, dataMessage(1, 0n, 64), dataMessage(1, 1n, 64)));
    batch.packetOffset[0] = -1;
    batch.packetLength[1] = 1 << 30;
    batch.runCount[0] = 1 << 30;
    expect(a.sendBatch(batch)).toBe(0);
    expect([...batch.packetStatus]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
    batch.runFirst[0] = 1 << 30;
    expect(a.sendBatch(batch)).toBe(0);
    batch.header[HeaderCell.RunCount] = 1 << 30;
    expect(a.sendBatch(batch)).toBe(0);
  });
});

describe.runIf(canUseDevices)("what the kernel refuses", () => {
  test("UDP_SEGMENT beyond the MTU: the datagrams go singly, and only to that endpoint", async () => {
    ip("link", "set", "lo", "mtu", "1280");
    const { a, b } = pair(4);
    a.attachEndpoints(endpointTable({ address: "127.0.0.1", port: b.port }, { address: "127.0.0.1", port: b.port }));
    const long = [0, 1, 2].map((i) => dataMessage(1, BigInt(i), 1400));
    const short = [3, 4].map((i) => dataMessage(1, BigInt(i), 200));
    expect(a.sendBatch(outgoing(to(0, ...long), to(1, ...short)))).toBe(5);
    expect(texts(await receive(b, 5))).toEqual(texts([...long, ...short]));
    expect([stat(a, UdpStat.GsoRefused), stat(a, UdpStat.GsoRetried)]).toEqual([1, 3]);
    expect(stat(a, UdpStat.SegmentedMessages)).toBe(1);
    // Not tried again for a while at the one, still at the other.
    expect(a.sendBatch(outgoing(to(0, ...short), to(1, ...short)))).toBe(4);
    expect([stat(a, UdpStat.GsoRefused), stat(a, UdpStat.SegmentedMessages)]).toEqual([1, 2]);
    await receive(b, 4);
    ip("link", "set", "lo", "mtu", "65536");
  });

  test("after its time, UDP_SEGMENT is tried again", async () => {
    const { a, b, table } = pair(4);
    const view = new DataView(table.buffer);
    view.setUint32(EndpointField.GsoRefusedUntilMs, 1, true); // 1 ms after boot, or just before it wrapped round
    expect(a.sendBatch(outgoing(to(0, dataMessage(1, 0n, 64), dataMessage(1, 1n, 64))))).toBe(2);
    const tried = view.getUint32(EndpointField.GsoRefusedUntilMs, true) === 0;
    expect(stat(a, UdpStat.SegmentedMessages)).toBe(tried ? 1 : 0);
    expect(await receive(b, 2)).toHaveLength(2);
  });

  test("a sticky source that is no longer ours is cleared, and the datagram goes", async () => {
    const { a, b, table } = pair(4);
    setSource(table, 0, "192.0.2.77", 1);
    expect(a.sendBatch(outgoing(to(0, dataMessage(1, 0n, 64), dataMessage(1, 1n, 64))))).toBe(2);
    expect(await receive(b, 2)).toHaveLength(2);
    expect(stat(a, UdpStat.SourceCleared)).toBe(1);
    expect([...table.subarray(EndpointField.SourceIfindex, EndpointField.Source + 4)].every((byte) => byte === 0)).toBe(
      true,
    );
    expect(stat(a, UdpStat.GsoRefused)).toBe(0);
  });

  test("no route: that endpoint's datagrams have the errno, the others go", async () => {
    const { a, b } = pair(4);
    a.attachEndpoints(endpointTable({ address: "192.0.2.1", port: 9 }, { address: "127.0.0.1", port: b.port }));
    const batch = outgoing(to(0, dataMessage(1, 0n, 64)), to(1, dataMessage(1, 1n, 64)));
    expect(a.sendBatch(batch)).toBe(1);
    expect(batch.packetStatus[0]).toBe(-101); // ENETUNREACH
    expect(await receive(b, 1)).toHaveLength(1);
  });

  test("a full send buffer: what is left has EAGAIN", () => {
    ip("link", "add", "slow0", "type", "veth", "peer", "name", "slow1");
    ip("addr", "add", "10.2.0.1/24", "dev", "slow0");
    ip("link", "set", "slow1", "up");
    ip("link", "set", "slow0", "up");
    ip("neigh", "add", "10.2.0.2", "lladdr", "02:00:00:00:00:02", "dev", "slow0");
    run("tc", ..."qdisc add dev slow0 root tbf rate 100kbit burst 3000 limit 1000000".split(" "));
    const a = udp({ family: 4, sendBufferBytes: 20_000 });
    a.attachEndpoints(endpointTable({ address: "10.2.0.2", port: 9 }, { address: "127.0.0.1", port: a.port }));
    const many = Array.from({ length: 200 }, () => new Uint8Array(1000));
    const batch = outgoing(to(0, ...many), to(1, new Uint8Array(40)));
    const sent = a.sendBatch(batch);
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(200);
    const wanted = Array.from({ length: 201 }, (_, slot) => (slot < sent ? 0 : -Errno.EAGAIN));
    expect([...batch.packetStatus]).toEqual(wanted);
    expect(stat(a, UdpStat.SendWouldBlock)).toBe(201 - sent);
    expect(stat(a, UdpStat.SendDatagrams)).toBe(sent);
  });

  test("marks and forced buffers are set", () => {
    const socket = udp({ family: 4, mark: 0xfffffffe, receiveBufferBytes: 9 << 20, sendBufferBytes: 9 << 20 });
    expect([socket.receiveBufferBytes, socket.sendBufferBytes]).toEqual([9 << 20, 9 << 20]);
    socket.setMark(0);
  });
});

test("opening names what is wrong", () => {
  const first = udp({ family: 4, address: "127.0.0.1" });
  const again = () => udp({ family: 4, address: "127.0.0.1", port: first.port });
  expect(again).toThrow(SystemCallError);
  expect(again).toThrow(`bind: EADDRINUSE (address already in use): another socket holds 127.0.0.1:${first.port}`);
  expect(() => udp({ family: 4, address: "192.0.2.1" })).toThrow(/EADDRNOTAVAIL.*no interface here has the address/);
  expect(() => udp({ family: 4, address: "::1" })).toThrow(/inet_pton: EINVAL/);
  // Both families on one port: the IPv6 socket is v6only.
  expect(udp({ family: 6, port: udp({ family: 4 }).port }).family).toBe(6);
});

test("a closed socket and nonsense handles answer -EBADF", () => {
  const socket = openUdp({ family: 4 });
  socket.close();
  socket.close();
  expect([socket.receiveBatch(inbox), socket.sendBatch(inbox)]).toEqual([-Errno.EBADF, -Errno.EBADF]);
  for (const handle of [-1, 1e6, Number.NaN]) expect(addon.udpSendBatch(handle, 0)).toBe(-Errno.EBADF);
  expect(() => socket.setMark(1)).toThrow(/closed UDP socket/);
});
