// Clocks that are wrong by decades, on real daemons and against a peer that remembers the right time.
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import type { Gateway } from "../support/gateway.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const preload = fileURLToPath(new URL("../support/wrong-clock.cjs", import.meta.url));
const clocked = { ...longhaul, env: { NODE_OPTIONS: `--require=${preload}` } };
const YEARS_12_MS = 12 * 365.25 * 86_400_000;

const setClock = (gateway: Gateway, offsetMs: number): Promise<void> =>
  gateway.host.writeFile("/run/clock-offset", String(offsetMs));

describe("a wrong clock", requireTools(["ip", "wg", "ping"]), () => {
  let pair: Pair | undefined;
  afterEach(async () => {
    await pair?.lab.close();
    pair = undefined;
  });

  test("1970 after a crash: the peer that remembers today answers", async () => {
    pair = await startPair({ programs: [clocked, longhaul] });
    const { left, right } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    await left.kill("SIGKILL");
    await setClock(left, -Date.now());
    await left.restart();
    expect(await ping(left.host, right.address())).toBe(3);
    expect(await left.log()).not.toMatch(/cannot keep/);
  });

  test("2038 for a while does not lock the key out, not even for a daemon that knows nothing of it", async () => {
    pair = await startPair({ programs: [clocked, longhaul] });
    const { left, right } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    await left.kill("SIGTERM");
    await setClock(left, YEARS_12_MS);
    await left.restart();
    expect(await ping(left.host, right.address())).toBe(3);
    expect(await left.log()).toMatch(/the clock is far ahead of the last known time/);
    await left.kill("SIGTERM");
    await setClock(left, 0);
    await left.host.run(["rm", "-r", "/var/lib/longhaul"]);
    await left.restart();
    expect(await ping(left.host, right.address())).toBe(3);
  });

  test("a full disk: the tunnel works, and the log says what is at stake", async () => {
    const spoil =
      "mount -t tmpfs -o size=8k full /var/lib/longhaul && ! head -c 65536 /dev/zero >/var/lib/longhaul/zero";
    pair = await startPair({ programs: [clocked, longhaul] });
    const { left, right } = pair;
    await left.kill("SIGTERM");
    await left.host.run(["sh", "-c", `mkdir -p /var/lib/longhaul && ${spoil}`]);
    await left.restart();
    expect(await ping(left.host, right.address())).toBe(3);
    expect(await left.log()).toMatch(/cannot keep handshake timestamps on disk/);
    await left.kill("SIGTERM");
    await left.host.run(["umount", "/var/lib/longhaul"]);
  });
});
