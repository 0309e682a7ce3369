// longhaul against wireguard-go, each in both roles: handshake, data of every kind, preshared keys, roaming, MTUs.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/gateway.js";
import { newPresharedKey } from "../support/keys.js";
import { longhaul, wireguardGo } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { iperf, moveBytes, ping } from "../support/traffic.js";

const tools = requireTools(["ip", "wg", "ping", "iperf3", "wireguard-go"]);
const families = [4, 6] as const;
/** Who speaks first is the initiator. */
const roles = [
  { name: "longhaul initiates", programs: [longhaul, wireguardGo] as const },
  { name: "wireguard-go initiates", programs: [wireguardGo, longhaul] as const },
];
const MEGABYTE = 1_000_000;
/** UDP loses what iperf3 is too slow for on a busy machine; what matters is that datagrams of the size come through. */
const MOST = 0.5;

describe.each(roles)("$name", tools, ({ programs }) => {
  describe.each(families)("over IPv%i", (outer) => {
    let pair: Pair;
    beforeAll(async () => {
      pair = await startPair({ programs, outer });
    });
    afterAll(() => pair?.lab.close());

    test("the first ping makes the handshake; both inner families come back", async () => {
      const { left, right } = pair;
      for (const family of families) {
        expect(await ping(left.host, right.address(family))).toBe(3);
        expect(await ping(right.host, left.address(family))).toBe(3);
      }
      expect((await left.peer()).latestHandshake).toBeGreaterThan(0);
      expect((await right.peer()).latestHandshake).toBeGreaterThan(0);
    });

    test.each(families)("IPv%i TCP arrives as it was sent, both ways", async (inner) => {
      const { left, right } = pair;
      expect(await moveBytes(left.host, right.host, right.address(inner), 20 * MEGABYTE)).toBe(20 * MEGABYTE);
      expect(await moveBytes(right.host, left.host, left.address(inner), 20 * MEGABYTE)).toBe(20 * MEGABYTE);
    });

    test("iperf3 TCP and UDP, both ways", async () => {
      const { left, right } = pair;
      for (const reverse of [false, true]) {
        const tcp = await iperf(left.host, right.host, right.address(), { bytes: 100 * MEGABYTE, reverse });
        expect(tcp.receivedBytes).toBeGreaterThanOrEqual(90 * MEGABYTE);
        const udp = await iperf(left.host, right.host, right.address(), {
          seconds: 1,
          udpBitsPerSecond: 10 * MEGABYTE,
          datagramBytes: 1_200,
          reverse,
        });
        expect(udp.sentDatagrams).toBeGreaterThan(500);
        expect(udp.lostDatagrams).toBeLessThan(udp.sentDatagrams * MOST);
      }
    });

    test("both ends count the same bytes", async () => {
      const { left, right } = pair;
      await eventually("counters agree", async () => {
        const [l, r] = [await left.peer(), await right.peer()];
        return l.sentBytes === r.receivedBytes && r.sentBytes === l.receivedBytes;
      });
    });
  });

  test("with a preshared key", async () => {
    const pair = await startPair({ programs, presharedKey: newPresharedKey() });
    try {
      expect(await ping(pair.left.host, pair.right.address())).toBe(3);
      expect(await moveBytes(pair.left.host, pair.right.host, pair.right.address(), MEGABYTE)).toBe(MEGABYTE);
    } finally {
      await pair.lab.close();
    }
  });

  test.each([1_280, 1_420, 8_920, 34_000])("MTU %i: TCP and UDP of both families", async (mtu) => {
    const pair = await startPair({ programs, mtu, underlayMtu: mtu + 80 });
    try {
      const { left, right } = pair;
      for (const family of families) {
        const overhead = family === 4 ? 28 : 48;
        expect(await ping(left.host, right.address(family), { payload: mtu - overhead, dontFragment: true })).toBe(3);
        expect(await moveBytes(left.host, right.host, right.address(family), 10 * MEGABYTE)).toBe(10 * MEGABYTE);
        expect(await moveBytes(right.host, left.host, left.address(family), 10 * MEGABYTE)).toBe(10 * MEGABYTE);
        const udp = await iperf(left.host, right.host, right.address(family), {
          seconds: 1,
          udpBitsPerSecond: 20 * MEGABYTE,
          datagramBytes: mtu - overhead,
        });
        expect(udp.sentDatagrams).toBeGreaterThan(50);
        expect(udp.lostDatagrams).toBeLessThan(udp.sentDatagrams * MOST);
      }
    } finally {
      await pair.lab.close();
    }
  });

  test("the left end changes its port and its address: the right one follows", async () => {
    const pair = await startPair({ programs });
    try {
      const { left, right } = pair;
      expect(await ping(left.host, right.address())).toBe(3);
      await left.set("listen-port", "40123");
      expect(await ping(left.host, right.address(), { count: 5 })).toBe(5);
      expect((await right.peer()).endpoint).toBe("192.0.2.1:40123");
      await left.host.ip("address del 192.0.2.1/24 dev eth0", "address add 192.0.2.77/24 dev eth0");
      await eventually(
        "pings from the new address",
        async () => (await ping(left.host, right.address())) === 3,
        20_000,
      );
      expect((await right.peer()).endpoint).toBe("192.0.2.77:40123");
      expect(await ping(right.host, left.address())).toBe(3);
    } finally {
      await pair.lab.close();
    }
  });

  test("the right end is killed and comes back: the left one finds it again", async () => {
    const pair = await startPair({ programs });
    try {
      const { left, right } = pair;
      expect(await ping(left.host, right.address())).toBe(3);
      await right.kill("SIGKILL");
      await right.restart();
      await eventually("pings after the restart", async () => (await ping(right.host, left.address())) === 3, 20_000);
      await eventually("and back", async () => (await ping(left.host, right.address())) === 3, 20_000);
    } finally {
      await pair.lab.close();
    }
  });
});
