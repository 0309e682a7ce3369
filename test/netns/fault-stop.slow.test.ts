// A daemon that stands still for ten minutes, longer than any key lives, while its peer and its own host go on sending.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/gateway.js";
import { everythingIsAccountedFor, status } from "../support/ledger.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const STOPPED_MS = 600_000;
const talking = { ...longhaul, env: { LOG_LEVEL: "info" } };

describe("stopped for long", requireTools(["ip", "wg", "ping"]), () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ programs: [talking, talking] });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterAll(() => pair?.lab.close());

  test("SIGSTOP for 10 min: within seconds packets pass both ways with new keys, and what was lost is accounted for", async () => {
    const { left, right } = pair;
    const handshakes = async (): Promise<number> => (await status(left)).peers[0]!.handshakes.completed;
    const before = await handshakes();
    for (const pid of left.daemonPids) process.kill(pid, "SIGSTOP");
    const senders = [
      left.host.start(["ping", "-n", "-q", "-i", "1", right.address()], { input: "" }),
      right.host.start(["ping", "-n", "-q", "-i", "1", left.address()], { input: "" }),
    ];
    await sleep(STOPPED_MS);
    for (const sender of senders) await sender.stop("SIGINT");
    expect((await status(right)).peers[0]!.handshakes.initiationsUnanswered).toBeGreaterThan(10);
    for (const pid of left.daemonPids) process.kill(pid, "SIGCONT");
    // what waited in its socket is answered first, and is too old for its peer, which asks again after REKEY_TIMEOUT
    const passes = async (): Promise<boolean> => (await ping(left.host, right.address(), { count: 1, waitS: 1 })) === 1;
    await eventually("packets pass", passes, 15_000);
    expect(await ping(left.host, right.address())).toBe(3);
    expect(await ping(right.host, left.address())).toBe(3);
    expect(await handshakes()).toBeGreaterThan(before);
    expect((await right.peer()).latestHandshake).toBeGreaterThan(0);
    expect(left.host.processes()).toEqual(expect.arrayContaining([...left.daemonPids]));
    await everythingIsAccountedFor(left, right);
  });
});
