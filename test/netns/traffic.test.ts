// Pings and TCP through two longhaul daemons: both families inside and outside, every size of MTU, and outer packets
// that the path fragments.
import { aeadBackends } from "tun-tap-ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aeadChoices } from "../../src/config/daemon-choices.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { interfaceCounters, moveBytes, ping } from "../support/traffic.js";

const programs = [longhaul, longhaul] as const;
const families = [4, 6] as const;
const tools = requireTools(["ip", "wg", "ping"]);

describe.each(families)("IPv%i outside", tools, (outer) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ programs, outer });
  });
  afterAll(() => pair?.lab.close());

  test.each(families)("IPv%i pings come back, both ways", async (inner) => {
    const { left, right } = pair;
    expect(await ping(left.host, right.address(inner))).toBe(3);
    expect(await ping(right.host, left.address(inner))).toBe(3);
  });

  test.each(families)("IPv%i TCP carries every byte, both ways", async (inner) => {
    const { left, right } = pair;
    expect(await moveBytes(left.host, right.host, right.address(inner), 10_000_000)).toBe(10_000_000);
    expect(await moveBytes(right.host, left.host, left.address(inner), 10_000_000)).toBe(10_000_000);
  });

  test("the daemons count what they carried", async () => {
    const { left, right } = pair;
    expect((await left.peer()).latestHandshake).toBeGreaterThan(Date.now() / 1_000 - 120);
    expect((await left.peer()).sentBytes).toBeGreaterThan(20_000_000);
    expect((await left.peer()).sentBytes).toBe((await right.peer()).receivedBytes);
    expect((await right.peer()).sentBytes).toBe((await left.peer()).receivedBytes);
  });
});

/** What `--aead` takes, as far as this machine has it: "native" stands for whatever vector code fits the CPU. */
const availableAeads = aeadChoices.filter((name) => aeadBackends().some((backend) => backend.startsWith(name)));

describe("every way of moving and sealing bytes", tools, () => {
  const ways = [
    ...availableAeads.map((name) => ({ way: `AEAD by ${name}`, program: { ...longhaul, options: ["--aead", name] } })),
    { way: "no offloads", program: { ...longhaul, env: { LONGHAUL_OFFLOADS: "off" } } },
  ];
  const cases = ways.flatMap(({ way, program }) => [
    { title: `${way}, against the default`, programs: [program, longhaul] as const },
    { title: `${way}, at both ends`, programs: [program, program] as const },
  ]);

  test.each(cases)("$title", async ({ programs }) => {
    const pair = await startPair({ programs });
    try {
      const { left, right } = pair;
      expect(await ping(left.host, right.address())).toBe(3);
      expect(await moveBytes(left.host, right.host, right.address(), 5_000_000)).toBe(5_000_000);
      expect(await moveBytes(right.host, left.host, left.address(6), 5_000_000)).toBe(5_000_000);
    } finally {
      await pair.lab.close();
    }
  });
});

describe("MTU", tools, () => {
  // the tunnel's MTU, and the least underlay that carries its packets whole over IPv4
  test.each([576, 1_280, 1_420, 4_000, 8_920, 9_000, 34_000])("%i bytes: whole packets, no fragments", async (mtu) => {
    const pair = await startPair({ programs, mtu, underlayMtu: Math.max(mtu + 60, 1_280) });
    try {
      const { left, right } = pair;
      const payload = mtu - 28;
      expect(await ping(left.host, right.address(), { payload, dontFragment: true })).toBe(3);
      expect(
        (await left.host.try(["ping", "-c1", "-M", "do", "-s", String(payload + 1), right.address()])).status,
      ).not.toBe(0);
      expect(await moveBytes(left.host, right.host, right.address(), 5_000_000)).toBe(5_000_000);
      if (mtu >= 1_280) expect(await ping(left.host, right.address(6), { payload: mtu - 48 })).toBe(3);
      expect(await fragmentsCreated(left.host)).toBe(0);
    } finally {
      await pair.lab.close();
    }
  });

  test.each(families)("outer IPv%i packets that are fragmented on the way arrive", async (outer) => {
    const pair = await startPair({ programs, mtu: 4_000, underlayMtu: 1_500, outer });
    try {
      const { left, right } = pair;
      expect(await ping(left.host, right.address(), { payload: 3_900 })).toBe(3);
      expect(await ping(right.host, left.address(6), { payload: 3_900 })).toBe(3);
      expect(await fragmentsCreated(left.host)).toBeGreaterThan(0);
      expect(await moveBytes(left.host, right.host, right.address(), 400_000)).toBe(400_000);
    } finally {
      await pair.lab.close();
    }
  });

  test("the largest inner packet, 65,455 bytes, goes through a 65,535-byte underlay", async () => {
    const pair = await startPair({ programs, mtu: 65_455, underlayMtu: 65_535 });
    try {
      const { left, right } = pair;
      expect(await ping(left.host, right.address(), { payload: 65_455 - 28, dontFragment: true })).toBe(3);
      expect((await interfaceCounters(right.host, "wg0")).rxPackets).toBeGreaterThanOrEqual(3);
    } finally {
      await pair.lab.close();
    }
  });
});

/** Fragments that the host's kernel has made, both families. */
async function fragmentsCreated(host: Pair["left"]["host"]): Promise<number> {
  const ipv6 = await host.run(["sh", "-c", "cat /proc/net/snmp6"]);
  const ipv4 = (await host.run(["sh", "-c", "grep ^Ip: /proc/net/snmp"])).trim().split("\n");
  const column = ipv4[0]!.split(" ").indexOf("FragCreates");
  return Number(ipv4[1]!.split(" ")[column]) + Number(ipv6.match(/Ip6FragCreates\s+(\d+)/)![1]);
}
