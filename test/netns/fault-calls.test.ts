// Every way in which the kernel may refuse a datagram or a packet, at a real daemon: what was lost has its row in the ledger, to the
// packet; the daemon goes on, says so in a few lines of its log, and sends again as soon as it may. docs/faults.md has the table.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Errno, FaultyCalls, FaultyLibrary } from "../support/faulty-calls.js";
import { eventually, type Gateway } from "../support/gateway.js";
import { dropped, everythingIsAccountedFor, status } from "../support/ledger.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { interfaceCounters, moveBytes, ping } from "../support/traffic.js";

const PINGS = 3;
/** Far shorter than the time after which a peer that does not answer is asked for new keys. */
const lost = { count: PINGS, waitS: 0.2 };

const sendErrnos: ReadonlyArray<readonly [Errno, string]> = [
  ["EPERM", "send_forbidden"],
  ["EACCES", "send_forbidden"],
  ["ENETUNREACH", "send_unreachable"],
  ["EHOSTUNREACH", "send_unreachable"],
  ["ENETDOWN", "send_unreachable"],
  ["ECONNREFUSED", "send_unreachable"],
  ["EADDRNOTAVAIL", "send_unreachable"],
  ["EMSGSIZE", "send_too_large"],
  ["EINVAL", "send_failed"],
  ["EIO", "send_failed"],
  ["ENOMEM", "send_failed"],
  ["ENOBUFS", "send_no_buffers"],
  ["EAGAIN", "send_would_block"],
  ["EAFNOSUPPORT", "send_no_socket"],
];
const writeErrnos: ReadonlyArray<readonly [Errno, string]> = [
  ["EIO", "interface_down"],
  ["EINVAL", "tun_write_failed"],
  ["ENOBUFS", "tun_write_failed"],
  ["ENOMEM", "tun_write_failed"],
  ["EAGAIN", "tun_write_failed"],
  ["EBADF", "tun_write_failed"],
  ["EFAULT", "tun_write_failed"],
];
/** What is told at level info: losses in this host. An interface that is down is no loss. */
const toldReasons = new Set([...sendErrnos, ["EINVAL", "tun_write_failed"]].map(([, reason]) => reason));

/** Moves a file and does `disturb` a few times while it is under way. @returns bytes that arrived. */
async function moveDisturbed(from: Gateway, to: Gateway, disturb: (turn: number) => void): Promise<number> {
  const before = await interfaceCounters(to.host, "wg0");
  const moving = moveBytes(from.host, to.host, to.address(), 30_000_000);
  await eventually("it moves", async () => {
    return (await interfaceCounters(to.host, "wg0")).rxPackets > before.rxPackets + 50;
  });
  for (let turn = 0; turn < 20; turn++) {
    disturb(turn);
    await sleep(4);
  }
  return moving;
}

describe("calls that fail", requireTools(["ip", "wg", "ping", "g++"]), () => {
  const library = new FaultyLibrary();
  let pair: Pair;
  let calls: FaultyCalls;
  beforeAll(async () => {
    pair = await startPair({
      programs: [library.in({ ...longhaul, env: { LOG_LEVEL: "info" } }), longhaul],
      prepare: async (host) => {
        if (host.name === "left") calls = await FaultyCalls.prepare(host);
      },
    });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterAll(async () => {
    await pair?.lab.close();
    library.remove();
  });

  const tunnelWorks = async (): Promise<void> => {
    expect(await ping(pair.left.host, pair.right.address(), { count: 2 })).toBe(2);
    expect(pair.left.host.processes()).toEqual(expect.arrayContaining([...pair.left.daemonPids]));
  };

  test.each(sendErrnos)("a send that fails with %s is %s, and works again afterwards", async (errno, reason) => {
    const { left, right } = pair;
    const before = await status(left);
    calls.fail("udpSend", errno);
    expect(await ping(left.host, right.address(), lost)).toBe(0);
    calls.mend("udpSend");
    const { ledger, peers } = await status(left);
    expect(dropped(ledger.outbound.drops, reason) - dropped(before.ledger.outbound.drops, reason)).toBe(PINGS);
    expect(peers[0]!.drops.lastSendRefusedReason).toBe(reason);
    await everythingIsAccountedFor(left);
    await tunnelWorks();
  });

  test.each(writeErrnos)("a TUN write that fails with %s is %s, and works again afterwards", async (errno, reason) => {
    const { left, right } = pair;
    const before = await status(left);
    calls.fail("tunWrite", errno);
    expect(await ping(right.host, left.address(), lost)).toBe(0);
    calls.mend("tunWrite");
    const { ledger } = await status(left);
    expect(dropped(ledger.inbound.drops, reason) - dropped(before.ledger.inbound.drops, reason)).toBe(PINGS);
    await everythingIsAccountedFor(left);
    await tunnelWorks();
  });

  test("merged packets that the device refuses are written singly: nothing is lost", async () => {
    const { left, right } = pair;
    const before = await status(left);
    // each refusal takes one call, and the next ones write what it held
    expect(await moveDisturbed(right, left, () => calls.fail("tunWrite", "EINVAL", 1))).toBe(30_000_000);
    calls.mend("tunWrite");
    const { offloads } = await status(left);
    expect(offloads.tunRetriedUncoalesced).toBeGreaterThan(before.offloads.tunRetriedUncoalesced);
    await everythingIsAccountedFor(left);
  });

  test.each(["ENOMEM", "ECONNREFUSED", "EINTR"] as const)("receives that fail with %s lose nothing", async (errno) => {
    const { left, right } = pair;
    const before = calls.mend("udpReceive");
    calls.fail("udpReceive", errno, 5);
    expect(await ping(left.host, right.address())).toBe(3);
    expect(calls.mend("udpReceive") - before).toBeGreaterThan(0);
    await everythingIsAccountedFor(left);
  });

  test.each(["EIO", "ENOMEM", "EFAULT", "EBADF", "EINTR"] as const)(
    "TUN reads that fail with %s lose nothing",
    async (errno) => {
      const { left, right } = pair;
      const before = calls.mend("tunRead");
      calls.fail("tunRead", errno, 5);
      expect(await ping(left.host, right.address())).toBe(3);
      expect(calls.mend("tunRead") - before).toBe(5);
      await everythingIsAccountedFor(left);
    },
  );

  test("TUN reads that fail for a second do not make the loop spin; what waited goes then", async () => {
    const { left, right } = pair;
    const before = await status(left);
    calls.fail("tunRead", "EIO");
    const replies = ping(left.host, right.address(), { count: 5, intervalS: 0.2, waitS: 3 });
    await sleep(1_000);
    const { loop } = await status(left);
    expect(loop.absences - before.loop.absences).toBeLessThan(2_000);
    calls.mend("tunRead");
    expect(await replies).toBe(5);
    const told = (await left.log()).split("\n").filter((line) => line.includes("cannot be read")).length;
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(5);
    await everythingIsAccountedFor(left);
    await tunnelWorks();
  });

  test("a stream goes on when sends fail now and then", async () => {
    const { left, right } = pair;
    const before = calls.mend("udpSend");
    const disturb = (turn: number): void => calls.fail("udpSend", sendErrnos[turn % sendErrnos.length]![0], 2);
    expect(await moveDisturbed(left, right, disturb)).toBe(30_000_000);
    expect(calls.mend("udpSend") - before).toBeGreaterThan(5);
    await everythingIsAccountedFor(left);
  });

  test("the log names each reason, a line in ten seconds at most", async () => {
    const { left } = pair;
    const lines = async (): Promise<string[]> =>
      (await left.log()).split("\n").filter((line) => line.includes("packets lost in this host"));
    const linesOf = (all: readonly string[], reason: string): number =>
      all.filter((line) => line.includes(`"reason":"${reason}"`)).length;
    await eventually("all are named", async () => {
      const all = await lines();
      return [...toldReasons].every((reason) => linesOf(all, reason) > 0);
    });
    const all = await lines();
    for (const reason of toldReasons) expect(linesOf(all, reason), reason).toBeLessThanOrEqual(3);
  });
});
