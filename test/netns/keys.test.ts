// Who may talk to whom: keys, preshared keys and allowed-ips, right and wrong. And who may look at a daemon's keys.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { newKeyPair, newPresharedKey } from "../support/keys.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { endpoint, introduce, type Pair, peerOf, startPair, startStrangers } from "../support/site.js";
import { interfaceCounters, moveBytes, ping } from "../support/traffic.js";

const programs = [longhaul, longhaul] as const;
const tools = requireTools(["ip", "wg", "ping"]);
/** One request, waited for a second: for what must not be answered. */
const briefly = { count: 2, waitS: 1 };

describe("keys", tools, () => {
  let pair: Pair | undefined;
  afterEach(async () => {
    await pair?.lab.close();
    pair = undefined;
  });

  test("a peer with another key than the one we know is not talked to", async () => {
    pair = await startStrangers({ programs });
    const { left, right } = pair;
    const stranger = newKeyPair().publicKey;
    await left.addPeer({ ...peerOf(right, endpoint("192.0.2.2", right.listenPort)), publicKey: stranger });
    await right.addPeer(peerOf(left, endpoint("192.0.2.1", left.listenPort)));
    expect(await ping(left.host, right.address(), briefly)).toBe(0);
    expect((await left.peer()).latestHandshake).toBe(0);
    expect((await right.peer()).latestHandshake).toBe(0);
  });

  test("an initiator that the responder does not know gets no answer", async () => {
    pair = await startStrangers({ programs });
    const { left, right } = pair;
    await left.addPeer(peerOf(right, endpoint("192.0.2.2", right.listenPort)));
    expect(await ping(left.host, right.address(), briefly)).toBe(0);
    expect((await left.peer()).latestHandshake).toBe(0);
    expect((await left.peer()).receivedBytes).toBe(0);
    expect((await left.peer()).sentBytes).toBeGreaterThan(0);
  });

  test("a private key changed while running: the old sessions are dead, the new key works", async () => {
    pair = await startPair({ programs });
    const { left, right } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    const renewed = newKeyPair();
    await left.host.writeFile("/run/renewed", renewed.privateKey);
    await left.set("private-key", "/run/renewed");
    expect(await ping(left.host, right.address(), briefly)).toBe(0);
    await right.set("peer", left.keys.publicKey, "remove");
    await right.addPeer({ ...peerOf(left, endpoint("192.0.2.1", left.listenPort)), publicKey: renewed.publicKey });
    expect(await ping(right.host, left.address())).toBe(3);
    expect(await ping(left.host, right.address())).toBe(3);
  });

  test("the same preshared key on both sides", async () => {
    pair = await startPair({ programs, presharedKey: newPresharedKey() });
    const { left, right } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    expect(await moveBytes(right.host, left.host, left.address(), 1_000_000)).toBe(1_000_000);
    expect((await left.peer()).presharedKey).toBe((await right.peer()).presharedKey);
  });

  test.each([
    ["different ones", newPresharedKey(), newPresharedKey()],
    ["one on the left only", newPresharedKey(), undefined],
    ["one on the right only", undefined, newPresharedKey()],
  ])("preshared keys that do not match, %s: nothing passes", async (_, ofLeft, ofRight) => {
    pair = await startStrangers({ programs });
    const { left, right } = pair;
    const secret = (presharedKey?: string) => (presharedKey === undefined ? {} : { presharedKey });
    await left.addPeer({ ...peerOf(right, endpoint("192.0.2.2", right.listenPort)), ...secret(ofLeft) });
    await right.addPeer({ ...peerOf(left, endpoint("192.0.2.1", left.listenPort)), ...secret(ofRight) });
    expect(await ping(left.host, right.address(), briefly)).toBe(0);
    expect(await ping(right.host, left.address(), briefly)).toBe(0);
    expect((await left.peer()).latestHandshake).toBe(0);
  });

  test("a preshared key given to a running pair serves the next handshake", async () => {
    pair = await startPair({ programs });
    const { left, right } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    const presharedKey = newPresharedKey();
    await left.addPeer({ ...peerOf(right), presharedKey });
    await right.addPeer({ ...peerOf(left), presharedKey });
    expect(await ping(left.host, right.address())).toBe(3); // on the keys of before
    await left.kill("SIGTERM");
    await left.restart();
    expect(await ping(left.host, right.address())).toBe(3);
  });
});

describe("the process", tools, () => {
  let pair: Pair | undefined;
  afterAll(() => pair?.lab.close());

  test("the signal at which Node opens its debugger opens none, and ends nothing", async () => {
    pair = await startPair({ programs });
    const { left, right } = pair;
    const daemons = left.host
      .processes()
      .filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("longhaul"));
    expect(daemons.length).toBeGreaterThan(0);
    for (const pid of daemons) process.kill(pid, "SIGUSR1");
    await sleep(1_000);
    expect(await left.host.run(["ss", "-Hltn"])).not.toContain(":9229");
    expect(await ping(left.host, right.address())).toBe(3);
  });
});

describe("cryptokey routing", tools, () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startStrangers({ programs });
    await introduce(pair, {});
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterAll(() => pair?.lab.close());

  test.each([
    ["IPv4", "10.9.0.77/24", "10.9.0.2"],
    ["IPv6", "fd09::77/64", "fd09::2"],
  ])("a packet from a source that is not the peer's is dropped: %s", async (_, alias, destination) => {
    const { left, right } = pair;
    await left.host.ip(`address add ${alias} dev wg0 ${alias.includes(":") ? "nodad" : ""}`);
    const source = alias.split("/")[0]!;
    const before = await interfaceCounters(right.host, "wg0");
    const result = await left.host.try(["ping", "-n", "-c", "3", "-i", "0.1", "-W", "1", "-I", source, destination]);
    expect(result.stdout).toContain("0 received");
    expect((await interfaceCounters(right.host, "wg0")).rxPackets).toBe(before.rxPackets);
    await right.set("peer", left.keys.publicKey, "allowed-ips", `10.9.0.1,fd09::1,${source}`);
    const allowed = await left.host.run(["ping", "-n", "-c", "3", "-i", "0.1", "-W", "1", "-I", source, destination]);
    expect(allowed).toContain("3 received");
    await right.set("peer", left.keys.publicKey, "allowed-ips", "10.9.0.1,fd09::1");
    await left.host.ip(`address del ${alias} dev wg0`);
  });

  test("a prefix given to another peer leaves the first", async () => {
    const { left, right } = pair;
    const other = newKeyPair().publicKey;
    await right.addPeer({ publicKey: other, allowedIps: ["10.9.0.1/32"] });
    expect((await right.peer(other)).allowedIps).toBe("10.9.0.1/32");
    expect((await right.peer(left.keys.publicKey)).allowedIps).toBe("fd09::1/128");
    expect(await ping(left.host, right.address(), briefly)).toBe(0);
    expect(await ping(left.host, right.address(6))).toBe(3);
    await right.set("peer", other, "remove");
    await right.set("peer", left.keys.publicKey, "allowed-ips", "10.9.0.1,fd09::1");
    expect(await ping(left.host, right.address())).toBe(3);
  });

  test("0.0.0.0/0 and ::/0 carry everything, a longer prefix wins", async () => {
    const { left, right } = pair;
    await left.set("peer", right.keys.publicKey, "allowed-ips", "0.0.0.0/0,::/0");
    await right.host.ip("address add 172.31.5.5/32 dev lo", "address add fd55::5/128 dev lo");
    await left.host.ip("route add 172.31.5.5/32 dev wg0", "route add fd55::5/128 dev wg0");
    expect(await ping(left.host, "172.31.5.5")).toBe(3);
    expect(await ping(left.host, "fd55::5")).toBe(3);
    await left.set("peer", newKeyPair().publicKey, "allowed-ips", "172.31.5.0/24");
    expect(await ping(left.host, "172.31.5.5", briefly).catch(() => 0)).toBe(0);
    expect(await ping(left.host, "fd55::5")).toBe(3);
  });
});
