// Secrets are zero once they have served: the memory itself is looked at, after success and after refusal.
import { beforeAll, expect, test } from "vitest";
import { DropReason } from "../../../src/core/drop-reason.js";
import { beginKeypair, type Handshake, HandshakeState, NO_INDEX } from "../../../src/core/noise/handshake.js";
import { Identity } from "../../../src/core/noise/identity.js";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import { SymmetricState } from "../../../src/core/noise/symmetric-state.js";
import { isZero, pattern } from "./bytes.js";
import { complete, consume, createPair, finish, initiate, respond, type Side } from "./pair.js";

let p: Primitives;
/** Every buffer that X25519 wrote a shared secret to, and that HMAC wrote a derived one to. */
const sharedSecrets = new Set<Uint8Array>();
const derivedSecrets = new Set<Uint8Array>();
beforeAll(async () => {
  p = Object.create(await createPrimitives());
  const { x25519, hmac } = p;
  p.x25519 = (out, scalar, point) => {
    sharedSecrets.add(out);
    return x25519.call(p, out, scalar, point);
  };
  p.hmac = (out, key, a, b) => {
    derivedSecrets.add(out);
    hmac.call(p, out, key, a, b);
  };
});

/** The secrets of the exchange under way. */
function exchangeSecrets({ symmetric, ephemeralPrivate, ephemeralPublic, remoteEphemeral }: Handshake) {
  const key = (symmetric as unknown as { key: Uint8Array }).key;
  const { chainingKey, hash } = symmetric;
  return { chainingKey, hash, key, ephemeralPrivate, ephemeralPublic, remoteEphemeral };
}

function expectZero(secrets: Record<string, Uint8Array>): void {
  for (const [name, bytes] of Object.entries(secrets)) expect(isZero(bytes), name).toBe(true);
}

function expectContextClean({ context }: Side): void {
  const { chainingKey, hash } = context.trial;
  const key = (context.trial as unknown as { key: Uint8Array }).key;
  expectZero({ chainingKey, hash, key, trialStatic: context.trialStatic, trialTimestamp: context.trialTimestamp });
}

test("beginKeypair zeroes the handshake on both sides and hands the index on", () => {
  const { alice, bob } = createPair(p);
  consume(bob, initiate(alice));
  finish(alice, respond(bob));
  for (const side of [alice, bob]) {
    const { chainingKey, hash, ephemeralPrivate, remoteEphemeral } = exchangeSecrets(side.handshake);
    expect([chainingKey, hash, ephemeralPrivate, remoteEphemeral].some(isZero)).toBe(false);
    expect(beginKeypair(side.handshake)).toBeDefined();
    expectZero(exchangeSecrets(side.handshake));
    expect(side.handshake.state).toBe(HandshakeState.Zeroed);
    expect(side.handshake.localIndex).toBe(NO_INDEX);
    expect(side.handshake.remoteIndex).toBe(0);
  }
});

test("what belongs to the peer outlives an exchange", () => {
  const psk = pattern(32, 5);
  const { alice, bob } = createPair(p, { alicePsk: psk, bobPsk: psk });
  complete(alice, bob);
  expect(bob.handshake.presharedKey).toEqual(psk);
  expect(isZero(bob.handshake.staticStatic)).toBe(false);
  expect(isZero(bob.handshake.lastTimestamp)).toBe(false);
});

test("wipe zeroes the peer's secrets too", () => {
  const { alice } = createPair(p, { alicePsk: pattern(32, 5) });
  initiate(alice);
  alice.handshake.wipe();
  const { presharedKey, staticStatic } = alice.handshake;
  expectZero({ ...exchangeSecrets(alice.handshake), presharedKey, staticStatic });
});

test("working memory is clean after a consumed, a refused and an unknown initiation, and a response", () => {
  const { alice, bob } = createPair(p);
  const message = initiate(alice);
  for (const at of [45, 95]) {
    const corrupt = message.slice();
    corrupt[at] ^= 1;
    expect(consume(bob, corrupt)).toBe(DropReason.HandshakeInvalid);
    expectContextClean(bob);
  }
  consume({ ...bob, find: () => undefined }, message);
  expectContextClean(bob);
  expect(consume(bob, message)).toBe(bob);
  expectContextClean(bob);
  const response = respond(bob);
  const corrupt = response.slice();
  corrupt[50] ^= 1;
  expect(finish(alice, corrupt)).toBe(DropReason.HandshakeInvalid);
  expectContextClean(alice);
  expect(finish(alice, response)).toBe(DropReason.None);
  expectContextClean(alice);
});

test("no key of the moment stays in the handshake between two messages", () => {
  const { alice, bob } = createPair(p);
  const message = initiate(alice);
  expectZero({ key: exchangeSecrets(alice.handshake).key });
  consume(bob, message);
  const response = respond(bob);
  expectZero({ key: exchangeSecrets(bob.handshake).key });
  finish(alice, response);
  expectZero({ key: exchangeSecrets(alice.handshake).key });
});

test("after each message every shared secret is wiped but the precomputed one", () => {
  sharedSecrets.clear();
  const { alice, bob } = createPair(p);
  const steps = [
    () => initiate(alice),
    () => consume(bob, initiate(alice)),
    () => respond(bob),
    () => complete(alice, bob, 1_001, 6_000),
  ];
  for (const step of steps) {
    step();
    sharedSecrets.delete(alice.handshake.staticStatic);
    sharedSecrets.delete(bob.handshake.staticStatic);
    expect(sharedSecrets.size).toBeGreaterThan(0);
    for (const buffer of sharedSecrets) expect(isZero(buffer)).toBe(true);
  }
});

test("after a handshake every derived secret is wiped but the transport keys", () => {
  const { alice, bob } = createPair(p, { alicePsk: pattern(32, 5), bobPsk: pattern(32, 5) });
  derivedSecrets.clear();
  const keypairs = complete(alice, bob);
  const left = [...derivedSecrets].filter((buffer) => !isZero(buffer));
  expect(new Set(left)).toEqual(new Set(keypairs.flatMap(({ sendKey, receiveKey }) => [sendKey, receiveKey])));
});

test("decryptAndHash wipes its key, whether the tag verifies or not", () => {
  const key = (state: SymmetricState) => (state as unknown as { key: Uint8Array }).key;
  const [sealing, opening] = [new SymmetricState(p), new SymmetricState(p)];
  for (const flip of [1, 0]) {
    for (const state of [sealing, opening]) {
      state.initialize(pattern(32, 1), pattern(5, 2));
      state.mixKey(pattern(32, 3));
      expect(isZero(key(state))).toBe(false);
    }
    const sealed = new Uint8Array(20);
    sealing.encryptAndHash(sealed, pattern(4, 4));
    sealed[0] ^= flip;
    expect(opening.decryptAndHash(new Uint8Array(4), sealed)).toBe(flip === 0);
    expect(isZero(key(opening))).toBe(true);
  }
});

test("hmac leaves no key in its working memory", () => {
  p.hmac(new Uint8Array(32), pattern(64, 1), pattern(10, 2));
  const { hasher } = p as unknown as { hasher: Record<"state" | "words" | "block" | "inner", ArrayBufferView> };
  const bytes = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  expectZero({
    state: bytes(hasher.state),
    words: bytes(hasher.words),
    block: bytes(hasher.block),
    inner: bytes(hasher.inner),
  });
});

test("an identity clamps a copy of the key, and wipe zeroes it", () => {
  const given = pattern(32, 255).fill(255);
  const identity = new Identity(p, given);
  expect(given.every((byte) => byte === 255)).toBe(true);
  expect([identity.privateKey[0], identity.privateKey[31]]).toEqual([248, 127]);
  const { privateKey, publicKey, mac1Key, cookieKey } = identity;
  identity.wipe();
  expectZero({ privateKey, publicKey, mac1Key, cookieKey });
});
