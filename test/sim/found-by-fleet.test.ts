// What the fleet simulation found in the core, each alone and by hand. docs/simulation.md names the findings.

import { expect, test } from "vitest";
import { REJECT_AFTER_TIME_MS, REKEY_ATTEMPT_TIME_MS, REKEY_TIMEOUT_MS } from "../../src/core/noise/constants.js";
import { HandshakeState } from "../../src/core/noise/handshake.js";
import { type SimNode, World } from "./world.js";

const ALICE = "10.0.0.1";
const BOB = "10.0.0.2";
const ZERO_KEYS_MS = 3 * REJECT_AFTER_TIME_MS;
/** Timers fire at the end of their tick. */
const TIMER_TICK_MS = 4;

function initiationsOf(node: SimNode): number[] {
  const sent = node.world.tapped.filter((flight) => flight.from === node.address && flight.bytes[0] === 1);
  return sent.map((flight) => flight.atMs);
}

test("the responder's keys live 540 s from the exchange, however late they were confirmed", async () => {
  const world = await World.create();
  const [alice, bob] = world.pair();
  world.nodes.clear();
  const last = (): Uint8Array => world.tapped.at(-1)?.bytes ?? new Uint8Array();
  alice.sendInner(ALICE, BOB, "first");
  bob.arrive(last(), alice.address);
  const exchangedMs = world.nowMs;
  alice.arrive(last(), bob.address);
  const confirmation = last();
  world.run(1); //  what is on the wire gets nowhere
  world.nodes.set("bob", bob);
  world.run(39_999);
  expect(bob.marks()).toEqual([]);
  bob.arrive(confirmation, alice.address);
  expect(bob.marks()).toEqual(["first"]);
  world.run(exchangedMs + ZERO_KEYS_MS - 10 - world.nowMs);
  expect(bob.dataPath.keys.size).toBe(2);
  world.run(10 + TIMER_TICK_MS);
  expect(bob.dataPath.keys.size).toBe(0);
});

test("zeroing keys does not let a second initiation follow the first within 5 s", async () => {
  const world = await World.create();
  const [alice] = world.pair();
  alice.sendInner(ALICE, BOB, "first");
  world.run(100);
  world.faults.lossPerMille = 1_000;
  world.run(ZERO_KEYS_MS - 2_100);
  alice.sendInner(ALICE, BOB, "before the keys go");
  const before = initiationsOf(alice).at(-1) as number;
  expect(world.nowMs - before).toBe(0);
  world.run(3_000);
  expect(alice.dataPath.keys.size).toBe(0);
  alice.sendInner(ALICE, BOB, "after they went");
  expect(initiationsOf(alice).at(-1)).toBe(before);
  world.run(REKEY_TIMEOUT_MS);
  expect(initiationsOf(alice).at(-1)).toBeGreaterThanOrEqual(before + REKEY_TIMEOUT_MS);
});

test("one packet is enough: it does not stay staged because a lost response of ours was the last message", async () => {
  const world = await World.create();
  const [alice, bob] = world.pair();
  alice.sendInner(ALICE, BOB, "first");
  const initiation = world.tapped[0].bytes;
  world.nodes.delete("alice");
  bob.arrive(initiation, alice.address); //  the response goes to nobody
  world.run(1_000);
  bob.sendInner(BOB, ALICE, "only one");
  expect(initiationsOf(bob)).toEqual([]);
  world.run(REKEY_TIMEOUT_MS);
  expect(initiationsOf(bob)).toHaveLength(1);
  world.nodes.set("alice", alice);
  world.run(2 * REKEY_TIMEOUT_MS);
  expect(alice.marks()).toEqual(["only one"]);
});

test("what was staged while the interface was down goes out when it comes up", async () => {
  const world = await World.create();
  const [alice, bob] = world.pair();
  alice.device.down();
  alice.sendInner(ALICE, BOB, "early");
  world.run(1_000);
  expect(bob.marks()).toEqual([]);
  alice.device.up(world.nowMs);
  world.run(1_000);
  expect(bob.marks()).toEqual(["early"]);
});

test("a daemon that was stopped gives a handshake up late, and zeroes it 540 s from its last initiation all the same", async () => {
  const world = await World.create();
  const [alice] = world.pair();
  const [peer] = alice.device.peers();
  world.faults.lossPerMille = 1_000;
  alice.sendInner(ALICE, BOB, "nobody answers");
  const attempts = 1 + REKEY_ATTEMPT_TIME_MS / REKEY_TIMEOUT_MS;
  while (initiationsOf(alice).length < attempts) world.run(100);
  const lastMs = initiationsOf(alice).at(-1) as number;
  world.nodes.delete("alice"); // stopped
  world.run(200_000);
  world.nodes.set("alice", alice);
  world.run(lastMs + ZERO_KEYS_MS - 1_000 - world.nowMs);
  expect(initiationsOf(alice).at(-1)).toBe(lastMs);
  expect(peer?.handshake.state).toBe(HandshakeState.InitiationCreated);
  world.run(1_000 + TIMER_TICK_MS);
  expect(peer?.handshake.state).toBe(HandshakeState.Zeroed);
});
