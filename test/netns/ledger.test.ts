// Where packets went, told by real daemons: over a relay that loses, doubles and reorders by count, and in a host whose daemon stands
// still while packets come.

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, type Gateway, INTERFACE } from "../support/gateway.js";
import { dropped, everythingIsAccountedFor, status } from "../support/ledger.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";
import { MessageType, startWiredPair, type WiredPair } from "../support/wire.js";

const tools = requireTools(["ip", "wg", "ping"]);

const path = async (gateway: Gateway) => (await status(gateway)).peers[0]!.path;
/** One ping, and what was missing before it is known to be missing once it has settled. */
async function settle({ left, right }: WiredPair): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await sleep(1_100);
    await ping(left.host, right.address(), { count: 1 });
  }
}

describe("between two daemons", tools, () => {
  let pair: WiredPair;
  beforeAll(async () => {
    pair = await startWiredPair({ programs: [longhaul, longhaul] });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterAll(() => pair?.lab.close());

  test("loss, duplicates and reordering are told as the relay made them", async () => {
    const { left, right, wire } = pair;
    const blast = (count: number): Promise<number> =>
      ping(left.host, right.address(), { count, intervalS: 0.002, waitS: 1 });
    const before = await path(right);

    await wire.rules("left", { only: MessageType.Data, dropEvery: 10 });
    await blast(400);
    await wire.rules("left", { only: MessageType.Data, duplicateEvery: 10 });
    await blast(200);
    await wire.rules("left", { only: MessageType.Data, reorder: 2 });
    await blast(200);
    await wire.rules("left");
    await settle(pair);
    const after = await path(right);
    expect(after.lost - before.lost).toBe(40);
    expect(after.lossBursts - before.lossBursts).toBe(40);
    expect(after.duplicates - before.duplicates).toBe(20);
    // The relay sends a pair on in order when its second half is late.
    expect(after.reordered).toBeGreaterThan(before.reordered);
    expect(after.reordered - before.reordered).toBeLessThanOrEqual(101);
    expect((await path(left)).lost).toBe(0);
    const { loop, offloads } = await status(right);
    expect(loop.turns).toBeGreaterThan(0);
    expect(loop.absences).toBeGreaterThan(0);
    expect(loop.queuedPackets).toBe(offloads.udpReceivedDatagrams + offloads.tunReadPackets);
    await everythingIsAccountedFor(pair.left, pair.right);
  });

  test("what a daemon that stands still lets overflow has its row", async () => {
    const { left, right } = pair;
    await left.host.ip(`link set ${INTERFACE} txqueuelen 50`);
    for (const pid of left.daemonPids) process.kill(pid, "SIGSTOP");
    try {
      await ping(left.host, right.address(), { count: 200, intervalS: 0.002, waitS: 1 });
    } finally {
      for (const pid of left.daemonPids) process.kill(pid, "SIGCONT");
    }
    const [link] = JSON.parse(await left.host.run(["ip", "-json", "-s", "link", "show", INTERFACE])) as [
      { stats64: { tx: { dropped: number } } },
    ];
    const lost = link.stats64.tx.dropped;
    expect(lost).toBeGreaterThanOrEqual(100);
    await eventually("the interface's drops are in the ledger", async () => {
      const { ledger } = await status(left);
      return dropped(ledger.outbound.drops, "tun_queue_full") === lost;
    });
    await everythingIsAccountedFor(pair.left, pair.right);
  });

  test("what the sender's firewall forbids has its row at the sender", async () => {
    const { left, right } = pair;
    await left.host.ip("rule add to 192.0.2.254 ipproto udp prohibit");
    await ping(left.host, right.address(), { count: 5, waitS: 1 });
    await left.host.ip("rule del to 192.0.2.254 ipproto udp prohibit");
    const { ledger, peers } = await status(left);
    expect(dropped(ledger.outbound.drops, "send_forbidden")).toBeGreaterThanOrEqual(5);
    expect(peers[0]!.drops.lastSendRefusedReason).toBe("send_forbidden");
    await everythingIsAccountedFor(pair.left, pair.right);
  });

  test.each(["10.9.0.77", "fd09::77"])(
    "a host that asks for %s, which no peer has, is told so at once",
    async (address) => {
      const { left } = pair;
      const { stdout } = await left.host.try(["ping", "-n", "-c", "1", "-W", "5", address]);
      expect(stdout).toMatch(/unreachable/i);
      await everythingIsAccountedFor(pair.left, pair.right);
    },
  );
});
