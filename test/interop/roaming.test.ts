// Roaming between longhaul and wireguard-go: each follows the other by address and by port, and hostile datagrams
// from one's network do the other no harm.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { longhaul, wireguardGo } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { endpoint } from "../support/site.js";
import { interfaceCounters, ping } from "../support/traffic.js";
import { MessageType, startWiredPair, WIRE_PORT, type WiredPair, wireAddresses } from "../support/wire.js";

const tools = requireTools(["ip", "wg", "ping", "wireguard-go"]);
const roles = [
  { mover: longhaul, follower: wireguardGo },
  { mover: wireguardGo, follower: longhaul },
];

describe.each(roles)("$follower.name follows $mover.name", tools, ({ mover, follower }) => {
  let pair: WiredPair;
  beforeAll(async () => {
    pair = await startWiredPair({ programs: [mover, follower] });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterAll(() => pair?.lab.close());

  test.each([
    ["port", wireAddresses.right, WIRE_PORT + 1],
    ["address", wireAddresses.spareRight, WIRE_PORT + 1],
    ["address and port", wireAddresses.right, WIRE_PORT],
  ])("to another %s", async (_, address, port) => {
    const { left, right, wire } = pair;
    await wire.rebind("right", port, address);
    expect(await ping(left.host, right.address())).toBe(3);
    expect((await right.peer()).endpoint).toBe(endpoint(address, port));
    expect(await ping(right.host, left.address())).toBe(3);
  });

  test("replayed data is delivered once, doubled and reordered data too", async () => {
    const { left, right, wire } = pair;
    await wire.forget();
    expect(await ping(left.host, right.address(), { count: 5 })).toBe(5);
    const before = await interfaceCounters(right.host, "wg0");
    await wire.replay("left", MessageType.Data, 3);
    expect((await interfaceCounters(right.host, "wg0")).rxPackets).toBe(before.rxPackets);
    await wire.rules("left", { duplicateEvery: 1, reorder: 4 });
    expect(await ping(left.host, right.address(), { count: 10, intervalS: 0.01 })).toBe(10);
    await wire.rules("left");
  });
});
