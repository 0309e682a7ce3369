// Shared secrets of all zeros: points of low order as static and as ephemeral keys. [W] 5.4; RFC 7748 6.1.
import { beforeAll, describe, expect, test } from "vitest";
import { DropReason } from "../../../src/core/drop-reason.js";
import {
  createInitiation,
  createResponse,
  Handshake,
  HandshakeState,
  NO_INDEX,
} from "../../../src/core/noise/handshake.js";
import { clamp } from "../../../src/core/noise/identity.js";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import { hex, isZero, toHex } from "./bytes.js";
import {
  ALICE_EPHEMERAL,
  ALICE_INDEX,
  BOB_EPHEMERAL,
  BOB_INDEX,
  consume,
  createPair,
  createSide,
  finish,
  initiate,
  respond,
  timestamp,
} from "./pair.js";

let p: Primitives;
beforeAll(async () => {
  p = await createPrimitives();
});

/** The points of low order, canonical and not, that a peer could send. */
const lowOrder = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

const ephemerals = [ALICE_EPHEMERAL, BOB_EPHEMERAL].map((key) => {
  const clamped = key.slice();
  clamp(clamped);
  return toHex(clamped);
});

/** Somebody who sends `point` as ephemeral key and reckons with the zero secret that the receiver will get. */
function withZeroSecrets(point: Uint8Array): Primitives {
  const evil: Primitives = Object.create(p);
  evil.x25519Base = (out, scalar) => (ephemerals.includes(toHex(scalar)) ? out.set(point) : p.x25519Base(out, scalar));
  evil.x25519 = (out, scalar, remote) => {
    if (!ephemerals.includes(toHex(scalar))) return p.x25519(out, scalar, remote);
    out.fill(0);
    return true;
  };
  return evil;
}

/** A receiver that forgot the check: shows that a forgery is right but for the zeros. */
function withoutCheck(): Primitives {
  const blind: Primitives = Object.create(p);
  blind.x25519 = (out, scalar, point) => {
    p.x25519(out, scalar, point);
    return true;
  };
  return blind;
}

/** Counts multiplications, and says all-zero of number `refused` although it computes it rightly. */
function refusing(refused: number): { primitives: Primitives; count: () => number } {
  let calls = 0;
  const primitives: Primitives = Object.create(p);
  primitives.x25519 = (out, scalar, point) => p.x25519(out, scalar, point) && ++calls !== refused;
  return { primitives, count: () => calls };
}

describe("each DH by itself can refuse:", () => {
  /** Runs `step` with the multiplication number 1, 2, … of it refused, until it has no such one. */
  function refusals(build: (primitives: Primitives) => () => unknown): unknown[] {
    const reasons: unknown[] = [];
    for (let n = 1; ; n++) {
      const probe = refusing(0);
      build(probe.primitives);
      const { primitives, count } = refusing(probe.count() + n);
      const reason = build(primitives)();
      if (count() < probe.count() + n) return reasons;
      reasons.push(reason);
    }
  }

  test("es of createInitiation", () => {
    const reasons = refusals((primitives) => {
      const { context, handshake } = createPair(primitives).alice;
      return () => createInitiation(context, handshake, new Uint8Array(148), ALICE_EPHEMERAL, timestamp(1), 1);
    });
    expect(reasons).toEqual([DropReason.HandshakeInvalid]);
  });

  test("es of consumeInitiation", () => {
    const message = initiate(createPair(p).alice);
    const reasons = refusals((primitives) => {
      const { bob } = createPair(primitives);
      return () => consume(bob, message);
    });
    expect(reasons).toEqual([DropReason.HandshakeInvalid]);
  });

  test("ee and se of createResponse", () => {
    const message = initiate(createPair(p).alice);
    const reasons = refusals((primitives) => {
      const { bob } = createPair(primitives);
      expect(consume(bob, message)).toBe(bob);
      return () => createResponse(bob.context, bob.handshake, new Uint8Array(92), BOB_EPHEMERAL, BOB_INDEX);
    });
    expect(reasons).toEqual([DropReason.HandshakeInvalid, DropReason.HandshakeInvalid]);
  });

  test("ee and se of consumeResponse", () => {
    const { bob } = createPair(p);
    expect(consume(bob, initiate(createPair(p).alice))).toBe(bob);
    const response = respond(bob);
    const reasons = refusals((primitives) => {
      const { alice } = createPair(primitives);
      initiate(alice);
      return () => finish(alice, response);
    });
    expect(reasons).toEqual([DropReason.HandshakeInvalid, DropReason.HandshakeInvalid]);
  });
});

describe.each(lowOrder)("point %s", (text) => {
  const point = hex(text);

  test("as static key: no handshake begins", () => {
    const { alice } = createPair(p);
    const handshake = new Handshake(alice.context, point);
    expect(handshake.learnStaticStatic(alice.context)).toBe(false);
    const out = new Uint8Array(148);
    const reason = createInitiation(alice.context, handshake, out, ALICE_EPHEMERAL, timestamp(1), ALICE_INDEX);
    expect(reason).toBe(DropReason.HandshakeInvalid);
    expect([handshake.state, handshake.localIndex]).toEqual([HandshakeState.Zeroed, NO_INDEX]);
    expect(isZero(out)).toBe(true);
  });

  test("as static key of a peer: anybody could reckon with it, so its initiation is refused", () => {
    const { alice, bob } = createPair(p);
    alice.identity.publicKey.set(point);
    alice.handshake.learnStaticStatic(alice.context);
    alice.handshake.staticStatic.fill(0);
    const forged = initiate(alice);
    const sighted = createSide(p, bob.identity, point);
    expect(consume(sighted, forged)).toBe(DropReason.HandshakeInvalid);
    const blind = createSide(withoutCheck(), bob.identity, point);
    expect(consume(blind, forged)).toBe(blind);
  });

  test("as the initiator's ephemeral key: refused", () => {
    const { bob } = createPair(p);
    const forged = initiate(createPair(withZeroSecrets(point)).alice);
    expect(toHex(forged.subarray(8, 40))).toBe(text);
    expect(consume(bob, forged)).toBe(DropReason.HandshakeInvalid);
    const blindBob = createPair(withoutCheck()).bob;
    expect(consume(blindBob, forged)).toBe(blindBob);
  });

  test("as the responder's ephemeral key: refused, and the initiation stays outstanding", () => {
    const { alice } = createPair(p);
    const evilBob = createPair(withZeroSecrets(point)).bob;
    expect(consume(evilBob, initiate(alice))).toBe(evilBob);
    const forged = respond(evilBob);
    expect(finish(alice, forged)).toBe(DropReason.HandshakeInvalid);
    expect(alice.handshake.state).toBe(HandshakeState.InitiationCreated);
    const blindAlice = createPair(withoutCheck()).alice;
    initiate(blindAlice);
    expect(finish(blindAlice, forged)).toBe(DropReason.None);
  });

  test("as an ephemeral key that a response would answer: none is created", () => {
    const { alice, bob } = createPair(p);
    expect(consume(bob, initiate(alice))).toBe(bob);
    bob.handshake.remoteEphemeral.set(point);
    const reason = createResponse(bob.context, bob.handshake, new Uint8Array(92), BOB_EPHEMERAL, BOB_INDEX);
    expect(reason).toBe(DropReason.HandshakeInvalid);
    expect(bob.handshake.state).toBe(HandshakeState.Zeroed);
  });
});
