// The life of keypairs and handshakes between two devices in virtual time; docs/conformance.md names these tests.

import { describe, expect, test } from "vitest";
import { DropReason } from "../../src/core/drop-reason.js";
import { REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES } from "../../src/core/noise/constants.js";
import { KeypairCell } from "../../src/core/transport/keypair.js";
import { type SimNode, World } from "./world.js";

const ALICE = "10.0.0.1";
const BOB = "10.0.0.2";
const INITIATION = 1;
const RESPONSE = 2;
const COOKIE_REPLY = 3;
const DATA = 4;
const KEEPALIVE_BYTES = 32;
const MAC2_BYTES = 16;
/** Timers fire at the end of their tick. */
const TIMER_TICK_MS = 4;

/** Datagrams of one type that a node sent so far. */
function sentBy(node: SimNode, type: number): { bytes: Uint8Array; atMs: number }[] {
  return node.world.tapped.filter((flight) => flight.from === node.address && flight.bytes[0] === type);
}

function dropsOf(node: SimNode, reason: number): number {
  return node.device.state.ledger.inboundDrops[reason];
}

function onlyPeer(node: SimNode): ReturnType<SimNode["device"]["peers"]> extends Iterable<infer P> ? P : never {
  return [...node.device.peers()][0];
}

/** Alice initiated, both have used the keypair. */
async function joined(seed = 1): Promise<{ world: World; alice: SimNode; bob: SimNode }> {
  const world = await World.create(seed);
  const [alice, bob] = world.pair();
  alice.sendInner(ALICE, BOB, "first");
  world.run(100);
  bob.sendInner(BOB, ALICE, "second");
  world.run(100);
  expect([...bob.marks(), ...alice.marks()]).toEqual(["first", "second"]);
  return { world, alice, bob };
}

describe("silence, [W] 5.1", () => {
  test("nothing is answered without a valid mac1", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner(ALICE, BOB, "x");
    const initiation = sentBy(alice, INITIATION)[0].bytes;
    for (const at of [0, 5, 60, 147 - MAC2_BYTES]) {
      const forged = initiation.slice();
      forged[at] ^= 1;
      bob.arrive(forged, "203.0.113.9:9");
    }
    for (const length of [0, 1, 31, 32, 64, 92, 148, 1_500])
      bob.arrive(new Uint8Array(length).fill(7), "203.0.113.9:9");
    expect(world.tapped.filter((flight) => flight.from === bob.address)).toEqual([]);
    expect(dropsOf(bob, DropReason.Mac1Invalid)).toBe(3);
    expect(dropsOf(bob, DropReason.Malformed)).toBe(9);
  });
});

describe("under load, [W] 5.3", () => {
  /** Loads bob with well-formed messages that only lack mac2. */
  function load(bob: SimNode, message: Uint8Array): void {
    for (let i = 0; i < 400; i++) bob.arrive(message, "203.0.113.9:9");
  }

  test("a message without mac2 is answered with a cookie; the next retransmission carries mac2 and is answered", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner(ALICE, BOB, "x");
    const initiation = sentBy(alice, INITIATION)[0];
    load(bob, initiation.bytes.slice());
    world.run(100);
    expect(dropsOf(bob, DropReason.UnderLoad)).toBeGreaterThan(0);
    const toAlice = world.tapped.filter((flight) => flight.to === alice.address && flight.bytes[0] === COOKIE_REPLY);
    expect(toAlice).toHaveLength(1);
    expect(initiation.bytes.subarray(148 - MAC2_BYTES).every((byte) => byte === 0)).toBe(true);

    // [W] 6.6: the cookie is only stored; nothing goes out before the next retransmission is due.
    world.run(4_700);
    expect(sentBy(alice, INITIATION)).toHaveLength(1);
    const responses = sentBy(bob, RESPONSE).length;
    load(bob, initiation.bytes.slice());
    world.run(1_000);
    const second = sentBy(alice, INITIATION)[1];
    expect(second.bytes.subarray(148 - MAC2_BYTES).some((byte) => byte !== 0)).toBe(true);
    expect(sentBy(bob, RESPONSE)).toHaveLength(responses + 1);
    expect(bob.marks()).toEqual(["x"]);
  });

  test("beside much traffic a source gets one cookie at once and a share of few more, and a new source gets its own", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner(ALICE, BOB, "x");
    world.run(100);
    const initiation = sentBy(alice, INITIATION)[0].bytes.slice();
    const repliesTo = (address: string): number =>
      world.tapped.filter(({ to, bytes }) => to === address && bytes[0] === COOKIE_REPLY).length;
    load(bob, initiation);
    expect(repliesTo("203.0.113.9:9")).toBeGreaterThan(200);

    for (let i = 0; i < 200; i++) alice.sendInner(ALICE, BOB, "much");
    world.run(0);
    const [replies, refused] = [repliesTo("203.0.113.9:9"), dropsOf(bob, DropReason.HandshakeBacklog)];
    load(bob, initiation);
    const more = repliesTo("203.0.113.9:9") - replies;
    expect(more).toBeGreaterThan(0);
    expect(more).toBeLessThan(100);
    expect(dropsOf(bob, DropReason.HandshakeBacklog) - refused).toBe(400 - more);
    for (const address of ["198.51.100.1:1", "198.51.100.2:1"]) {
      bob.arrive(initiation.slice(), address);
      bob.arrive(initiation.slice(), address);
      expect(repliesTo(address)).toBe(1);
    }
  });

  test("a response without mac2 is answered with a cookie too", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner(ALICE, BOB, "x");
    for (const flight of world.tapped) if (flight.to === bob.address) bob.arrive(flight.bytes, flight.from);
    const response = sentBy(bob, RESPONSE)[0].bytes;
    for (let i = 0; i < 400; i++) alice.arrive(new Uint8Array(response), "203.0.113.9:9");
    expect(dropsOf(alice, DropReason.UnderLoad)).toBeGreaterThan(0);
    expect(sentBy(alice, COOKIE_REPLY).length).toBe(dropsOf(alice, DropReason.UnderLoad));
  });
});

describe("key confirmation, [W] 5.4.1", () => {
  test("the initiator confirms at once, with what is staged or with an empty packet", async () => {
    const world = await World.create();
    const [alice, bob] = world.pair();
    alice.sendInner(ALICE, BOB, "x");
    world.run(100);
    expect(sentBy(alice, DATA)[0].bytes.length).toBeGreaterThan(KEEPALIVE_BYTES);
    const idle = await World.create();
    const [carol, dave] = idle.pair();
    carol.peer(dave, { persistentKeepaliveS: 25 });
    idle.run(100);
    expect(sentBy(carol, DATA)[0].bytes).toHaveLength(KEEPALIVE_BYTES);
    expect(bob.marks()).toEqual(["x"]);
  });
});

describe("limits of a keypair, [W] 6.2", () => {
  test("after 120 s the initiator asks for new keys when it sends, the responder does not", async () => {
    const { world, alice, bob } = await joined();
    world.run(121_000);
    bob.sendInner(BOB, ALICE, "y");
    expect(sentBy(bob, INITIATION)).toHaveLength(0);
    alice.sendInner(ALICE, BOB, "z");
    expect(sentBy(alice, INITIATION)).toHaveLength(2);
    expect(alice.marks()).toEqual(["second"]);
    world.run(100);
    expect(alice.marks()).toEqual(["second", "y"]);
    expect(bob.marks()).toEqual(["first", "z"]);
  });

  test("after 165 s the initiator asks for new keys when it receives", async () => {
    const { world, alice, bob } = await joined();
    world.run(163_000);
    world.nodes.delete("bob");
    const deliver = (mark: string): void => {
      bob.sendInner(BOB, ALICE, mark);
      alice.arrive(sentBy(bob, DATA).at(-1)?.bytes ?? new Uint8Array(), bob.address);
    };
    deliver("at 163 s");
    expect(sentBy(alice, INITIATION)).toHaveLength(1);
    world.run(3_000);
    deliver("at 166 s");
    expect(sentBy(alice, INITIATION)).toHaveLength(2);
    expect(alice.marks()).toEqual(["second", "at 163 s", "at 166 s"]);
  });

  test("past 180 s a keypair neither sends nor receives", async () => {
    const { world, alice, bob } = await joined();
    world.nodes.delete("bob");
    world.run(170_000);
    alice.sendInner(ALICE, BOB, "late");
    const late = sentBy(alice, DATA).at(-1)?.bytes ?? new Uint8Array();
    world.run(11_000);
    bob.arrive(late, alice.address);
    expect(dropsOf(bob, DropReason.KeypairExpired)).toBe(1);
    expect(bob.marks()).toEqual(["first"]);
    const sent = sentBy(bob, DATA).length;
    bob.sendInner(BOB, ALICE, "staged");
    expect(sentBy(bob, DATA)).toHaveLength(sent);
    expect(sentBy(bob, INITIATION)).toHaveLength(1);
  });

  test("a message counter near its end asks for new keys, and at its end sends no more", async () => {
    const { world, alice, bob } = await joined();
    const keypair = onlyPeer(bob).keypairs.current;
    world.run(6_000);
    if (keypair === undefined) throw new Error("bob has no keypair");
    keypair.state[KeypairCell.SendCounter] = REKEY_AFTER_MESSAGES + 1;
    bob.sendInner(BOB, ALICE, "near");
    expect(sentBy(bob, INITIATION)).toHaveLength(1);
    keypair.state[KeypairCell.SendCounter] = REJECT_AFTER_MESSAGES;
    const sent = sentBy(bob, DATA).length;
    bob.sendInner(BOB, ALICE, "staged");
    expect(sentBy(bob, DATA)).toHaveLength(sent);
    world.run(100);
    expect(alice.marks()).toEqual(["second", "near", "staged"]);
  });

  test("a counter is never used twice and begins at 0", async () => {
    const { alice } = await joined();
    for (let i = 0; i < 20; i++) alice.sendInner(ALICE, BOB, `n${i}`);
    const counters = sentBy(alice, DATA).map(({ bytes }) => new DataView(bytes.buffer).getBigUint64(8, true));
    expect(counters).toEqual(counters.map((_, i) => BigInt(i)));
  });
});

describe("rotation, [W] 6.3", () => {
  test("what is in flight on the old keypair is still received after a new one took over", async () => {
    const { world, alice, bob } = await joined();
    world.run(121_000);
    alice.sendInner(ALICE, BOB, "held");
    const held = sentBy(alice, DATA).at(-1)?.bytes ?? new Uint8Array();
    world.run(100);
    alice.sendInner(ALICE, BOB, "on the new one");
    world.run(100);
    expect(onlyPeer(bob).keypairs.previous).toBeDefined();
    bob.sendInner(BOB, ALICE, "answer");
    world.run(100);
    expect(alice.marks()).toEqual(["second", "answer"]);
    expect(bob.marks()).toEqual(["first", "held", "on the new one"]);
    bob.arrive(held, alice.address);
    expect(dropsOf(bob, DropReason.CounterReplayed)).toBe(1);
    expect(dropsOf(bob, DropReason.UnknownReceiver)).toBe(0);
  });
});

describe("retransmission, [W] 6.4", () => {
  const gapsOf = (node: SimNode): number[] => {
    const times = sentBy(node, INITIATION).map((flight) => flight.atMs);
    return times.slice(1).map((atMs, i) => atMs - times[i]);
  };

  test("initiations are at least 5 s apart, whatever is asked of them", async () => {
    const world = await World.create(11);
    const [alice] = world.pair();
    world.nodes.delete("bob");
    for (let i = 0; i < 400; i++) {
      alice.sendInner(ALICE, BOB, `p${i}`);
      world.run(70);
    }
    expect(gapsOf(alice).length).toBeGreaterThanOrEqual(5);
    expect(Math.min(...gapsOf(alice))).toBeGreaterThanOrEqual(5_000);
  });

  test("initiations that cross, with traffic at both ends at every moment, do not cross for ever", async () => {
    for (let seed = 20; seed < 30; seed++) {
      const world = await World.create(seed);
      const [alice, bob] = world.pair();
      for (let i = 0; i < 600; i++) {
        alice.sendInner(ALICE, BOB, "p");
        bob.sendInner(BOB, ALICE, "q");
        world.run(20);
      }
      expect(dropsOf(alice, DropReason.HandshakeUnexpected)).toBeGreaterThan(0); // they did cross
      expect(onlyPeer(alice).keypairs.current).toBeDefined();
      expect(onlyPeer(bob).keypairs.current).toBeDefined();
    }
  });

  test("unanswered initiations come again after 5 s and up to a third of a second of jitter", async () => {
    const world = await World.create(12);
    const [alice] = world.pair();
    world.nodes.delete("bob");
    alice.sendInner(ALICE, BOB, "p");
    world.run(60_000);
    const gaps = gapsOf(alice);
    expect(gaps.length).toBeGreaterThanOrEqual(10);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_334 + TIMER_TICK_MS);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(50);
  });
});

describe("sources of datagrams, [W] 2.1", () => {
  test("a datagram that does not authenticate moves no endpoint", async () => {
    const { world, alice, bob } = await joined();
    alice.sendInner(ALICE, BOB, "x");
    const forged = (sentBy(alice, DATA).at(-1)?.bytes ?? new Uint8Array()).slice();
    forged[20] ^= 1;
    bob.arrive(forged, "203.0.113.9:9");
    expect(dropsOf(bob, DropReason.AuthenticationFailed)).toBe(1);
    expect(bob.log.filter((line) => line.endsWith("endpoint") && line.startsWith(String(world.nowMs)))).toEqual([]);
    bob.sendInner(BOB, ALICE, "y");
    expect(world.tapped.at(-1)?.to).toBe(alice.address);
  });
});
