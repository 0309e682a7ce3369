// Each drop reason, made to happen once in a simulated pair: that counter of the right direction moves by as much as was injected,
// no other moves, the peer's own counter agrees, and every packet stays accounted for.

import { describe, expect, test } from "vitest";
import { HANDSHAKE_QUEUE_ROWS } from "../../src/core/device/handshake-queue.js";
import { dropReasonNames } from "../../src/core/drop-reason.js";
import { CookieGenerator } from "../../src/core/noise/cookie.js";
import { createInitiation, Handshake, HandshakeContext } from "../../src/core/noise/handshake.js";
import { Identity } from "../../src/core/noise/identity.js";
import { KeypairCell } from "../../src/core/transport/keypair.js";
import { HeaderCell, NO_KEY, type PacketBatch } from "../../src/core/transport/packet-batch.js";
import { injectedIntoSimulation } from "../support/drop-reason-coverage.js";
import { udp4Packet } from "./udp4-packet.js";
import { ipv4Packet, parseAddress, type SimNode, World } from "./world.js";

const [INITIATION, RESPONSE, DATA] = [1, 2, 4] as const;
const COUNTER_LIMIT = Number.MAX_SAFE_INTEGER;

interface Pair {
  readonly world: World;
  readonly alice: SimNode;
  readonly bob: SimNode;
}

interface Case {
  /** Whose ledger; bob receives what alice sends. */
  readonly at?: "alice" | "bob";
  readonly direction?: "inbound" | "outbound";
  /** No peer can be named for it. */
  readonly peerless?: boolean;
  /** Before the counters are read. */
  readonly before?: (pair: Pair) => void;
  readonly inject: (pair: Pair) => void;
}

const send = ({ alice }: Pair, mark = "x"): void => alice.sendInner("10.0.0.1", "10.0.0.2", mark);

/** The newest datagram of a type that a node sent. */
function newest({ world }: Pair, from: SimNode, type: number): Uint8Array {
  return world.tapped
    .filter((flight) => flight.from === from.address && flight.bytes[0] === type)
    .at(-1)!
    .bytes.slice();
}

/** Sends a packet that does not arrive. @returns its datagram */
function withhold(pair: Pair): Uint8Array {
  pair.world.faults.lossPerMille = 1_000;
  send(pair, "withheld");
  pair.world.faults.lossPerMille = 0;
  return newest(pair, pair.alice, DATA);
}

/** Alice's initiation comes again, seldom enough for no load. */
function repeat(pair: Pair): void {
  pair.world.run(3);
  pair.bob.arrive(newest(pair, pair.alice, INITIATION), "203.0.113.9:1");
}

const refusedBy = (errno: number): Case => ({
  at: "alice",
  direction: "outbound",
  inject: (pair) => {
    pair.alice.sendErrno = errno;
    send(pair);
    pair.alice.sendErrno = 0;
  },
});

const silence: Case["before"] = ({ world, alice }) => {
  world.nodes.delete("bob");
  alice.device.down();
  alice.device.up(world.nowMs);
};

/** More handshake messages than a device wants: it is under load now. */
const flood: Case["before"] = (pair) => {
  const initiation = newest(pair, pair.alice, INITIATION);
  for (let i = 0; i < 200; i++) pair.bob.arrive(initiation, `198.51.100.${i}:9`);
};

/** alice forgets her keys and calls anew. */
function callAnew(pair: Pair): void {
  pair.alice.device.down();
  pair.alice.device.up(pair.world.nowMs);
  send(pair);
}

const withCookie: Case["before"] = (pair) => {
  flood(pair);
  callAnew(pair);
  pair.world.run(10);
  pair.world.nodes.delete("bob");
  pair.world.run(6_000);
  flood(pair);
  const initiation = newest(pair, pair.alice, INITIATION);
  for (let i = 0; i < 5; i++) pair.bob.arrive(initiation, pair.alice.address);
};

/** An initiation to `node` under its own key. */
function initiationUnderOwnKey({ world }: Pair, node: SimNode): Uint8Array {
  const { primitives } = world;
  const context = new HandshakeContext(primitives, new Identity(primitives, node.privateKey));
  // The shared secret of a key with itself is none that a peer may have, but a message can be made with it.
  const handshake = new Handshake(context, node.publicKey);
  const message = new Uint8Array(148);
  const ephemeral = new Uint8Array(32);
  world.fillRandom(ephemeral);
  expect(createInitiation(context, handshake, message, ephemeral, new Uint8Array(12).fill(255), 7)).toBe(0);
  new CookieGenerator(primitives, node.publicKey).addMacs(message, world.nowMs);
  return message;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return bytes;
}

const cases: Readonly<Record<string, Case>> = {
  malformed: { peerless: true, inject: ({ alice, bob }) => bob.arrive(new Uint8Array(7), alice.address) },
  unknown_receiver: {
    peerless: true,
    inject: (pair) => pair.bob.arrive(flipped(withhold(pair), 4), pair.alice.address),
  },
  keypair_expired: {
    inject: (pair) => {
      const late = withhold(pair);
      pair.world.nodes.delete("alice");
      pair.world.run(181_000);
      pair.bob.arrive(late, pair.alice.address);
    },
  },
  authentication_failed: { inject: (pair) => pair.bob.arrive(flipped(withhold(pair), -1), pair.alice.address) },
  counter_replayed: { inject: (pair) => pair.bob.arrive(newest(pair, pair.alice, DATA), pair.alice.address) },
  counter_too_old: {
    inject: (pair) => {
      const late = withhold(pair);
      current(pair.alice).state[KeypairCell.SendCounter]! += 20_000;
      send(pair);
      pair.world.run(1);
      pair.bob.arrive(late, pair.alice.address);
    },
  },
  counter_too_large: {
    inject: (pair) => {
      const { alice, bob, world } = pair;
      const datagram = withhold(pair);
      const key = alice.dataPath.keys.get(current(alice).sendKeySlot)!;
      const text = new Uint8Array(datagram.length - 32);
      world.primitives.aeadSeal(datagram.subarray(16), key, COUNTER_LIMIT, text, new Uint8Array(0));
      new DataView(datagram.buffer).setBigUint64(8, BigInt(COUNTER_LIMIT), true);
      bob.arrive(datagram, alice.address);
    },
  },
  inner_malformed: {
    inject: (pair) => {
      const packet = ipv4Packet("10.0.0.1", "10.0.0.2", "longer than it is");
      packet[2] = 255;
      pair.alice.sendInnerRaw(packet);
    },
  },
  source_not_allowed: { inject: ({ alice }) => alice.sendInner("10.0.0.77", "10.0.0.2", "x") },
  ecn_invalid: { inject: (pair) => pair.bob.arrive(withhold(pair), pair.alice.address, 3) },
  tun_write_failed: {
    peerless: true,
    inject: (pair) => {
      pair.bob.tunErrno = 22;
      send(pair);
    },
  },
  interface_down: {
    peerless: true,
    inject: (pair) => {
      pair.bob.tunErrno = 5;
      send(pair);
    },
  },
  key_missing: {
    inject: (pair) => {
      const { dataPath } = pair.bob;
      dataPath.open = (batch) => {
        batch.packetStatus[0] = -126;
        return 0;
      };
      send(pair);
    },
  },

  no_route: {
    at: "alice",
    direction: "outbound",
    peerless: true,
    inject: ({ alice }) => alice.sendInner("10.0.0.1", "10.0.0.99", "x"),
  },
  no_endpoint: {
    at: "alice",
    direction: "outbound",
    before: ({ world, alice }) => {
      const carol = world.node("carol", "192.0.2.3:1003");
      const prefix = { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, 3), length: 32 };
      alice.peer(carol, { allowedIps: [{ prefix, remove: false }] });
    },
    inject: ({ alice }) => alice.sendInner("10.0.0.1", "10.0.0.3", "x"),
  },
  staged_overflow: {
    at: "alice",
    direction: "outbound",
    before: silence,
    inject: (pair) => {
      for (let i = 0; i < 129; i++) send(pair);
    },
  },
  staged_expired: {
    at: "alice",
    direction: "outbound",
    before: silence,
    inject: (pair) => {
      send(pair);
      pair.world.run(120_000);
    },
  },
  seal_failed: {
    at: "alice",
    direction: "outbound",
    inject: (pair) => {
      pair.alice.dataPath.seal = () => -5;
      send(pair);
    },
  },
  send_no_socket: refusedBy(97),
  send_failed: refusedBy(5),
  send_would_block: refusedBy(11),
  send_no_buffers: refusedBy(105),
  send_too_large: refusedBy(90),
  send_unreachable: refusedBy(113),
  send_forbidden: refusedBy(1),

  routing_loop: {
    at: "alice",
    direction: "outbound",
    before: ({ alice, bob }) => {
      const prefix = { family: 4 as const, bytes: parseAddress(bob.address).bytes, length: 32 };
      alice.peer(bob, { allowedIps: [{ prefix, remove: false }] });
    },
    inject: (pair) => pair.alice.sendInnerRaw(udp4Packet(pair.alice, pair.bob, newest(pair, pair.alice, DATA))),
  },

  handshake_backlog: {
    peerless: true,
    before: (pair) => {
      Object.assign(pair.bob.device.state.budget, { take: () => false, nextMs: () => Number.POSITIVE_INFINITY });
      for (let i = 0; i < HANDSHAKE_QUEUE_ROWS; i++) repeat(pair);
    },
    inject: repeat,
  },
  mac1_invalid: {
    peerless: true,
    inject: (pair) => pair.bob.arrive(flipped(newest(pair, pair.alice, INITIATION), 20), pair.alice.address),
  },
  handshake_invalid: {
    at: "alice",
    before: ({ alice, bob }) => bob.peer(alice, { presharedKey: new Uint8Array(32).fill(8) }),
    inject: callAnew,
  },
  unknown_peer: {
    peerless: true,
    before: ({ world, bob }) => {
      const eve = world.node("eve", "192.0.2.66:666");
      const prefix = { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, 2), length: 32 };
      eve.peer(bob, { endpoint: parseAddress(bob.address), allowedIps: [{ prefix, remove: false }] });
    },
    inject: ({ world }) => world.nodes.get("eve")!.sendInner("10.0.0.1", "10.0.0.2", "let me in"),
  },
  timestamp_replayed: {
    inject: (pair) => pair.bob.arrive(newest(pair, pair.alice, INITIATION), pair.alice.address),
  },
  initiation_flood: {
    before: (pair) => {
      callAnew(pair);
      pair.world.run(1);
    },
    inject: callAnew,
  },
  under_load: {
    peerless: true,
    before: flood,
    inject: (pair) => pair.bob.arrive(newest(pair, pair.alice, INITIATION), "198.51.100.250:9"),
  },
  rate_limited: {
    peerless: true,
    before: withCookie,
    inject: (pair) => pair.bob.arrive(newest(pair, pair.alice, INITIATION), pair.alice.address),
  },
  handshake_unexpected: {
    at: "alice",
    peerless: true,
    inject: (pair) => pair.alice.arrive(newest(pair, pair.bob, RESPONSE), pair.bob.address),
  },
  cookie_invalid: {
    at: "alice",
    before: (pair) => {
      silence(pair);
      send(pair);
    },
    inject: (pair) => {
      const reply = new Uint8Array(64);
      reply[0] = 3;
      reply.set(newest(pair, pair.alice, INITIATION).subarray(4, 8), 4);
      pair.alice.arrive(reply, pair.bob.address);
    },
  },
  own_key: {
    peerless: true,
    inject: (pair) => pair.bob.arrive(initiationUnderOwnKey(pair, pair.bob), pair.alice.address),
  },
};

function current(node: SimNode) {
  return [...node.device.peers()][0]!.keypairs.current!;
}

function dropsOf({ device }: SimNode) {
  const { inboundDrops, outboundDrops } = device.state.ledger;
  const ofPeers = [...device.peers()].map(({ statistics }) => statistics);
  const sum = (reason: number): number =>
    ofPeers.reduce(
      (total, { inboundDrops, outboundDrops }) => total + inboundDrops[reason]! + outboundDrops[reason]!,
      0,
    );
  return { inbound: [...inboundDrops], outbound: [...outboundDrops], peers: dropReasonNames.map((_, i) => sum(i)) };
}

function differences(before: number[], after: number[]): Record<string, number> {
  const changed = after.map((value, reason) => [dropReasonNames[reason]!, value - before[reason]!] as const);
  return Object.fromEntries(changed.filter(([, difference]) => difference !== 0));
}

test("every drop reason but those of the kernel has a case here", () => {
  expect(Object.keys(cases).sort()).toEqual([...injectedIntoSimulation].sort());
});

describe("injected once", () => {
  test.each(Object.entries(cases))(
    "%s",
    async (name, { at = "bob", direction = "inbound", peerless, before, inject }) => {
      const world = await World.create(11);
      const [alice, bob] = world.pair();
      const pair = { world, alice, bob };
      send(pair, "first");
      world.run(1_000);
      expect(bob.marks()).toEqual(["first"]);
      before?.(pair);
      const node = pair[at];
      const was = dropsOf(node);
      inject(pair);
      world.run(10);
      const is = dropsOf(node);
      const none = {};
      const once = { [name]: 1 };
      expect(differences(was.inbound, is.inbound)).toEqual(direction === "inbound" ? once : none);
      expect(differences(was.outbound, is.outbound)).toEqual(direction === "outbound" ? once : none);
      expect(differences(was.peers, is.peers)).toEqual(peerless ? none : once);
      for (const { device } of [alice, bob]) {
        expect(device.state.ledger.inboundUnaccounted()).toBe(0);
        expect(device.state.ledger.outboundUnaccounted(device.state.staged.total)).toBe(0);
      }
    },
  );
});

describe("what is not a packet of this host's is no drop of it", () => {
  test.each([
    ["the kernel refuses", (alice: SimNode) => Object.assign(alice, { sendErrno: 1 })],
    ["the cipher refuses the batch", (alice: SimNode) => Object.assign(alice.dataPath, { seal: () => -5 })],
    [
      "the cipher refuses a packet",
      (alice: SimNode) => Object.assign(alice.dataPath, { seal: (batch: PacketBatch) => refuseEach(batch) }),
    ],
  ])("a keepalive that %s", async (_, fail) => {
    const world = await World.create(12);
    const [alice, bob] = world.pair();
    alice.sendInner("10.0.0.1", "10.0.0.2", "first");
    world.run(1_000);
    const was = dropsOf(alice);
    fail(alice);
    alice.peer(bob, { persistentKeepaliveS: 1 });
    world.run(2_500);
    expect(dropsOf(alice)).toEqual(was);
    expect(alice.device.state.ledger.outboundUnaccounted(alice.device.state.staged.total)).toBe(0);
  });
});

function refuseEach(batch: PacketBatch): number {
  for (let run = 0; run < batch.header[HeaderCell.RunCount]!; run++) {
    if (batch.runKey[run] !== NO_KEY) batch.packetStatus[batch.runFirst[run]!] = -22;
  }
  return 0;
}
