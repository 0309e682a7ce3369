// Congestion marks across the tunnel, RFC 6040: copied outwards, merged inwards, and never made up. Diffserv code
// points stay inside. The kernel's packet filter marks and counts.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const families = [4, 6] as const;
/** The ECN field's values as ping's -Q takes them, behind DSCP AF11, which must not show outside. */
const AF11 = 10 << 2;
const ECT1 = 1;
const ECT0 = 2;
const CE = 3;

describe.each(families)("IPv%i outside", requireTools(["ip", "wg", "ping", "nft"]), (outer) => {
  let pair: Pair;
  const outside = outer === 4 ? "ip" : "ip6";
  beforeAll(async () => {
    pair = await startPair({ programs: [longhaul, longhaul], outer });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
    await nft(pair.left.host, [
      "add table inet seen",
      "add chain inet seen out { type filter hook output priority 0; }",
      ...["not-ect", "ect1", "ect0", "ce"].map((mark) => `add counter inet seen ${mark.replace("-", "_")}`),
      "add counter inet seen dscp",
      ...["not-ect", "ect1", "ect0", "ce"].map(
        (mark) =>
          `add rule inet seen out udp sport 51820 ${outside} ecn ${mark} counter name ${mark.replace("-", "_")}`,
      ),
      `add rule inet seen out udp sport 51820 ${outside} dscp af11 counter name dscp`,
    ]);
    await nft(pair.right.host, [
      "add table inet marking",
      "add chain inet marking in { type filter hook prerouting priority -300; }",
      "add table inet seen",
      "add chain inet seen in { type filter hook input priority 0; }",
      "add counter inet seen ce",
      'add rule inet seen in iifname "wg0" ip ecn ce counter name ce',
      'add rule inet seen in iifname "wg0" ip6 ecn ce counter name ce',
    ]);
  });
  afterAll(() => pair?.lab.close());
  beforeEach(async () => {
    for (const { host } of [pair.left, pair.right])
      await host.run(["nft", "reset", "counters", "table", "inet", "seen"]);
    await pair.right.host.run(["nft", "flush", "chain", "inet", "marking", "in"]);
  });

  /** Pings with a type of service. @returns replies */
  async function pingWith(tos: number, inner: 4 | 6): Promise<number> {
    const words = ["ping", "-n", "-c", "3", "-i", "0.05", "-W", "1", "-Q", String(tos), pair.right.address(inner)];
    return Number((await pair.left.host.try(words)).stdout.match(/(\d+) received/)![1]);
  }

  /** Every tunnel packet that reaches the right gateway has met congestion. */
  const congest = (): Promise<void> =>
    nft(pair.right.host, [`add rule inet marking in udp dport 51820 ${outside} ecn set ce`]);

  test.each(
    families.flatMap((inner) => [
      { inner, tos: AF11, counter: "not_ect" },
      { inner, tos: AF11 | ECT1, counter: "ect1" },
      { inner, tos: AF11 | ECT0, counter: "ect0" },
      { inner, tos: AF11 | CE, counter: "ce" },
    ]),
  )("type of service $tos of inner IPv$inner: outside $counter, and no code point", async ({ inner, tos, counter }) => {
    expect(await pingWith(tos, inner)).toBe(3);
    expect(await packets(pair.left.host, counter)).toBeGreaterThanOrEqual(3);
    expect(await packets(pair.left.host, "dscp")).toBe(0);
  });

  test.each(families)("congestion met outside reaches inner IPv%i packets that know of it", async (inner) => {
    await congest();
    for (const mark of [ECT0, ECT1]) expect(await pingWith(mark, inner)).toBe(3);
    expect(await packets(pair.right.host, "ce")).toBe(6);
  });

  test.each(families)(
    "and drops inner IPv%i packets that do not: they would not hear of it otherwise",
    async (inner) => {
      await congest();
      expect(await pingWith(0, inner)).toBe(0);
      expect(await packets(pair.right.host, "ce")).toBe(0);
    },
  );
});

async function nft(host: Host, commands: readonly string[]): Promise<void> {
  await host.run(["nft", "-f", "-"], { input: commands.join("\n") });
}

async function packets(host: Host, counter: string): Promise<number> {
  const listed = await host.run(["nft", "list", "counter", "inet", "seen", counter]);
  return Number(listed.match(/packets (\d+)/)![1]);
}
