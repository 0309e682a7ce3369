// Two parties of a handshake for tests: alice initiates, bob responds. Keys, ephemerals and times are fixed, so that
// every message is the same in every run.
import { expect } from "vitest";
import { DropReason } from "../../../src/core/drop-reason.js";
import {
  beginKeypair,
  consumeInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  Handshake,
  HandshakeContext,
  type KeypairSecrets,
} from "../../../src/core/noise/handshake.js";
import { Identity } from "../../../src/core/noise/identity.js";
import type { Primitives } from "../../../src/core/noise/primitives.js";
import { encodeTai64n } from "../../../src/core/noise/tai64n.js";
import { pattern } from "./bytes.js";

export const ALICE_STATIC = pattern(32, 11);
export const BOB_STATIC = pattern(32, 12);
export const ALICE_EPHEMERAL = pattern(32, 13);
export const BOB_EPHEMERAL = pattern(32, 14);
export const ALICE_INDEX = 0xa11ce001;
export const BOB_INDEX = 0xb0b00002;

/** What a device keeps of a peer, as far as the handshake is concerned. */
export interface Side {
  readonly context: HandshakeContext;
  readonly identity: Identity;
  readonly handshake: Handshake;
  /** Finds the other side by its static key, and nobody else. */
  readonly find: (remoteStatic: Uint8Array) => Side | undefined;
}

export interface PairOptions {
  readonly alicePsk?: Uint8Array;
  readonly bobPsk?: Uint8Array;
}

export function createPair(p: Primitives, options: PairOptions = {}): { alice: Side; bob: Side } {
  const alice = new Identity(p, ALICE_STATIC);
  const bob = new Identity(p, BOB_STATIC);
  return {
    alice: createSide(p, alice, bob.publicKey, options.alicePsk),
    bob: createSide(p, bob, alice.publicKey, options.bobPsk),
  };
}

export function createSide(p: Primitives, identity: Identity, remoteStatic: Uint8Array, psk?: Uint8Array): Side {
  const context = new HandshakeContext(p, identity);
  const handshake = new Handshake(context, remoteStatic, psk);
  handshake.learnStaticStatic(context);
  const find = (key: Uint8Array) => (p.equal(key, handshake.remoteStatic) ? side : undefined);
  const side: Side = { context, identity, handshake, find };
  return side;
}

export function timestamp(seconds: number): Uint8Array {
  const out = new Uint8Array(12);
  encodeTai64n(out, seconds, 0);
  return out;
}

/** An initiation without macs. */
export function initiate(side: Side, seconds = 1_000, ephemeral = ALICE_EPHEMERAL, index = ALICE_INDEX): Uint8Array {
  const out = new Uint8Array(148);
  const reason = createInitiation(side.context, side.handshake, out, ephemeral, timestamp(seconds), index);
  expect(reason).toBe(DropReason.None);
  return out;
}

export function consume(side: Side, message: Uint8Array, nowMs = 5_000): Side | DropReason {
  return consumeInitiation(side.context, message, side.find, nowMs);
}

/** A response without macs. */
export function respond(side: Side, ephemeral = BOB_EPHEMERAL, index = BOB_INDEX): Uint8Array {
  const out = new Uint8Array(92);
  expect(createResponse(side.context, side.handshake, out, ephemeral, index)).toBe(DropReason.None);
  return out;
}

export function finish(side: Side, response: Uint8Array): DropReason {
  return consumeResponse(side.context, response, side.handshake);
}

/** The whole exchange; both sides' secrets. */
export function complete(alice: Side, bob: Side, seconds = 1_000, nowMs = 5_000): [KeypairSecrets, KeypairSecrets] {
  expect(consume(bob, initiate(alice, seconds), nowMs)).toBe(bob);
  expect(finish(alice, respond(bob))).toBe(DropReason.None);
  return [beginKeypair(alice.handshake)!, beginKeypair(bob.handshake)!];
}
