// Many peers at once: how much handshake work one turn does, that packets of an established peer pass meanwhile, and that in the end
// everybody was served and everything is accounted for.

import { expect, test } from "vitest";
import { ConfigureError } from "../../src/core/device/configure.js";
import { type SimNode, World } from "./world.js";

const CROWD = 40;
/** Of a turn: what was left from the turn before, and its own. */
const TURN_MAX = 16;

function initiations(node: SimNode): number {
  return node.world.tapped.filter(({ from, bytes }) => from === node.address && bytes[0] === 1).length;
}

function deadPeers(world: World, count: number) {
  return Array.from({ length: count }, (_, i) => {
    const publicKey = new Uint8Array(32);
    world.fillRandom(publicKey);
    return {
      publicKey,
      endpoint: { family: 4 as const, bytes: Uint8Array.of(198, 51, 100, i), port: 1, scopeId: 0 },
      persistentKeepaliveS: 25,
      allowedIps: [],
    };
  });
}

async function joinedPair(seed: number): Promise<[World, SimNode, SimNode]> {
  const world = await World.create(seed);
  const [alice, bob] = world.pair();
  alice.sendInner("10.0.0.1", "10.0.0.2", "hello");
  world.run(1_000);
  expect(bob.delivered.map(({ mark }) => mark)).toEqual(["hello"]);
  return [world, alice, bob];
}

test("peers that all want to shake hands do so a few a turn", async () => {
  const [world, alice] = await joinedPair(1);
  const before = initiations(alice);
  alice.device.configure({ peers: deadPeers(world, CROWD) }, world.nowMs);
  const atOnce = initiations(alice) - before;
  expect(atOnce).toBeLessThanOrEqual(TURN_MAX);
  expect(alice.device.nextDeadlineMs()).toBeLessThanOrEqual(world.nowMs); // a turn is due, at once
  alice.device.finishTurn(world.nowMs);
  expect(initiations(alice) - before - atOnce).toBeLessThanOrEqual(TURN_MAX);
  world.run(100);
  expect(initiations(alice) - before).toBe(CROWD);
});

test("while many packets pass, handshakes get a tenth of the time", async () => {
  const [world, alice, bob] = await joinedPair(2);
  const before = initiations(alice);
  const startMs = world.nowMs;
  alice.device.state.budget.carried(1_000, world.nowMs);
  alice.device.configure({ peers: deadPeers(world, CROWD) }, world.nowMs);
  for (let i = 0; i < 20; i++) {
    alice.device.state.budget.carried(100, world.nowMs); // among many others
    alice.sendInner("10.0.0.1", "10.0.0.2", `packet ${i}`);
    world.run(1);
  }
  expect(initiations(alice) - before).toBeLessThanOrEqual(TURN_MAX + (world.nowMs - startMs));
  expect(initiations(alice) - before).toBeLessThan(CROWD);
  world.run(500);
  expect(initiations(alice) - before).toBe(CROWD);
  expect(bob.delivered).toHaveLength(21);
});

test("initiations of strangers to each other wait in line and are all answered", async () => {
  const world = await World.create(3);
  const hub = world.node("hub", "192.0.2.1:1");
  const spokes = Array.from({ length: CROWD }, (_, i) => world.node(`spoke ${i}`, `192.0.2.${i + 10}:1`));
  for (const [i, spoke] of spokes.entries()) {
    const prefix = { family: 4 as const, bytes: Uint8Array.of(10, 0, 1, i), length: 32 };
    hub.peer(spoke, { allowedIps: [{ prefix, remove: false }] });
    spoke.peer(hub, {
      endpoint: { family: 4, bytes: Uint8Array.of(192, 0, 2, 1), port: 1, scopeId: 0 },
      allowedIps: [{ prefix: { family: 4, bytes: Uint8Array.of(10, 0, 0, 0), length: 24 }, remove: false }],
    });
  }
  hub.device.state.budget.carried(1_000, world.nowMs); // no turn has all its budget for a while
  for (const [i, spoke] of spokes.entries()) spoke.sendInner(`10.0.1.${i}`, "10.0.0.1", `from ${i}`);
  world.run(10);
  const { ledger } = hub.device.state;
  expect(ledger.inboundUnaccounted()).toBe(0);
  world.run(2_000);
  expect(hub.delivered.map(({ mark }) => mark).sort()).toEqual(spokes.map((_, i) => `from ${i}`).sort());
  expect(ledger.inboundUnaccounted()).toBe(0);
});

test("an update in steps is refused in its first, with nothing changed, or not at all", async () => {
  const [world, alice] = await joinedPair(4);
  const { peersMax, peerByKey } = alice.device.state;
  const tooMany = alice.device.configureInSteps({ peers: deadPeers(world, peersMax + 1) }, () => world.nowMs);
  expect(() => [...tooMany]).toThrow(ConfigureError);
  expect(peerByKey.size).toBe(1);
  const steps = alice.device.configureInSteps({ replacePeers: true, peers: deadPeers(world, 5) }, () => world.nowMs);
  let count = 0;
  while (steps.next().done !== true) count++;
  expect(count).toBe(6); // one goes, five come
  expect(peerByKey.size).toBe(5);
});

test("a new private key in steps: between them nobody is heard, and no key of the old one stays", async () => {
  const [world, alice, bob] = await joinedPair(5);
  const next = new Uint8Array(32).fill(9);
  const steps = alice.device.configureInSteps({ privateKey: next, peers: [] }, () => world.nowMs);
  steps.next();
  expect(alice.device.state.identity).toBeUndefined();
  while (steps.next().done !== true);
  const [peer] = alice.device.peers();
  expect(peer!.keypairs.current).toBeUndefined();
  expect(peer!.handshake.staticStatic).toEqual(new Uint8Array(32));
  expect(bob.device.state.identity).toBeDefined();
});
