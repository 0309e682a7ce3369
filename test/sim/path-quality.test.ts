// What a device tells of the path to a peer, against what the simulated network did.

import { describe, expect, test } from "vitest";
import type { Peer } from "../../src/core/device/peer.js";
import { PeerCell } from "../../src/core/device/peer-statistics.js";
import { DropReason } from "../../src/core/drop-reason.js";
import { PathCell } from "../../src/core/transport/path-quality.js";
import { parseAddress, type SimNode, World } from "./world.js";

const DATA = 4;
const only = (node: SimNode): Peer => [...node.device.peers()][0]!;
const path = (node: SimNode): Float64Array => only(node).statistics.path;
const cell = (node: SimNode, at: number): number => only(node).statistics.cells[at]!;
const netLoss = (node: SimNode): number => path(node)[PathCell.Lost]! - path(node)[PathCell.CameLate]!;

/** Transport data that went from `from`, and how much of it the network lost before the last that arrived of its key. */
function truth(world: World, from: SimNode): { sent: number; lost: number; visiblyLost: number; keys: number } {
  const byKey = new Map<number, { counter: number; lost: boolean }[]>();
  for (const { bytes, from: address } of world.tapped) {
    if (bytes[0] !== DATA || address !== from.address) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const key = view.getUint32(4, true);
    const datagrams = byKey.get(key) ?? [];
    byKey.set(key, datagrams);
    datagrams.push({ counter: Number(view.getBigUint64(8, true)), lost: world.lost.has(bytes) });
  }
  const all = [...byKey.values()];
  const visible = all.flatMap((datagrams) => {
    const last = Math.max(...datagrams.filter(({ lost }) => !lost).map(({ counter }) => counter));
    return datagrams.filter(({ lost, counter }) => lost && counter < last);
  });
  const flat = all.flat();
  return {
    keys: all.length,
    sent: flat.length,
    lost: flat.filter(({ lost }) => lost).length,
    visiblyLost: visible.length,
  };
}

describe("loss from counters, over rekeys", () => {
  test.each([
    { title: "2 per cent", faults: { lossPerMille: 20 }, seed: 1 },
    {
      title: "10 per cent, reordered and doubled",
      faults: { lossPerMille: 100, duplicatePerMille: 50, delayMsMax: 300 },
      seed: 2,
    },
    { title: "none, but reordered", faults: { delayMsMax: 400 }, seed: 3 },
  ])("$title", async ({ faults, seed }) => {
    const world = await World.create(seed);
    Object.assign(world.faults, faults);
    const [alice, bob] = world.pair();
    for (let i = 0; i < 5_000; i++) {
      alice.sendInner("10.0.0.1", "10.0.0.2", `a${i}`);
      if (i % 10 === 0) bob.sendInner("10.0.0.2", "10.0.0.1", `b${i}`);
      world.run(100);
    }
    world.faults.lossPerMille = 0;
    alice.sendInner("10.0.0.1", "10.0.0.2", "last");
    world.run(5_000);
    expect(cell(alice, PeerCell.HandshakesCompleted)).toBeGreaterThanOrEqual(4);
    for (const [receiver, sender] of [
      [bob, alice],
      [alice, bob],
    ] as const) {
      for (const keypair of Object.values(only(receiver).keypairs)) keypair?.window.finish();
      const { keys, sent, lost, visiblyLost } = truth(world, sender);
      // A packet that comes after its key was given up, or is still under way then, is told one way and seen the other.
      expect(Math.abs(netLoss(receiver) - visiblyLost)).toBeLessThanOrEqual(keys);
      // What follows the last arrival of a key is not seen: the stated error.
      expect(netLoss(receiver) / sent).toBeCloseTo(lost / sent, 2);
      expect(Math.abs(path(receiver)[PathCell.Received]! - (sent - lost))).toBeLessThanOrEqual(keys);
    }
  });
});

test("packets that the sender's kernel refused look like loss, and the sender's ledger says how many they are", async () => {
  const world = await World.create(5);
  world.faults.lossPerMille = 50;
  const [alice, bob] = world.pair();
  for (let i = 0; i < 1_000; i++) {
    alice.sendErrno = i % 100 >= 90 ? 1 : 0;
    alice.sendInner("10.0.0.1", "10.0.0.2", `a${i}`);
    world.run(20);
  }
  alice.sendErrno = 0;
  world.faults.lossPerMille = 0;
  for (let i = 0; i < 5; i++) alice.sendInner("10.0.0.1", "10.0.0.2", "last");
  world.run(5_000);
  for (const keypair of Object.values(only(bob).keypairs)) keypair?.window.finish();
  const refused = only(alice).statistics.outboundDrops[DropReason.SendForbidden]!;
  expect(refused).toBe(100);
  expect(netLoss(bob) - refused).toBe(truth(world, alice).visiblyLost);
});

test("small packets that pass the bulk in the socket are no reordering of the path; others that pass each other are", async () => {
  const world = await World.create(8);
  const [alice, bob] = world.pair();
  alice.sendInner("10.0.0.1", "10.0.0.2", "hello");
  world.run(1_000);
  const tapped = world.tapped.length;
  const sizes = [1, 1_000, 1_000, 1, 1_000];
  for (const size of sizes) alice.sendInner("10.0.0.1", "10.0.0.2", "x".repeat(size));
  const datagrams = world.tapped.slice(tapped).map(({ bytes }) => bytes);
  const arrive = (...order: number[]): void => {
    for (const at of order) bob.arrive(datagrams[at]!, alice.address);
  };
  arrive(0, 3, 1);
  expect(path(bob)[PathCell.Reordered]).toBe(0);
  arrive(4, 2);
  expect(path(bob)[PathCell.Reordered]).toBe(1);
  expect(path(bob)[PathCell.ReorderExtentSum]).toBe(2);
  // They came a second time by the network.
  world.run(1_000);
  expect(path(bob)[PathCell.Duplicates]).toBe(sizes.length);
});

describe("round-trip time", () => {
  test("is told by both ends of a handshake, and smoothed over many", async () => {
    const world = await World.create(6);
    world.delayMs = 40;
    const [alice, bob] = world.pair();
    for (let i = 0; i < 80; i++) {
      alice.sendInner("10.0.0.1", "10.0.0.2", `a${i}`);
      world.run(10_000);
    }
    for (const node of [alice, bob]) {
      expect(cell(node, PeerCell.RttSamples)).toBe(cell(node, PeerCell.HandshakesCompleted));
      expect(cell(node, PeerCell.RttSamples)).toBeGreaterThanOrEqual(6);
      expect(cell(node, PeerCell.LeastRttMs)).toBeCloseTo(80, 6);
      expect(cell(node, PeerCell.LastRttMs)).toBeCloseTo(80, 6);
      expect(cell(node, PeerCell.SmoothedRttMs)).toBeCloseTo(80, 6);
      expect(cell(node, PeerCell.RttVariationMs)).toBeLessThan(20);
    }
  });

  test("a lost initiation or confirmation does not lengthen it", async () => {
    const world = await World.create(7);
    Object.assign(world.faults, { lossPerMille: 300 });
    world.delayMs = 25;
    const [alice, bob] = world.pair();
    for (let i = 0; i < 1_000; i++) {
      alice.sendInner("10.0.0.1", "10.0.0.2", `a${i}`);
      world.run(1_000);
    }
    expect(cell(alice, PeerCell.RttSamples)).toBeGreaterThanOrEqual(4);
    expect(cell(bob, PeerCell.RttSamples)).toBeGreaterThanOrEqual(2);
    for (const node of [alice, bob]) {
      expect(cell(node, PeerCell.LeastRttMs)).toBeCloseTo(50, 6);
      expect(cell(node, PeerCell.SmoothedRttMs)).toBeCloseTo(50, 6);
    }
  });
});

test("goodput, keepalives and endpoint changes are counted per peer", async () => {
  const world = await World.create(8);
  const [alice, bob] = world.pair();
  for (let i = 0; i < 10; i++) alice.sendInner("10.0.0.1", "10.0.0.2", "x".repeat(80));
  world.run(1_000);
  expect(cell(bob, PeerCell.ReceivedPackets)).toBe(10);
  expect(cell(bob, PeerCell.ReceivedInnerBytes)).toBe(10 * 100);
  expect(cell(alice, PeerCell.SentPackets)).toBe(10);
  expect(cell(alice, PeerCell.SentInnerBytes)).toBe(10 * 112);
  // The initiator's confirmation is what was staged; bob answers with a keepalive 10 s later.
  world.run(15_000);
  expect(cell(alice, PeerCell.ReceivedKeepalives)).toBe(cell(bob, PeerCell.SentKeepalives));
  expect(cell(bob, PeerCell.SentKeepalives)).toBeGreaterThan(0);
  expect(cell(bob, PeerCell.EndpointChanges)).toBe(0);
  alice.address = "192.0.2.77:7";
  alice.sendInner("10.0.0.1", "10.0.0.2", "from elsewhere");
  world.run(1_000);
  expect(cell(bob, PeerCell.EndpointChanges)).toBe(1);
});

test("a silent peer: initiations are counted from the first that had no answer", async () => {
  const world = await World.create(9);
  const [alice] = world.pair();
  world.nodes.delete("bob");
  const startMs = world.nowMs;
  alice.sendInner("10.0.0.1", "10.0.0.2", "hello?");
  world.run(60_000);
  const sent = cell(alice, PeerCell.InitiationsSent);
  expect(sent).toBeGreaterThanOrEqual(10);
  expect(cell(alice, PeerCell.InitiationsUnanswered)).toBe(sent);
  expect(cell(alice, PeerCell.FirstUnansweredMs)).toBe(startMs);
  expect(cell(alice, PeerCell.RttSamples)).toBe(0);
  world.run(60_000);
  expect(cell(alice, PeerCell.HandshakesGivenUp)).toBe(1);
  expect(only(alice).statistics.outboundDrops[DropReason.StagedExpired]).toBe(1);
});

test("refusals are remembered with the sender's address, also where no peer can be named", async () => {
  const world = await World.create(10);
  const [, bob] = world.pair();
  const eve = world.node("eve", "192.0.2.66:666");
  const prefix = { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, 2), length: 32 };
  eve.peer(bob, { endpoint: parseAddress(bob.address), allowedIps: [{ prefix, remove: false }] });
  eve.sendInner("10.0.0.1", "10.0.0.2", "let me in");
  world.run(12_000);
  const [refusal] = bob.device.state.refusals.list();
  expect(refusal).toMatchObject({ reason: DropReason.UnknownPeer });
  expect(refusal!.count).toBeGreaterThanOrEqual(2);
  expect([...refusal!.record.subarray(8, 12)]).toEqual([192, 0, 2, 66]);
});
