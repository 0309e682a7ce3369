// What a daemon says of the path, which it only listens to, beside what the emulated link did: thousands of datagrams under random
// loss, bursts, duplicates, reordering and jitter, whose true numbers the emulator's ledger has.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { DirectionCounts } from "../../bench/longhaul/direction.js";
import { EmulatedLab } from "../../bench/longhaul/emulated-lab.js";
import { linkSetting } from "../../bench/longhaul/setting.js";
import { root } from "../../bench/support/root.js";
import { askControl } from "../../src/daemon/control-client.js";
import type { StatusDocument } from "../../src/metrics/status.js";
import { type Gateway, INTERFACE } from "../support/gateway.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const DATAGRAMS = 12_000;
/** Six a millisecond, whenever it gets the processor; nobody listens where they go. */
const SENDER = `
const socket = require("node:dgram").createSocket("udp4");
const [, address, count] = process.argv;
const started = performance.now();
let sent = 0;
const timer = setInterval(() => {
  const due = Math.min(count, 6 * (performance.now() - started), sent + 100);
  for (; sent < due; sent++) socket.send(Buffer.alloc(1000), 9, address);
  if (sent < count) return;
  clearInterval(timer);
  setTimeout(() => socket.close(), 200);
}, 1);`;
/** Frames of the link that are no transport data, and losses behind which nothing came any more. */
const STRAYS = 4;

describe("the path as a daemon sees it", requireTools(["ip", "wg", "ping"]), () => {
  let lab: EmulatedLab | undefined;
  beforeAll(() =>
    promisify(execFile)(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.bench.json"],
      { cwd: root },
    ),
  );
  afterEach(() => lab?.close());

  async function facts(pair: Pair): Promise<{ link: DirectionCounts; status: StatusDocument }> {
    return { link: (await lab!.cables[0]!.report()).forward, status: await statusOf(pair.right) };
  }

  test("is the path as it was", async () => {
    const setting = {
      ...{ rateMbps: 100, delayMs: 5, jitterMs: 3, lossPercent: 1, duplicatePercent: 1 },
      ...{ reorderPercent: 1, reorderMs: 2 },
      burstLoss: { enterPercent: 0.1, leavePercent: 25, lossPercent: 100 },
    };
    lab = new EmulatedLab(linkSetting(setting), 7);
    const pair = await startPair({ programs: [longhaul, longhaul], lab });
    const { left, right } = pair;
    while ((await ping(left.host, right.address(), { count: 1, waitS: 1 })) === 0);
    const before = await facts(pair);
    await left.host.run([process.execPath, "-e", SENDER, right.address(), String(DATAGRAMS)]);
    for (let i = 0; i < 3; i++) {
      await sleep(1_100); // a gap is a loss once it is a second old and something came behind it
      await ping(left.host, right.address(), { count: 2, waitS: 0.5 });
    }
    const after = await facts(pair);

    const link = (key: keyof DirectionCounts): number => after.link[key] - before.link[key];
    const [was, is] = [before.status.peers[0]!.path, after.status.peers[0]!.path];
    const lost = is.lost - is.late - (was.lost - was.late);
    const truth = link("lost") + link("lostInBurst") + link("queueFull");
    expect(truth).toBeGreaterThan(100);
    expect(Math.abs(lost - truth), `${lost} lost, in truth ${truth}`).toBeLessThanOrEqual(STRAYS);
    const duplicates = is.duplicates - was.duplicates;
    expect(Math.abs(duplicates - link("duplicated")), "duplicates").toBeLessThanOrEqual(STRAYS);
    // One that was held back and that nothing overtook in that time is in order.
    const reordered = is.reordered - was.reordered;
    expect(reordered).toBeLessThanOrEqual(link("reordered"));
    expect(reordered).toBeGreaterThan(0.5 * link("reordered"));
    expect(is.lossBurstMax).toBeGreaterThan(1);
    const received = is.received - was.received;
    expect(received + lost).toBeGreaterThanOrEqual(DATAGRAMS);
    expect(received + lost).toBeLessThan(DATAGRAMS + 50); // and the pings
    const { roundTrip } = after.status.peers[0]!;
    expect(roundTrip.leastSeconds! * 1_000).toBeGreaterThanOrEqual(10 - 6); // of delay less jitter, there and back
    const { ledger } = after.status;
    expect([ledger.inbound.unaccounted, ledger.outbound.unaccounted]).toEqual([0, 0]);
  });
});

async function statusOf({ host }: Gateway): Promise<StatusDocument> {
  const { text } = await askControl(INTERFACE, "GET", "/status.json", host.path("/run/longhaul"));
  return JSON.parse(text) as StatusDocument;
}
