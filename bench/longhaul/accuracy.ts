// Whether the emulator does on real devices what it is set to: numbered datagrams from end to end, by clock and by count.
import { setTimeout as sleep } from "node:timers/promises";
import type { Lab } from "../../src/demo/lab.js";
import { formatNumber, formatTable } from "../support/table.js";
import { unaccounted } from "./direction.js";
import { EmulatedLab, realTimeNode } from "./emulated-lab.js";
import { scenario } from "./scenarios.js";
import { linkSetting } from "./setting.js";

const PORT = 7_000;
const DATAGRAMS = 150_000;
const DATAGRAMS_A_MS = 10;
const DATAGRAM_BYTES = 100;
const RIGHT = "192.0.2.2";
const TOLERANCE = 0.05;
const SETTING = {
  ...{ rateMbps: 100, delayMs: 20, jitterMs: 2, queueMs: 50, lossPercent: 2, duplicatePercent: 1 },
  ...{ reorderPercent: 1, reorderMs: 2 },
} as const;

/** Both ends are on this machine: one monotonic clock. Each datagram carries its number and when it was sent. */
const SENDER = `
const socket = require("node:dgram").createSocket("udp4");
const datagram = Buffer.alloc(${DATAGRAM_BYTES});
let number = 0;
let started;
socket.connect(${PORT}, "${RIGHT}", () => {
  started = performance.now();
  const timer = setInterval(() => {
    const due = Math.min(${DATAGRAMS}, (performance.now() - started) * ${DATAGRAMS_A_MS});
    for (; number < due; number++) {
      datagram.writeUInt32LE(number, 0);
      datagram.writeBigUInt64LE(process.hrtime.bigint(), 4);
      socket.send(Buffer.from(datagram));
    }
    if (number < ${DATAGRAMS}) return;
    clearInterval(timer);
    setTimeout(() => socket.close(), 200);
  }, 1);
});
`;
const RECEIVER = `
const socket = require("node:dgram").createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
const seen = new Uint8Array(${DATAGRAMS});
const delays = [];
let [next, received, duplicates, reordered] = [0, 0, 0, 0];
socket.on("message", (message) => {
  const delayMs = Number(process.hrtime.bigint() - message.readBigUInt64LE(4)) / 1e6;
  const number = message.readUInt32LE(0);
  if (seen[number] === 1) { duplicates += 1; return; }
  seen[number] = 1;
  received += 1;
  if (number < next) { reordered += 1; return; }
  next = number + 1;
  delays.push(delayMs);
});
socket.bind(${PORT}, () => console.log("ready"));
process.stdin.on("data", () => {
  delays.sort((a, b) => a - b);
  const at = (share) => delays[Math.floor(share * delays.length)];
  // Of an even spread; whatever stalls on this machine is at the upper end.
  const rangeMs = (at(0.95) - at(0.05)) / 0.9 / 2;
  const quartilesMs = at(0.75) - at(0.25);
  console.log("result " + JSON.stringify({ received, duplicates, reordered, medianMs: at(0.5), rangeMs, quartilesMs }));
  socket.close();
  process.stdin.destroy();
});
`;

interface Arrived {
  readonly received: number;
  readonly duplicates: number;
  readonly reordered: number;
  readonly medianMs: number;
  readonly rangeMs: number;
  readonly quartilesMs: number;
}

interface Row {
  readonly what: string;
  readonly set: number;
  readonly measured: number;
  /** Of the set value. */
  readonly holds: boolean;
}

/** Measures. @param add  told of every lab that is made. @returns a table for people, and whether all of it holds */
export async function checkAccuracy(add: (lab: Lab) => void): Promise<{ text: string; holds: boolean }> {
  const rows = [...(await checkImpairments(add)), await checkPing(add)];
  const table = rows.map(({ what, set, measured, holds }) => [
    what,
    formatNumber(set),
    formatNumber(measured),
    holds ? "✓" : "✗",
  ]);
  const text = formatTable([["the emulator on real devices", "set", "measured", ""], ...table]);
  return { text, holds: rows.every(({ holds }) => holds) };
}

async function startLink(lab: EmulatedLab, add: (lab: Lab) => void) {
  add(lab);
  const [left, right] = [await lab.addHost("left"), await lab.addHost("right")];
  await lab.connect(
    { host: left, name: "eth0", addresses: ["192.0.2.1/24"] },
    { host: right, name: "eth0", addresses: [`${RIGHT}/24`] },
  );
  await left.try(["ping", "-c", "5", "-i", "0.1", RIGHT]); // neighbours known
  return { left, right, cable: lab.cables[0]! };
}

async function checkImpairments(add: (lab: Lab) => void): Promise<Row[]> {
  const lab = new EmulatedLab(linkSetting(SETTING), 1);
  try {
    const { left, right, cable } = await startLink(lab, add);
    const node = await realTimeNode(); // they look at the clock: they may not wait to do so
    const receiver = right.start([...node, "-e", RECEIVER]);
    await receiver.waitForOutput(/^ready$/m);
    await left.run([...node, "-e", SENDER], { timeoutMs: 120_000 });
    await sleep(1_000);
    receiver.child.stdin!.write("\n");
    const arrived = JSON.parse((await receiver.waitForOutput(/^result (.*)\n/m))[1]!) as Arrived;
    const { forward, backward } = await cable.report();
    const near = (what: string, set: number, measured: number): Row => {
      return { what, set, measured, holds: Math.abs(measured / set - 1) <= TOLERANCE };
    };
    const unexplained = Math.abs(unaccounted(forward)) + Math.abs(unaccounted(backward));
    return [
      near("loss, %", SETTING.lossPercent, 100 * (1 - arrived.received / DATAGRAMS)),
      near("reordered (RFC 4737), %", SETTING.reorderPercent, (100 * arrived.reordered) / arrived.received),
      near("duplicated, %", SETTING.duplicatePercent, (100 * arrived.duplicates) / arrived.received),
      near("one-way delay, median, ms", SETTING.delayMs, arrived.medianMs),
      near("jitter, ± ms, by 5th and 95th percentile", SETTING.jitterMs, arrived.rangeMs),
      near("jitter, ± ms, by quartiles", SETTING.jitterMs, arrived.quartilesMs),
      { what: "packets unexplained", set: 0, measured: unexplained, holds: unexplained === 0 },
    ];
  } finally {
    await lab.close();
  }
}

async function checkPing(add: (lab: Lab) => void): Promise<Row> {
  const { link, rttMs } = scenario("office");
  const lab = new EmulatedLab(link, 1);
  try {
    const { left } = await startLink(lab, add);
    const { stdout } = await left.try(["ping", "-n", "-i", "0.1", "-c", "30", RIGHT]);
    const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1])).sort((a, b) => a - b);
    const measured = times[times.length >> 1] ?? Number.NaN;
    return { what: "office, ping, median, ms", set: rttMs, measured, holds: Math.abs(measured - rttMs) <= 1 };
  } finally {
    await lab.close();
  }
}
