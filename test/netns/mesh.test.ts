// Three sites, each the peer of the other two, with a LAN host behind each gateway.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, Lab } from "../../src/demo/lab.js";
import { Gateway } from "../support/gateway.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { moveBytes, ping } from "../support/traffic.js";

interface Site {
  readonly number: number;
  readonly host: Host;
  readonly gateway: Gateway;
}

describe("a mesh of three sites", requireTools(["ip", "wg", "ping"]), () => {
  let lab: Lab;
  const sites: Site[] = [];

  beforeAll(async () => {
    lab = new Lab();
    const internet = await lab.addHost("internet");
    await internet.enableForwarding();
    for (const number of [1, 2, 3]) sites.push(await addSite(lab, internet, number));
    for (const site of sites) for (const other of sites) if (site !== other) await meet(site, other);
  });
  afterAll(() => lab?.close());

  const ways = [1, 2, 3].flatMap((from) => [1, 2, 3].filter((to) => to !== from).map((to) => [from, to] as const));

  test.each(ways)("LAN %i reaches LAN %i, both families, and TCP", async (from, to) => {
    const [source, target] = [sites[from - 1]!, sites[to - 1]!];
    expect(await ping(source.host, `10.${to}.0.10`)).toBe(3);
    expect(await ping(source.host, `fd0${to}::10`)).toBe(3);
    expect(await moveBytes(source.host, target.host, `10.${to}.0.10`, 500_000)).toBe(500_000);
  });

  test("all of them at once", async () => {
    const moved = ways.map(([from, to]) => ping(sites[from - 1]!.host, `10.${to}.0.10`, { count: 20 }));
    expect(await Promise.all(moved)).toEqual(ways.map(() => 20));
  });

  test("a site that leaves is gone for the others, who go on", async () => {
    const [first, second, third] = sites as [Site, Site, Site];
    await first.gateway.set("peer", third.gateway.keys.publicKey, "remove");
    expect(await ping(third.host, "10.1.0.10", { count: 2, waitS: 1 })).toBe(0);
    expect(await ping(second.host, "10.1.0.10")).toBe(3);
    expect(await ping(second.host, "10.3.0.10")).toBe(3);
  });
});

async function addSite(lab: Lab, internet: Host, number: number): Promise<Site> {
  const [host, machine] = [await lab.addHost(`host ${number}`), await lab.addHost(`gateway ${number}`)];
  await lab.connect(
    { host, name: "eth0", addresses: [`10.${number}.0.10/24`, `fd0${number}::10/64`] },
    { host: machine, name: "lan", addresses: [`10.${number}.0.1/24`, `fd0${number}::1/64`] },
  );
  await lab.connect(
    { host: machine, name: "wan", addresses: [`198.51.${number}.2/24`] },
    { host: internet, name: `site${number}`, addresses: [`198.51.${number}.1/24`] },
  );
  await host.ip(`route add default via 10.${number}.0.1`, `route add default via fd0${number}::1`);
  await machine.ip(`route add default via 198.51.${number}.1`);
  await machine.enableForwarding();
  const gateway = await Gateway.start(machine, { program: longhaul, addresses: [`10.9.0.${number}/24`] });
  return { number, host, gateway };
}

/** Makes `other` a peer of `site`, with routes to its LAN. */
async function meet(site: Site, other: Site): Promise<void> {
  const lans = [`10.${other.number}.0.0/24`, `fd0${other.number}::/64`];
  await site.gateway.addPeer({
    publicKey: other.gateway.keys.publicKey,
    endpoint: `198.51.${other.number}.2:${other.gateway.listenPort}`,
    allowedIps: [`10.9.0.${other.number}/32`, ...lans],
  });
  await site.gateway.host.ip(...lans.map((lan) => `route add ${lan} dev wg0`));
}
