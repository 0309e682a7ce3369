// Daemons that are killed and started again, on either side and by every signal: the tunnel comes back by itself.
import { afterEach, describe, expect, test } from "vitest";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const programs = [longhaul, longhaul] as const;

describe("restart", requireTools(["ip", "wg", "ping"]), () => {
  let pair: Pair | undefined;
  afterEach(async () => {
    await pair?.lab.close();
    pair = undefined;
  });

  test.each([
    ["SIGTERM", "left"],
    ["SIGTERM", "right"],
    ["SIGKILL", "left"],
    ["SIGKILL", "right"],
  ] as const)("after %s of the daemon on the %s, which speaks first", async (signal, side) => {
    pair = await startPair({ programs });
    const [restarted, other] = side === "left" ? [pair.left, pair.right] : [pair.right, pair.left];
    expect(await ping(other.host, restarted.address())).toBe(3);
    const handshake = (await other.peer()).latestHandshake;
    await restarted.kill(signal); // SIGKILL leaves the socket file, which the next daemon must replace
    await restarted.restart();
    expect(await ping(restarted.host, other.address())).toBe(3);
    expect((await restarted.peer()).latestHandshake).toBeGreaterThanOrEqual(handshake);
    expect(await ping(other.host, restarted.address())).toBe(3);
  });

  test("the other side notices that a restarted daemon has lost its keys, and renews them", async () => {
    pair = await startPair({ programs });
    const { left, right } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    await right.kill("SIGKILL");
    await right.restart();
    // left still sends on the lost keypair; 15 s without an answer make it handshake anew
    expect(await ping(left.host, right.address(), { count: 100, intervalS: 0.2, waitS: 1 })).toBeGreaterThan(5);
    expect((await right.peer()).latestHandshake).toBeGreaterThan(0);
  });

  test("both at once", async () => {
    pair = await startPair({ programs });
    const { left, right } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    await Promise.all([left.kill("SIGKILL"), right.kill("SIGKILL")]);
    await Promise.all([left.restart(), right.restart()]);
    expect(await ping(left.host, right.address())).toBe(3);
    expect(await ping(right.host, left.address())).toBe(3);
  });
});
