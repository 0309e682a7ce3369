// Peers that change address or port, and peers behind NAT.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab.js";
import { eventually, Gateway } from "../support/gateway.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { endpoint, peerOf, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";
import { startWiredPair, WIRE_PORT, type WiredPair, wireAddresses } from "../support/wire.js";

const programs = [longhaul, longhaul] as const;
const tools = requireTools(["ip", "wg", "ping"]);

describe("roaming behind a relay", tools, () => {
  let pair: WiredPair;
  beforeAll(async () => {
    pair = await startWiredPair({ programs });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterAll(() => pair?.lab.close());

  test("a peer whose port changes is followed", async () => {
    const { left, right, wire } = pair;
    await wire.rebind("right", WIRE_PORT + 1);
    expect(await ping(left.host, right.address())).toBe(3);
    expect((await right.peer()).endpoint).toBe(endpoint(wireAddresses.right, WIRE_PORT + 1));
    expect(await ping(right.host, left.address())).toBe(3);
  });

  test("a peer whose address changes is followed", async () => {
    const { left, right, wire } = pair;
    await wire.rebind("right", WIRE_PORT, wireAddresses.spareRight);
    expect(await ping(left.host, right.address())).toBe(3);
    expect((await right.peer()).endpoint).toBe(endpoint(wireAddresses.spareRight, WIRE_PORT));
    expect(await ping(right.host, left.address())).toBe(3);
  });

  test("datagrams that do not authenticate move no endpoint", async () => {
    const { left, right, wire } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    const before = (await right.peer()).endpoint;
    await wire.rebind("right", WIRE_PORT + 2, wireAddresses.right);
    await wire.rules("left", { corruptEvery: 1 });
    expect(await ping(left.host, right.address(), { waitS: 1 })).toBe(0);
    expect((await right.peer()).endpoint).toBe(before);
    await wire.rules("left");
    expect(await ping(left.host, right.address())).toBe(3);
    expect((await right.peer()).endpoint).not.toBe(before);
  });
});

describe("a gateway that moves itself", tools, () => {
  test.each([4, 6] as const)("its IPv%i address changes under a live tunnel", async (outer) => {
    const pair = await startPair({ programs, outer });
    try {
      const { left, right } = pair;
      expect(await ping(left.host, right.address())).toBe(3);
      const [old, next] = outer === 4 ? ["192.0.2.1/24", "192.0.2.9/24"] : ["2001:db8::1/64", "2001:db8::9/64"];
      // in this order: deleting the first address of a subnet takes the others along
      await left.host.ip(`address del ${old} dev eth0`, `address add ${next} dev eth0 ${outer === 6 ? "nodad" : ""}`);
      expect(await ping(left.host, right.address())).toBe(3);
      expect((await right.peer()).endpoint).toBe(endpoint(next!.split("/")[0]!, left.listenPort));
      expect(await ping(right.host, left.address())).toBe(3);
    } finally {
      await pair.lab.close();
    }
  });

  test("its listen port changes by wg set", async () => {
    const pair = await startPair({ programs });
    try {
      const { left, right } = pair;
      expect(await ping(left.host, right.address())).toBe(3);
      await left.set("listen-port", "40000");
      expect(await ping(left.host, right.address())).toBe(3);
      expect((await right.peer()).endpoint).toBe("192.0.2.1:40000");
      expect(await ping(right.host, left.address())).toBe(3);
    } finally {
      await pair.lab.close();
    }
  });

  test("a better way to the peer over another uplink: the next packet takes it, with that one's address", async () => {
    const pair = await startPair({ programs });
    try {
      const { lab, left, right } = pair;
      await lab.connect(
        { host: left.host, name: "eth1", addresses: ["198.51.100.1/24"] },
        { host: right.host, name: "eth1", addresses: ["198.51.100.2/24"] },
      );
      for (const { host } of [left, right]) await host.sysctl("ipv4/conf/all/rp_filter", 0);
      for (const { host } of [left, right]) await host.sysctl("ipv4/conf/eth1/rp_filter", 0);
      expect(await ping(left.host, right.address())).toBe(3);
      expect((await right.peer()).endpoint).toBe("192.0.2.1:51820");
      await sleep(300); // the rest after the last change
      await left.host.ip("route add 192.0.2.2/32 via 198.51.100.2 dev eth1 src 198.51.100.1");
      expect(await ping(left.host, right.address())).toBe(3);
      expect((await right.peer()).endpoint).toBe("198.51.100.1:51820");
      await sleep(300);
      await left.host.ip("route del 192.0.2.2/32");
      expect(await ping(left.host, right.address())).toBe(3);
      expect((await right.peer()).endpoint).toBe("192.0.2.1:51820");
    } finally {
      await pair.lab.close();
    }
  });

  test("answers leave from the address that was asked, not from the first of the interface", async () => {
    const pair = await startPair({ programs });
    try {
      const { left, right } = pair;
      await right.host.ip("address add 192.0.2.222/24 dev eth0");
      await left.set("peer", right.keys.publicKey, "endpoint", "192.0.2.222:51820");
      await right.set("peer", left.keys.publicKey, "remove");
      await right.addPeer(peerOf(left));
      expect(await ping(left.host, right.address())).toBe(3);
      expect((await left.peer()).endpoint).toBe("192.0.2.222:51820");
    } finally {
      await pair.lab.close();
    }
  });
});

describe("NAT", requireTools(["ip", "wg", "ping", "nft"]), () => {
  const UDP_TIMEOUT_S = 3;
  let lab: Lab;
  let inside: Gateway;
  let outside: Gateway;

  beforeAll(async () => {
    lab = new Lab();
    const [insideHost, router, outsideHost] = [
      await lab.addHost("inside"),
      await lab.addHost("router"),
      await lab.addHost("outside"),
    ];
    await lab.connect(
      { host: insideHost, name: "eth0", addresses: ["192.168.7.2/24"] },
      { host: router, name: "lan", addresses: ["192.168.7.1/24"] },
    );
    await lab.connect(
      { host: outsideHost, name: "eth0", addresses: ["203.0.113.2/24"] },
      { host: router, name: "wan", addresses: ["203.0.113.1/24"] },
    );
    await router.enableForwarding();
    await insideHost.ip("route add default via 192.168.7.1");
    await router.run(["nft", "-f", "-"], {
      input: [
        "add table ip nat",
        "add chain ip nat out { type nat hook postrouting priority 100; }",
        'add rule ip nat out oifname "wan" masquerade random',
        "add table ip filter",
        "add chain ip filter through { type filter hook forward priority 0; }",
        "add rule ip filter through ct state established,related accept",
        'add rule ip filter through iifname "wan" drop',
      ].join("\n"),
    });
    await router.sysctl("netfilter/nf_conntrack_udp_timeout", UDP_TIMEOUT_S);
    await router.sysctl("netfilter/nf_conntrack_udp_timeout_stream", UDP_TIMEOUT_S);
    inside = await Gateway.start(insideHost, { program: longhaul, addresses: ["10.9.0.1/24"] });
    outside = await Gateway.start(outsideHost, { program: longhaul, addresses: ["10.9.0.2/24"] });
    await outside.addPeer(peerOf(inside));
    await inside.addPeer(peerOf(outside, "203.0.113.2:51820"));
  });
  afterAll(() => lab?.close());

  test("the gateway behind NAT is reached once it has spoken, and its mapping is learned", async () => {
    expect(await ping(outside.host, inside.address(), { count: 1, waitS: 1 }).catch(() => 0)).toBe(0);
    expect(await ping(inside.host, outside.address())).toBe(3);
    expect(await ping(outside.host, inside.address())).toBe(3);
    expect((await outside.peer()).endpoint).toMatch(/^203\.0\.113\.1:/);
  });

  test("without keepalive the mapping is forgotten and the inside is out of reach", async () => {
    await sleep((UDP_TIMEOUT_S + 2) * 1_000);
    expect(await ping(outside.host, inside.address(), { count: 2, waitS: 1 })).toBe(0);
  });

  test("persistent keepalive keeps it reachable over any idle time", async () => {
    await inside.set("peer", outside.keys.publicKey, "persistent-keepalive", "1");
    await eventually(
      "reached by keepalives alone",
      async () => (await ping(outside.host, inside.address(), { count: 1, waitS: 1 })) > 0,
    );
    const received = (await outside.peer()).receivedBytes;
    await sleep((UDP_TIMEOUT_S + 3) * 1_000);
    expect((await outside.peer()).receivedBytes).toBeGreaterThan(received);
    expect(await ping(outside.host, inside.address())).toBe(3);
  });
});
