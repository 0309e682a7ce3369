// The WireGuard handshake: success in both roles, byte for byte against the reference, and every refusal.
import { beforeAll, describe, expect, test } from "vitest";
import { DropReason } from "../../../src/core/drop-reason.js";
import {
  beginKeypair,
  consumeInitiation,
  createResponse,
  type Handshake,
  HandshakeState,
} from "../../../src/core/noise/handshake.js";
import { Identity } from "../../../src/core/noise/identity.js";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import { pattern, toHex } from "./bytes.js";
import {
  ALICE_EPHEMERAL,
  ALICE_INDEX,
  ALICE_STATIC,
  BOB_EPHEMERAL,
  BOB_INDEX,
  BOB_STATIC,
  complete,
  consume,
  createPair,
  createSide,
  finish,
  initiate,
  respond,
  timestamp,
} from "./pair.js";
import * as reference from "./reference.js";

let p: Primitives;
beforeAll(async () => {
  p = await createPrimitives();
});

/** Every field, to show that a refusal changed nothing. */
function snapshot(handshake: Handshake): unknown {
  return structuredClone({ ...handshake, symmetric: [handshake.symmetric.chainingKey, handshake.symmetric.hash] });
}

const PSK = pattern(32, 99);

describe("against the reference implementation", () => {
  const aliceParty = {
    staticPrivate: ALICE_STATIC,
    staticPublic: reference.publicKeyOf(ALICE_STATIC),
    ephemeralPrivate: ALICE_EPHEMERAL,
  };
  const bobParty = {
    staticPrivate: BOB_STATIC,
    staticPublic: reference.publicKeyOf(BOB_STATIC),
    ephemeralPrivate: BOB_EPHEMERAL,
  };

  test.each([
    ["no", new Uint8Array(32)],
    ["a", PSK],
  ])("initiator: initiation equal byte for byte, reference's response consumed, same keys, %s psk", (_, psk) => {
    const { alice } = createPair(p, { alicePsk: psk });
    const ours = initiate(alice);
    const theirs = reference.initiation(aliceParty, bobParty.staticPublic, ALICE_INDEX, timestamp(1_000));
    expect(toHex(ours.subarray(0, 116))).toBe(toHex(theirs.message.subarray(0, 116)));
    const read = reference.readInitiation(bobParty, ours);
    const answer = reference.response(bobParty, read, psk, BOB_INDEX, ALICE_INDEX);
    expect(finish(alice, answer.message)).toBe(DropReason.None);
    expect(beginKeypair(alice.handshake)).toEqual({
      sendKey: answer.keys[0],
      receiveKey: answer.keys[1],
      localIndex: ALICE_INDEX,
      remoteIndex: BOB_INDEX,
      isInitiator: true,
    });
  });

  test.each([
    ["no", new Uint8Array(32)],
    ["a", PSK],
  ])("responder: reference's initiation consumed, response equal byte for byte, same keys, %s psk", (_, psk) => {
    const { bob } = createPair(p, { bobPsk: psk });
    const theirs = reference.initiation(aliceParty, bobParty.staticPublic, ALICE_INDEX, timestamp(1_000));
    expect(consume(bob, theirs.message)).toBe(bob);
    const ours = respond(bob);
    const read = reference.readInitiation(bobParty, theirs.message);
    const expected = reference.response(bobParty, read, psk, BOB_INDEX, ALICE_INDEX);
    expect(toHex(ours.subarray(0, 60))).toBe(toHex(expected.message.subarray(0, 60)));
    expect(reference.readResponse(aliceParty, theirs.state, psk, ours).keys).toEqual(expected.keys);
    expect(beginKeypair(bob.handshake)).toEqual({
      sendKey: expected.keys[1],
      receiveKey: expected.keys[0],
      localIndex: BOB_INDEX,
      remoteIndex: ALICE_INDEX,
      isInitiator: false,
    });
  });
});

describe("a handshake", () => {
  test("gives both sides mirrored keys, and other ones each time", () => {
    const { alice, bob } = createPair(p, { alicePsk: PSK, bobPsk: PSK });
    const [a, b] = complete(alice, bob);
    expect([a.sendKey, a.receiveKey]).toEqual([b.receiveKey, b.sendKey]);
    expect(a.sendKey).not.toEqual(a.receiveKey);
    expect([a.localIndex, a.remoteIndex]).toEqual([b.remoteIndex, b.localIndex]);
    expect(consume(bob, initiate(alice, 1_001), 6_000)).toBe(bob);
    expect(finish(alice, respond(bob, pattern(32, 71)))).toBe(DropReason.None);
    expect(beginKeypair(alice.handshake)!.sendKey).not.toEqual(a.sendKey);
  });

  test("a psk of zeros is no psk", () => {
    const { alice, bob } = createPair(p, { alicePsk: new Uint8Array(32) });
    const [a, b] = complete(alice, bob);
    expect(a.sendKey).toEqual(b.receiveKey);
  });

  test("a wrong psk is refused by the initiator, and the right one set afterwards works", () => {
    const { alice, bob } = createPair(p, { alicePsk: PSK, bobPsk: pattern(32, 98) });
    expect(consume(bob, initiate(alice))).toBe(bob);
    const response = respond(bob);
    expect(finish(alice, response)).toBe(DropReason.HandshakeInvalid);
    alice.handshake.presharedKey.set(pattern(32, 98));
    expect(finish(alice, response)).toBe(DropReason.None);
  });

  test("works through an x25519 override", async () => {
    const other = await createPrimitives({
      x25519: (out, scalar, point) => out.set(reference.dh(scalar, point)) === undefined,
      x25519Base: (out, scalar) => out.set(reference.publicKeyOf(scalar)),
    });
    const { bob } = createPair(p);
    const { alice } = createPair(other);
    const [a, b] = complete(alice, bob);
    expect(a.sendKey).toEqual(b.receiveKey);
  });

  test("both sides at once: the consumed initiation replaces our own, whose index is still there to release", () => {
    const { alice, bob } = createPair(p);
    const fromAlice = initiate(alice);
    initiate(bob, 1_000, BOB_EPHEMERAL, BOB_INDEX);
    expect(consume(bob, fromAlice)).toBe(bob);
    expect(bob.handshake.localIndex).toBe(BOB_INDEX);
    expect(bob.handshake.state).toBe(HandshakeState.InitiationConsumed);
    expect(finish(alice, respond(bob, BOB_EPHEMERAL, 7))).toBe(DropReason.None);
    expect(beginKeypair(alice.handshake)!.sendKey).toEqual(beginKeypair(bob.handshake)!.receiveKey);
  });

  test("with a new identity on one side works once the other knows it", () => {
    const { alice, bob } = createPair(p);
    const renewed = createSide(p, new Identity(p, pattern(32, 55)), bob.identity.publicKey);
    expect(consume(bob, initiate(renewed))).toBe(DropReason.UnknownPeer);
    const known = createSide(p, bob.identity, renewed.identity.publicKey);
    const [a, b] = complete(renewed, known);
    expect(a.sendKey).toEqual(b.receiveKey);
    // The peer's own handshake can follow the change in place.
    initiate(alice);
    const before = alice.handshake.staticStatic.slice();
    alice.handshake.forgetIdentity();
    expect(alice.handshake.state).toBe(HandshakeState.Zeroed);
    expect(alice.handshake.staticStatic).toEqual(new Uint8Array(32));
    expect(alice.handshake.learnStaticStatic(renewed.context)).toBe(true);
    expect(alice.handshake.staticStatic).toEqual(renewed.handshake.staticStatic);
    expect(alice.handshake.staticStatic).not.toEqual(before);
  });
});

describe("an initiation is refused, and nothing changes,", () => {
  test("if any single byte of it is other than sent", () => {
    const { alice, bob } = createPair(p);
    const message = initiate(alice);
    const before = snapshot(bob.handshake);
    // Header byte 4–7 is the sender's index and covered by mac1 alone; behind 116 stand the macs.
    for (let i = 0; i < 116; i++) {
      if (i >= 4 && i < 8) continue;
      const corrupt = message.slice();
      corrupt[i] ^= 1 << (i & 7);
      const malformed = i < 4;
      // The top bit of a public key is masked by X25519, but the hash still covers it.
      expect(consume(bob, corrupt), `byte ${i}`).toBe(malformed ? DropReason.Malformed : DropReason.HandshakeInvalid);
    }
    expect(snapshot(bob.handshake)).toEqual(before);
    expect(consume(bob, message)).toBe(bob);
  });

  test("if it has another length", () => {
    const { alice, bob } = createPair(p);
    const message = initiate(alice);
    for (const length of [0, 1, 92, 147]) expect(consume(bob, message.subarray(0, length))).toBe(DropReason.Malformed);
    const longer = new Uint8Array(149);
    longer.set(message);
    expect(consume(bob, longer)).toBe(DropReason.Malformed);
  });

  test("if it was meant for another key", () => {
    const { alice } = createPair(p);
    const other = createSide(p, new Identity(p, pattern(32, 60)), alice.identity.publicKey);
    expect(consume(other, initiate(alice))).toBe(DropReason.HandshakeInvalid);
  });

  test("if nobody here knows the initiator", () => {
    const { alice, bob } = createPair(p);
    const asked: string[] = [];
    const nobody = (key: Uint8Array): undefined => void asked.push(toHex(key));
    expect(consumeInitiation(bob.context, initiate(alice), nobody, 0)).toBe(DropReason.UnknownPeer);
    expect(asked).toEqual([toHex(alice.identity.publicKey)]);
  });

  test("if it comes from our own key", () => {
    const { bob } = createPair(p);
    const self = createSide(p, bob.identity, bob.identity.publicKey);
    const message = initiate(self);
    expect(consumeInitiation(bob.context, message, () => self, 0)).toBe(DropReason.OwnKey);
  });

  test("if the initiator lacks the private key of the static key that it shows", () => {
    const { alice, bob } = createPair(p);
    const mallory = new Identity(p, pattern(32, 61));
    const forged = createSide(p, mallory, bob.identity.publicKey);
    forged.identity.publicKey.set(alice.identity.publicKey);
    expect(consume(bob, initiate(forged))).toBe(DropReason.HandshakeInvalid);
  });

  test("if its timestamp is not greater than the last; the last survives clear and a new exchange", () => {
    const { alice, bob } = createPair(p);
    const first = initiate(alice, 1_000);
    const before = initiate(alice, 999);
    const after = initiate(alice, 1_001);
    expect(consume(bob, first, 0)).toBe(bob);
    const state = snapshot(bob.handshake);
    expect(consume(bob, first, 1_000)).toBe(DropReason.TimestampReplayed);
    expect(consume(bob, before, 1_000)).toBe(DropReason.TimestampReplayed);
    expect(snapshot(bob.handshake)).toEqual(state);
    bob.handshake.clear();
    expect(consume(bob, first, 1_000)).toBe(DropReason.TimestampReplayed);
    expect(consume(bob, after, 1_000)).toBe(bob);
    expect(consume(bob, first, 2_000)).toBe(DropReason.TimestampReplayed);
  });

  test("if it follows another within 20 ms, and a refused one does not count", () => {
    const { alice, bob } = createPair(p);
    const messages = [1, 2, 3].map((seconds) => initiate(alice, seconds));
    expect(consume(bob, messages[0], 1_000)).toBe(bob);
    const state = snapshot(bob.handshake);
    expect(consume(bob, messages[1], 1_019.9)).toBe(DropReason.InitiationFlood);
    expect(snapshot(bob.handshake)).toEqual(state);
    expect(consume(bob, messages[1], 1_020)).toBe(bob);
    expect(consume(bob, messages[2], 1_039)).toBe(DropReason.InitiationFlood);
    expect(consume(bob, messages[2], 1_040)).toBe(bob);
  });
});

test("a response cannot be created, nor a keypair begun, before its step", () => {
  const { alice, bob } = createPair(p);
  const out = new Uint8Array(92);
  const early = () => createResponse(bob.context, bob.handshake, out, BOB_EPHEMERAL, BOB_INDEX);
  expect(early()).toBe(DropReason.HandshakeUnexpected);
  expect(beginKeypair(bob.handshake)).toBeUndefined();
  const message = initiate(alice);
  expect(beginKeypair(alice.handshake)).toBeUndefined();
  expect(alice.handshake.state).toBe(HandshakeState.InitiationCreated);
  expect(consume(bob, message)).toBe(bob);
  expect(beginKeypair(bob.handshake)).toBeUndefined();
  respond(bob);
  expect(early()).toBe(DropReason.HandshakeUnexpected);
  expect(beginKeypair(bob.handshake)).toBeDefined();
  expect(beginKeypair(bob.handshake)).toBeUndefined();
});

describe("a response is refused, and the initiation stays outstanding,", () => {
  test("if any single byte of it is other than sent", () => {
    const { alice, bob } = createPair(p, { alicePsk: PSK, bobPsk: PSK });
    expect(consume(bob, initiate(alice))).toBe(bob);
    const message = respond(bob);
    const before = snapshot(alice.handshake);
    for (let i = 0; i < 60; i++) {
      if (i >= 4 && i < 8) continue; // the sender's index is covered by mac1 alone
      const corrupt = message.slice();
      corrupt[i] ^= 1 << (i & 7);
      const reason =
        i < 4 ? DropReason.Malformed : i < 12 ? DropReason.HandshakeUnexpected : DropReason.HandshakeInvalid;
      expect(finish(alice, corrupt), `byte ${i}`).toBe(reason);
    }
    expect(finish(alice, message.subarray(0, 91))).toBe(DropReason.Malformed);
    expect(snapshot(alice.handshake)).toEqual(before);
    expect(finish(alice, message)).toBe(DropReason.None);
  });

  test("if it answers an earlier initiation, or comes twice", () => {
    const { alice, bob } = createPair(p);
    expect(consume(bob, initiate(alice, 1_000), 0)).toBe(bob);
    const stale = respond(bob);
    const current = initiate(alice, 1_005, pattern(32, 70));
    expect(finish(alice, stale)).toBe(DropReason.HandshakeInvalid);
    expect(consume(bob, current, 5_000)).toBe(bob);
    const response = respond(bob);
    expect(finish(alice, response)).toBe(DropReason.None);
    expect(finish(alice, response)).toBe(DropReason.HandshakeUnexpected);
    beginKeypair(alice.handshake);
    expect(finish(alice, response)).toBe(DropReason.HandshakeUnexpected);
  });

  test("if no initiation was created", () => {
    const { alice, bob } = createPair(p);
    expect(finish(alice, respondTo(bob, alice))).toBe(DropReason.None);
    const fresh = createPair(p).alice;
    expect(finish(fresh, respondTo(createPair(p).bob, alice))).toBe(DropReason.HandshakeUnexpected);
  });

  function respondTo(bob: ReturnType<typeof createPair>["bob"], alice: ReturnType<typeof createPair>["alice"]) {
    expect(consume(bob, initiate(alice))).toBe(bob);
    return respond(bob);
  }
});
