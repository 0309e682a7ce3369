import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { Errno } from "../errors.js";
import { PacketBatch } from "../packet-batch.js";
import { ABSENCE_CELLS, AbsenceCell, Poller, setPollLinger, TIMER_BIT, watchAbsences } from "../poller.js";
import { ClockCell, readClock } from "../system.js";
import { openUdp, RECEIVE_STRETCH_BYTES, type UdpSocket } from "../udp.js";
import { until } from "./namespaces.js";
import { dataMessage, endpointTable, outgoing } from "./udp-table.js";

const addonPath = fileURLToPath(new URL("../build/tun_tap.node", import.meta.url));
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function poller(onReady: (mask: number) => void): Poller {
  const made = new Poller(onReady);
  closers.push(() => made.close());
  return made;
}

/** A socket with `count` datagrams waiting. */
function busySocket(count: number): UdpSocket {
  const socket = openUdp({ family: 4, address: "127.0.0.1" });
  closers.push(() => socket.close());
  socket.attachEndpoints(endpointTable({ address: "127.0.0.1", port: socket.port }));
  for (let i = 0; i < count; i++) socket.sendBatch(outgoing({ endpoint: 0, datagrams: [dataMessage(1, 0n, 32)] }));
  return socket;
}

const inbox = new PacketBatch({ slots: 64, runs: 64, endpoints: 1, arenaBytes: RECEIVE_STRETCH_BYTES });

test("one call reports every descriptor that is ready, again until it is read", async () => {
  const [first, second, idle] = [busySocket(1), busySocket(1), busySocket(0)];
  const masks: number[] = [];
  const p = poller((mask) => {
    masks.push(mask);
    inbox.clear();
    if (masks.length === 3) first.receiveBatch(inbox);
    if (masks.length === 5) second.receiveBatch(inbox);
  });
  [first, second, idle].forEach((socket, i) => {
    p.add(socket.fd, 1 << i);
  });
  await until("five calls", () => masks.length >= 5);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(masks).toEqual([3, 3, 3, 2, 2]);
});

test("a removed descriptor is silent; adding twice is an error", async () => {
  const socket = busySocket(1);
  let calls = 0;
  const p = poller(() => {
    calls++;
    p.remove(socket.fd);
  });
  p.add(socket.fd, 1);
  expect(() => p.add(socket.fd, 2)).toThrow(/EEXIST.*remove it first/);
  expect(() => p.add(9999, 2)).toThrow(/EBADF.*is not open/);
  await until("a call", () => calls > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(calls).toBe(1);
  p.remove(socket.fd);
});

test("the timer fires once, not early, with the clock read", async () => {
  let mask = 0;
  let calls = 0;
  let firedAt = 0;
  const p = poller((bits) => {
    mask |= bits;
    calls++;
    firedAt = p.clock[ClockCell.Boot] as number;
  });
  const deadline = (p.clock[ClockCell.Boot] as number) + 30;
  expect(p.setTimer(deadline)).toBe(0);
  await until("the timer", () => calls > 0);
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect([mask, calls]).toEqual([TIMER_BIT, 1]);
  expect(firedAt).toBeGreaterThanOrEqual(deadline);
  p.setTimer(deadline);
  await until("the same deadline again, now past", () => calls === 2);
  p.setTimer((p.clock[ClockCell.Boot] as number) + 10);
  p.setTimer(0);
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(calls).toBe(2);
});

test("Node's own work goes on beside a descriptor that is always ready", async () => {
  const socket = busySocket(1);
  let calls = 0;
  const p = poller(() => {
    calls++;
  });
  p.add(socket.fd, 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setImmediate(resolve));
  await readFile(addonPath);
  const server = createServer((connection) => connection.pipe(connection)).listen(0, "127.0.0.1");
  closers.push(() => server.close());
  await once(server, "listening");
  const client = connect((server.address() as { port: number }).port, "127.0.0.1").end("echo");
  expect(String(await once(client, "data"))).toBe("echo");
  const child = spawn(process.execPath, ["-e", ""]);
  expect(await once(child, "close")).toEqual([0, null]);
  expect(calls).toBeGreaterThan(100);
});

test("what onReady starts runs soon, although the descriptor stays ready", async () => {
  const socket = busySocket(1);
  const order: string[] = [];
  const server = createServer((connection) => connection.end("hello")).listen(0, "127.0.0.1");
  closers.push(() => server.close());
  await once(server, "listening");
  const startMs = performance.now();
  const p = poller(() => {
    if (order.length > 0) return;
    order.push("turn");
    process.nextTick(() => order.push("tick"));
    Promise.resolve().then(() => order.push("promise"));
    setImmediate(() => order.push("immediate"));
    setTimeout(() => order.push("timer"), 1);
    // A descriptor that libuv has not yet told the kernel about.
    connect((server.address() as { port: number }).port, "127.0.0.1").on("data", () => order.push("socket"));
  });
  p.add(socket.fd, 1);
  await until("all", () => order.length === 6);
  expect(order.slice(0, 4)).toEqual(["turn", "tick", "promise", "immediate"]);
  expect(performance.now() - startMs).toBeLessThan(1_000);
});

test("two pollers are both served, and one closing leaves the other", async () => {
  const [first, second] = [busySocket(1), busySocket(1)];
  const calls = [0, 0];
  const p = poller(() => {
    calls[0]++;
    if (calls[0] === 3) p.close();
  });
  const q = poller(() => {
    calls[1]++;
  });
  p.add(first.fd, 1);
  q.add(second.fd, 1);
  await until("both", () => calls[1] >= 10);
  expect(calls[0]).toBe(3);
  q.remove(second.fd);
  q.setTimer(1);
  const before = calls[1];
  await until("the timer of the other", () => calls[1] > before);
});

test("lingering hears of a datagram as well", async () => {
  const socket = busySocket(1);
  let calls = 0;
  const p = poller(() => {
    inbox.clear();
    socket.receiveBatch(inbox);
    if (++calls < 300) socket.sendBatch(outgoing({ endpoint: 0, datagrams: [dataMessage(1, 0n, 32)] }));
  });
  setPollLinger(500);
  p.add(socket.fd, 1);
  await until("all calls", () => calls === 300);
  setPollLinger(0);
});

test("a closed poller is silent and says so", async () => {
  const socket = busySocket(1);
  let calls = 0;
  const p = poller(() => {
    calls++;
    p.close();
  });
  p.add(socket.fd, 1);
  await until("a call", () => calls === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(calls).toBe(1);
  expect(p.setTimer(5)).toBe(-Errno.EBADF);
  expect(() => p.add(socket.fd, 1)).toThrow(/closed poller/);
});

test("clocks go forward, boot time at or ahead of monotonic time", () => {
  const [a, b] = [new Float64Array(3), new Float64Array(3)];
  expect([readClock(a), readClock(b)]).toEqual([0, 0]);
  for (let cell = 0; cell < 3; cell++) expect(b[cell]).toBeGreaterThanOrEqual(a[cell] as number);
  expect(Math.abs((a[ClockCell.Real] as number) - Date.now())).toBeLessThan(1000);
  expect(b[ClockCell.Boot]).toBeGreaterThanOrEqual(a[ClockCell.Monotonic] as number);
  expect(readClock(new Float64Array(2))).toBe(-Errno.EINVAL);
});

/** Runs `body` in a Node of its own, with the addon as `a` and an open poller that is always ready. */
function child(body: string, ...flags: string[]): { status: number | null; stdout: string; stderr: string } {
  const script = `const a = require(${JSON.stringify(addonPath)});
    const { Worker, isMainThread } = require("node:worker_threads");
    const clock = new Float64Array(3);
    const timer = new Float64Array([1]);
    const watch = (onReady) => { const p = a.pollerOpen(onReady, clock, timer); a.pollerArmTimer(p); return p; };
    ${body}`;
  return spawnSync(process.execPath, [...flags, "-e", script], { encoding: "utf8", timeout: 20_000 });
}

test("an open poller keeps the process alive, a closed one does not", () => {
  expect(child("watch(() => process.stdout.write('once')); setTimeout(() => process.exit(7), 200)")).toMatchObject({
    status: 7,
    stdout: "once",
  });
  expect(child("const p = watch(() => a.pollerClose(p))")).toMatchObject({ status: 0, stderr: "" });
});

test("promises and ticks of onReady run although nothing else is left to do, also when it closed the poller", () => {
  const say = "const say = (text) => process.stdout.write(text + ' ');";
  const leave = "process.nextTick(say, 'tick'); Promise.resolve('promise').then(say); setImmediate(say, 'immediate');";
  expect(
    child(`${say} const p = watch(() => { ${leave} Promise.resolve().then(() => a.pollerClose(p)) })`),
  ).toMatchObject({
    status: 0,
    stdout: "tick promise immediate ",
  });
  expect(child(`${say} const p = watch(() => { ${leave} a.pollerClose(p) })`)).toMatchObject({
    status: 0,
    stdout: "tick promise immediate ",
  });
});

test("an error that onReady throws is an uncaught one", () => {
  const { status, stderr } = child("watch(() => { throw new Error('from the turn') })");
  expect(status).toBe(1);
  expect(stderr).toMatch(/Error: from the turn/);
  expect(
    child(`process.on("uncaughtException", (e) => { process.stdout.write(e.message); process.exit(3); });
      watch(() => { throw new Error("caught there") })`),
  ).toMatchObject({ status: 3, stdout: "caught there" });
});

test("a worker with everything open ends cleanly, its main thread unharmed", () => {
  const { status, stdout, stderr } = child(`
    const source = \`const a = require(${JSON.stringify(addonPath)});
      const p = a.pollerOpen(() => {}, new Float64Array(3), new Float64Array([1]));
      a.pollerArmTimer(p);
      const u = a.udpOpen(4, 0, "127.0.0.1", 0, 0, 0, 1, new Float64Array(64));
      if (u !== 0) throw new Error(String(u));
      a.attachBatch(new ArrayBuffer(65536), 8, 8, 1, 1024);
      setTimeout(() => process.exit(5), 50);\`;
    let left = 3;
    const next = () => {
      const w = new Worker(source, { eval: true });
      w.on("error", (e) => { throw e; });
      w.on("exit", (code) => {
        process.stdout.write(String(code));
        if (--left > 0) next();
      });
    };
    next();`);
  expect(stderr).toBe("");
  expect({ status, stdout }).toEqual({ status: 0, stdout: "555" });
});

test("turns leave no garbage", () => {
  // A past deadline fires in every turn; young space is large enough never to be collected.
  const { stdout, stderr } = child(
    `const used = () => require("v8").getHeapSpaceStatistics().find((s) => s.space_name === "new_space").space_used_size;
    let turns = 0;
    let before = 0;
    const p = watch(() => {
      turns++;
      if (turns === 10_000) before = used();
      if (turns === 14_000) {
        const bytes = used() - before;
        process.stdout.write(String(bytes / 4000));
        a.pollerClose(p);
      }
      timer[0] = 1;
      a.pollerArmTimer(p);
    });`,
    "--min-semi-space-size=16",
  );
  expect(stderr).toBe("");
  expect(Number(stdout)).toBeGreaterThanOrEqual(0);
  // The statistics themselves make some; a round of libuv for every turn would be 56 bytes.
  expect(Number(stdout)).toBeLessThan(4);
});

test("absences: how long nobody looked, and what waited meanwhile", async () => {
  const cells = new Float64Array(ABSENCE_CELLS);
  const histogram = new Float64Array(3);
  const socket = busySocket(0);
  let queuedMs = -1;
  const p = poller(() => {
    queuedMs = cells[AbsenceCell.QueuedMs] as number;
    p.remove(socket.fd);
  });
  p.add(socket.fd, 1);
  watchAbsences(cells, histogram, [10, 1_000]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = cells[AbsenceCell.Count] as number;
  socket.sendBatch(outgoing({ endpoint: 0, datagrams: [dataMessage(1, 0n, 32)] }));
  const until50Ms = performance.now() + 50;
  while (performance.now() < until50Ms);
  await until("the datagram", () => queuedMs >= 0);
  expect(queuedMs).toBeGreaterThanOrEqual(50);
  expect(cells[AbsenceCell.MsMax]).toBeGreaterThanOrEqual(50);
  expect(cells[AbsenceCell.MsSum]).toBeGreaterThanOrEqual(50);
  expect(cells[AbsenceCell.Count]).toBeGreaterThan(before);
  expect(histogram[1]! + histogram[2]!).toBeGreaterThanOrEqual(1);
  expect(histogram.reduce((sum, n) => sum + n)).toBe(cells[AbsenceCell.Count]);
  expect(() => watchAbsences(new Float64Array(1), histogram, [10])).toThrow(/EINVAL/);
});
