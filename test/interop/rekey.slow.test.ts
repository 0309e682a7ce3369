// Rekeys with wireguard-go, in real time: both roles, a ping that must not lose a packet while keys change.
import { describe, expect, test } from "vitest";
import { longhaul, wireguardGo } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const SECONDS = 270;
const INTERVAL_S = 0.2;

describe("rekeys", requireTools(["ip", "wg", "ping", "wireguard-go"]), () => {
  test.each([
    ["longhaul initiates", [longhaul, wireguardGo] as const],
    ["wireguard-go initiates", [wireguardGo, longhaul] as const],
    ["longhaul at both ends", [longhaul, longhaul] as const],
  ])("%s: four and a half minutes, two rekeys, no packet lost", async (_, programs) => {
    const pair = await startPair({ programs });
    try {
      const count = SECONDS / INTERVAL_S;
      expect(await ping(pair.left.host, pair.right.address(), { count: 2 })).toBe(2);
      const first = (await pair.left.peer()).latestHandshake;
      expect(await ping(pair.left.host, pair.right.address(), { count, intervalS: INTERVAL_S })).toBe(count);
      expect((await pair.left.peer()).latestHandshake).toBeGreaterThanOrEqual(first + 240);
    } finally {
      await pair.lab.close();
    }
  });
});
