// The protocol's rules, one by one, on real cores in virtual time.

import { describe, expect, test } from "vitest";
import { FlowCell } from "../../src/core/device/ledger.js";
import type { PeerUpdate } from "../../src/core/device/update.js";
import { DropReason } from "../../src/core/drop-reason.js";
import { ipv4Packet, parseAddress, type SimNode, World } from "./world.js";

const DATA = 4;
const HEADER_AND_TAG = 32;
const host = (last: number, length = 32) => ({
  prefix: { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, length === 32 ? last : 0), length },
  remove: false,
});
const inbound = (node: SimNode, reason: DropReason): number => node.device.state.ledger.inboundDrops[reason];
const outbound = (node: SimNode, reason: DropReason): number => node.device.state.ledger.outboundDrops[reason];
const lawHolds = (node: SimNode): void => {
  expect(node.device.state.ledger.inboundUnaccounted()).toBe(0);
  expect(node.device.state.ledger.outboundUnaccounted(node.device.state.staged.total)).toBe(0);
};

async function connected(update: Partial<PeerUpdate> = {}): Promise<{ world: World; alice: SimNode; bob: SimNode }> {
  const world = await World.create();
  const [alice, bob] = world.pair(update);
  alice.sendInner("10.0.0.1", "10.0.0.2", "first");
  world.run(1_000);
  expect(bob.marks()).toEqual(["first"]);
  return { world, alice, bob };
}

describe("handshake", () => {
  test("equal preshared keys agree, unequal ones do not", async () => {
    const presharedKey = new Uint8Array(32).fill(7);
    const { world, alice, bob } = await connected({ presharedKey });
    bob.device.down();
    bob.device.up(world.nowMs);
    bob.peer(alice, { presharedKey: new Uint8Array(32).fill(8) });
    alice.device.down();
    alice.device.up(world.nowMs);
    world.run(1_000);
    alice.sendInner("10.0.0.1", "10.0.0.2", "second");
    world.run(30_000);
    expect(bob.marks()).toEqual(["first"]);
    expect(inbound(alice, DropReason.HandshakeInvalid)).toBeGreaterThan(0);
    lawHolds(alice);
  });

  test("an initiator whose key is no peer's is refused and learns nothing", async () => {
    const world = await World.create();
    const [, bob] = world.pair();
    const eve = world.node("eve", "192.0.2.66:666");
    eve.peer(bob, { endpoint: parseAddress(bob.address), allowedIps: [host(2)] });
    eve.sendInner("10.0.0.1", "10.0.0.2", "let me in");
    world.run(1_000);
    expect(inbound(bob, DropReason.UnknownPeer)).toBe(1);
    expect(world.tapped.filter((flight) => flight.from === bob.address)).toEqual([]);
  });

  test("a responder sends no data before the initiator's first transport message confirmed the keypair", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.0.0.2", "first");
    const initiation = world.tapped[0];
    world.nodes.delete("alice");
    bob.arrive(initiation.bytes, initiation.from);
    bob.sendInner("10.0.0.2", "10.0.0.1", "too early");
    world.run(3_000);
    const types = world.tapped.filter((flight) => flight.from === bob.address).map((flight) => flight.bytes[0]);
    expect(types).toContain(2);
    expect(types).not.toContain(DATA);
    expect(bob.device.state.staged.total).toBe(1);
    lawHolds(bob);
  });

  test("a clock that goes back does not make timestamps go back", async () => {
    const { world, alice, bob } = await connected();
    alice.wallOffsetMs = -86_400_000;
    world.run(121_000);
    for (let i = 0; i < 5; i++) {
      alice.sendInner("10.0.0.1", "10.0.0.2", `late ${i}`);
      world.run(30_000);
    }
    expect(inbound(bob, DropReason.TimestampReplayed)).toBe(0);
    expect(bob.marks().at(-1)).toBe("late 4");
  });

  test("receiver indices are random and never given twice at a time", async () => {
    const { world } = await connected();
    const indices = world.tapped
      .filter((flight) => flight.bytes[0] === 1 || flight.bytes[0] === 2)
      .map((flight) => new DataView(flight.bytes.buffer).getUint32(4, true));
    expect(new Set(indices).size).toBe(indices.length);
    expect(indices.every((index) => index > 0xffff)).toBe(true);
  });
});

describe("under load", () => {
  /** Initiations of strangers: mac1 is right, nothing else. */
  async function flood(world: World, bob: SimNode, count: number, source: (i: number) => string): Promise<void> {
    const eve = world.node("eve", "192.0.2.66:666");
    eve.peer(bob, { endpoint: parseAddress(bob.address), allowedIps: [host(2)] });
    eve.sendInner("10.0.0.1", "10.0.0.2", "x");
    const initiation = world.tapped.at(-1)!;
    world.nodes.delete("eve");
    for (let i = 0; i < count; i++) bob.arrive(initiation.bytes, source(i));
  }

  test("strangers get cookie replies instead of handshakes, and a peer gets in with its cookie", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    await flood(world, bob, 200, (i) => `198.51.100.${i % 200}:${1_000 + i}`);
    expect(inbound(bob, DropReason.UnknownPeer)).toBeGreaterThan(100);
    expect(inbound(bob, DropReason.UnderLoad)).toBeGreaterThan(50);
    expect(world.tapped.filter((flight) => flight.from === bob.address && flight.bytes[0] === 3).length).toBe(
      inbound(bob, DropReason.UnderLoad),
    );
    alice.sendInner("10.0.0.1", "10.0.0.2", "through");
    world.run(500);
    expect(bob.marks()).toEqual([]);
    for (let i = 0; i < 20; i++) {
      await flood(world, bob, 120, (j) => `198.51.100.${j}:${j + 1}`);
      world.run(300);
    }
    world.run(2_000);
    expect(bob.marks()).toEqual(["through"]);
    lawHolds(bob);
  });

  test("a source with a cookie is held to its token bucket", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    await flood(world, bob, 200, (i) => `198.51.100.${i % 200}:${1_000 + i}`);
    alice.sendInner("10.0.0.1", "10.0.0.2", "x");
    world.run(10);
    world.nodes.delete("bob");
    world.run(6_000);
    const withCookie = world.tapped.filter((flight) => flight.from === alice.address && flight.bytes[0] === 1).at(-1)!;
    expect(withCookie.bytes.subarray(132).some((byte) => byte !== 0)).toBe(true);
    await flood(world, bob, 200, (i) => `198.51.100.${i % 200}:${1_000 + i}`);
    for (let i = 0; i < 20; i++) bob.arrive(withCookie.bytes, withCookie.from);
    expect(inbound(bob, DropReason.RateLimited)).toBeGreaterThanOrEqual(14);
  });
});

describe("transport data", () => {
  test("plaintext is padded to 16 bytes and never beyond the MTU", async () => {
    const { world, alice } = await connected();
    const before = world.tapped.length;
    for (const length of [21, 32, 100, 1_419, 1_420]) {
      const packet = ipv4Packet("10.0.0.1", "10.0.0.2", "p".repeat(length - 20));
      alice.sendInnerRaw(packet);
    }
    const sizes = world.tapped.slice(before).map((flight) => flight.bytes.length - HEADER_AND_TAG);
    expect(sizes).toEqual([32, 32, 112, 1_420, 1_420]);
  });

  test("ECN: outer CE marks an ECN-capable packet and drops one that is not", async () => {
    const { world, alice, bob } = await connected();
    const ce = 3;
    const delivered: number[] = [];
    for (const ecn of [0, 1, 2, 3]) {
      const before = world.tapped.length;
      alice.sendInner("10.0.0.1", "10.0.0.2", `ecn${ecn}`, ecn);
      const flight = world.tapped[before];
      const count = bob.delivered.length;
      bob.arrive(flight.bytes, flight.from, ce);
      delivered.push(bob.delivered.length - count);
    }
    expect(delivered).toEqual([0, 1, 1, 1]);
    expect(inbound(bob, DropReason.EcnInvalid)).toBe(1);
    lawHolds(bob);
  });

  test("what has no route, no endpoint or no room is refused by name", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.9.9.9", "nowhere");
    expect(outbound(alice, DropReason.NoRoute)).toBe(1);
    const carol = world.node("carol", "192.0.2.3:1003");
    alice.peer(carol, { allowedIps: [host(3)] });
    alice.sendInner("10.0.0.1", "10.0.0.3", "where is carol");
    expect(outbound(alice, DropReason.NoEndpoint)).toBe(1);
    world.nodes.delete("bob");
    for (let i = 0; i < 200; i++) alice.sendInner("10.0.0.1", "10.0.0.2", `s${i}`);
    expect(outbound(alice, DropReason.StagedOverflow)).toBe(72);
    alice.sendInnerRaw(Uint8Array.of(0x60, 1, 2, 3));
    expect(outbound(alice, DropReason.InnerMalformed)).toBe(1);
    lawHolds(alice);
    world.nodes.set("bob", bob);
    world.run(6_000);
    expect(bob.marks()[0]).toBe("s72");
    expect(bob.marks()).toHaveLength(128);
    lawHolds(alice);
  });

  test("a datagram that the kernel refuses is counted, and its counter is not used again", async () => {
    const { world, alice, bob } = await connected();
    alice.sendErrno = 1;
    alice.sendInner("10.0.0.1", "10.0.0.2", "lost");
    alice.sendErrno = 0;
    alice.sendInner("10.0.0.1", "10.0.0.2", "found");
    world.run(100);
    expect(outbound(alice, DropReason.SendForbidden)).toBe(1);
    expect(bob.marks()).toEqual(["first", "found"]);
    lawHolds(alice);
  });

  test("tampering with any part of a datagram is refused for its reason and changes nothing", async () => {
    const { world, alice, bob } = await connected();
    world.nodes.delete("bob");
    alice.sendInner("10.0.0.1", "10.0.0.2", "fragile");
    const flight = world.tapped.at(-1)!;
    const count = flight.bytes.length;
    for (let at = 0; at < count; at++) {
      const bytes = flight.bytes.slice();
      bytes[at] ^= 0x40;
      bob.arrive(bytes, "203.0.113.9:9");
    }
    expect(bob.marks()).toEqual(["first"]);
    expect(inbound(bob, DropReason.Malformed)).toBe(4);
    expect(inbound(bob, DropReason.UnknownReceiver)).toBe(4);
    expect(inbound(bob, DropReason.AuthenticationFailed)).toBe(count - 8);
    bob.arrive(flight.bytes, flight.from);
    expect(bob.marks()).toEqual(["first", "fragile"]);
    bob.sendInner("10.0.0.2", "10.0.0.1", "still to alice");
    expect(world.tapped.at(-1)!.to).toBe(alice.address);
    lawHolds(bob);
  });

  test("an inner packet that is longer than it was sealed, or no IP, is refused", async () => {
    const { world, alice, bob } = await connected();
    const lying = ipv4Packet("10.0.0.1", "10.0.0.2", "x");
    lying[3] = 255;
    alice.sendInnerRaw(lying);
    world.run(100);
    expect(inbound(bob, DropReason.InnerMalformed)).toBe(1);
    lawHolds(bob);
  });
});

describe("configuration", () => {
  test("removing a peer leaves no key, index, timer or staged packet behind", async () => {
    const { world, alice, bob } = await connected();
    alice.peer(bob, { remove: true });
    const { state } = alice.device;
    expect(alice.dataPath.keys.size).toBe(0);
    expect(state.indices.size).toBe(0);
    expect(state.staged.total).toBe(0);
    expect(alice.device.nextDeadlineMs()).toBe(Number.POSITIVE_INFINITY);
    bob.sendInner("10.0.0.2", "10.0.0.1", "anybody?");
    world.run(100);
    expect(alice.marks()).toEqual([]);
    expect(inbound(alice, DropReason.UnknownReceiver)).toBeGreaterThan(0);
  });

  test("a prefix given to one peer is taken from the other", async () => {
    const { world, alice, bob } = await connected();
    const carol = world.node("carol", "192.0.2.3:1003");
    carol.peer(alice, { allowedIps: [host(1)] });
    alice.peer(carol, { endpoint: parseAddress(carol.address), allowedIps: [host(2)] });
    alice.sendInner("10.0.0.1", "10.0.0.2", "to carol");
    world.run(100);
    expect(carol.marks()).toEqual(["to carol"]);
    expect(bob.marks()).toEqual(["first"]);
    bob.sendInner("10.0.0.2", "10.0.0.1", "not mine any more");
    world.run(100);
    expect(inbound(alice, DropReason.SourceNotAllowed)).toBe(1);
  });

  test("a new private key forgets every keypair; the old one as a peer is impossible", async () => {
    const { world, alice, bob } = await connected();
    const fresh = new Uint8Array(32).fill(9);
    alice.device.configure({ privateKey: fresh, peers: [] }, world.nowMs);
    expect(alice.dataPath.keys.size).toBe(0);
    alice.sendInner("10.0.0.1", "10.0.0.2", "as a stranger");
    world.run(1_000);
    expect(bob.marks()).toEqual(["first"]);
    expect(inbound(bob, DropReason.UnknownPeer)).toBe(1);
    const own = alice.device.state.identity!.publicKey;
    alice.device.configure({ peers: [{ publicKey: own, allowedIps: [host(77)] }] }, world.nowMs);
    expect([...alice.device.peers()]).toHaveLength(1);
  });

  test("down zeroes keys and hears nobody; up works again", async () => {
    const { world, alice, bob } = await connected();
    bob.device.down();
    expect(bob.dataPath.keys.size).toBe(0);
    alice.sendInner("10.0.0.1", "10.0.0.2", "knock");
    world.run(1_000);
    expect(bob.marks()).toEqual(["first"]);
    bob.device.up(world.nowMs);
    world.run(30_000);
    alice.sendInner("10.0.0.1", "10.0.0.2", "again");
    world.run(10_000);
    expect(bob.marks()).toContain("again");
    lawHolds(bob);
  });

  test("more peers than there are rows are refused whole", async () => {
    const { world, alice } = await connected();
    const peers = Array.from({ length: 70 }, (_, i) => ({ publicKey: new Uint8Array(32).fill(i + 1), allowedIps: [] }));
    expect(() => alice.device.configure({ peers }, world.nowMs)).toThrow(/71 peers are more than the 64/);
    expect([...alice.device.peers()]).toHaveLength(1);
  });

  test("closing zeroes everything", async () => {
    const { alice } = await connected();
    const { identity } = alice.device.state;
    alice.device.close();
    expect(alice.dataPath.keys.size).toBe(0);
    expect(identity!.privateKey.every((byte) => byte === 0)).toBe(true);
    expect(alice.device.state.indices.size).toBe(0);
  });
});

test("handshake messages, keepalives and data are all in the ledger", async () => {
  const { world, alice, bob } = await connected();
  world.run(11_000);
  const a = alice.device.state.ledger.flow;
  const b = bob.device.state.ledger.flow;
  expect(a[FlowCell.OutboundHandshakes]).toBe(1);
  expect(b[FlowCell.InboundHandshakes]).toBe(1);
  expect(b[FlowCell.OutboundHandshakes]).toBe(1);
  expect(a[FlowCell.InboundHandshakes]).toBe(1);
  expect(b[FlowCell.OutboundKeepalives]).toBe(1);
  expect(a[FlowCell.InboundKeepalives]).toBe(1);
  expect(a[FlowCell.OutboundSent]).toBe(1);
  expect(b[FlowCell.InboundDelivered]).toBe(1);
});
