import { describe, expect, test } from "vitest";
import { DropReason } from "../../src/core/drop-reason.js";
import { type SimNode, World } from "./world.js";

const MINUTE = 60_000;

function lawHolds(...nodes: SimNode[]): void {
  for (const { device } of nodes) {
    expect(device.state.ledger.inboundUnaccounted()).toBe(0);
    expect(device.state.ledger.outboundUnaccounted(device.state.staged.total)).toBe(0);
  }
}

describe("two devices in virtual time", () => {
  test("the first packet makes a handshake and arrives", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.0.0.2", "hello");
    world.run(100);
    expect(bob.marks()).toEqual(["hello"]);
    bob.sendInner("10.0.0.2", "10.0.0.1", "welcome");
    world.run(100);
    expect(alice.marks()).toEqual(["welcome"]);
    lawHolds(alice, bob);
  });

  test("hours of traffic rekey at 120 s and lose nothing", async () => {
    const world = await World.create(7);
    world.faults.delayMsMax = 40;
    const [alice, bob] = world.pair();
    const sent: string[] = [];
    for (let i = 0; i < 2 * 60 * 6; i++) {
      alice.sendInner("10.0.0.1", "10.0.0.2", `m${i}`);
      sent.push(`m${i}`);
      world.run(10_000);
    }
    expect(bob.marks().sort()).toEqual(sent.sort());
    const completed = alice.log.filter((line) => line.includes("completed initiator"));
    expect(completed.length).toBeGreaterThanOrEqual(55);
    expect(completed.length).toBeLessThanOrEqual(61);
    lawHolds(alice, bob);
  });

  test("heals after loss, duplication and corruption, and delivers nothing twice", async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = await World.create(seed);
      Object.assign(world.faults, { lossPerMille: 200, duplicatePerMille: 50, corruptPerMille: 20, delayMsMax: 400 });
      const [alice, bob] = world.pair();
      for (let i = 0; i < 600; i++) {
        alice.sendInner("10.0.0.1", "10.0.0.2", `a${i}`);
        if (i % 3 === 0) bob.sendInner("10.0.0.2", "10.0.0.1", `b${i}`);
        world.run(3_000);
      }
      Object.assign(world.faults, { lossPerMille: 0, duplicatePerMille: 0, corruptPerMille: 0 });
      world.run(20_000);
      alice.sendInner("10.0.0.1", "10.0.0.2", "last");
      world.run(10_000);
      expect(bob.marks(), `seed ${seed}`).toContain("last");
      for (const node of [alice, bob]) expect(new Set(node.marks()).size).toBe(node.marks().length);
      expect(bob.marks().length).toBeGreaterThan(400);
      lawHolds(alice, bob);
    }
  });

  test("an idle pair zeroes its keys nine minutes after the last handshake", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.0.0.2", "x");
    world.run(MINUTE);
    expect(alice.dataPath.keys.size).toBeGreaterThan(0);
    expect(bob.dataPath.keys.size).toBeGreaterThan(0);
    world.run(8.1 * MINUTE);
    expect(alice.dataPath.keys.size).toBe(0);
    expect(bob.dataPath.keys.size).toBe(0);
  });

  test("a dead peer is tried for 90 s, then only again for new traffic", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    world.nodes.delete("bob");
    alice.sendInner("10.0.0.1", "10.0.0.2", "x");
    world.run(10 * MINUTE);
    const initiations = alice.log.filter((line) => line.includes("initiation"));
    expect(initiations.length).toBe(19);
    expect(alice.log.at(-1)).toContain("given up");
    expect(alice.device.state.ledger.outboundDrops[DropReason.StagedExpired]).toBe(1);
    world.nodes.set("bob", bob);
    alice.sendInner("10.0.0.1", "10.0.0.2", "y");
    world.run(1_000);
    expect(bob.marks()).toEqual(["y"]);
    lawHolds(alice, bob);
  });

  test("replayed datagrams are refused", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.0.0.2", "once");
    world.run(100);
    for (const flight of [...world.tapped]) if (flight.to === bob.address) bob.arrive(flight.bytes, flight.from);
    world.run(100);
    expect(bob.marks()).toEqual(["once"]);
    const drops = bob.device.state.ledger.inboundDrops;
    expect(drops[DropReason.CounterReplayed]).toBeGreaterThanOrEqual(1);
    expect(drops[DropReason.TimestampReplayed]).toBe(1);
    lawHolds(alice, bob);
  });

  test("a source that is not the peer's is refused", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.99", "10.0.0.2", "spoofed");
    world.run(100);
    expect(bob.marks()).toEqual([]);
    expect(bob.device.state.ledger.inboundDrops[DropReason.SourceNotAllowed]).toBe(1);
    lawHolds(alice, bob);
  });

  test("a moved peer is followed", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.0.0.2", "1");
    world.run(100);
    alice.address = "198.51.100.7:4321";
    alice.sendInner("10.0.0.1", "10.0.0.2", "2");
    world.run(100);
    bob.sendInner("10.0.0.2", "10.0.0.1", "3");
    world.run(100);
    expect(alice.marks()).toEqual(["3"]);
  });

  test("data without an answer makes a new handshake after 15 s; data with none sent back makes a keepalive after 10 s", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.0.0.2", "1");
    world.run(1_000);
    const before = world.tapped.length;
    alice.sendInner("10.0.0.1", "10.0.0.2", "2");
    world.run(10_500);
    const keepalives = world.tapped.slice(before).filter((f) => f.from === bob.address && f.bytes.length === 32);
    expect(keepalives.length).toBeGreaterThanOrEqual(1);
    world.nodes.delete("bob");
    alice.sendInner("10.0.0.1", "10.0.0.2", "3");
    const initiationsBefore = alice.log.filter((l) => l.includes("initiation")).length;
    world.run(14_000);
    expect(alice.log.filter((l) => l.includes("initiation")).length).toBe(initiationsBefore);
    world.run(2_000);
    expect(alice.log.filter((l) => l.includes("initiation")).length).toBe(initiationsBefore + 1);
  });

  test("persistent keepalive speaks first and keeps its interval", async () => {
    const world = await World.create();
    const [alice] = world.pair({ persistentKeepaliveS: 25 });
    world.run(100);
    expect(alice.log.some((line) => line.includes("initiation"))).toBe(true);
    const before = world.tapped.filter((f) => f.from === alice.address && f.bytes.length === 32).length;
    world.run(100_000);
    const after = world.tapped.filter((f) => f.from === alice.address && f.bytes.length === 32).length;
    expect(after - before).toBeGreaterThanOrEqual(3);
    expect(after - before).toBeLessThanOrEqual(8);
  });

  test("both sides initiating at once still end with a working keypair", async () => {
    const world = await World.create(3);
    world.faults.delayMsMax = 30;
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.0.0.2", "a");
    bob.sendInner("10.0.0.2", "10.0.0.1", "b");
    world.run(20_000);
    expect(bob.marks()).toEqual(["a"]);
    expect(alice.marks()).toEqual(["b"]);
  });
});
