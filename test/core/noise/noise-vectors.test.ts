// The published Noise_IK and Noise_IKpsk2 handshakes, replayed through the code that WireGuard's messages use:
// ik-psk2.ts whole for IKpsk2; its token steps, composed without the psk's, for IK.
import { beforeAll, describe, expect, test } from "vitest";
import {
  readInitiationPayload,
  readInitiationStatic,
  readResponse,
  writeInitiation,
  writeResponse,
} from "../../../src/core/noise/ik-psk2.js";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import { SymmetricState } from "../../../src/core/noise/symmetric-state.js";
import { concat, hex, toHex, vectors } from "./bytes.js";

interface Vector {
  protocol_name: string;
  init_prologue: string;
  init_psks?: string[];
  init_static: string;
  init_ephemeral: string;
  init_remote_static: string;
  resp_static: string;
  resp_ephemeral: string;
  handshake_hash: string;
  messages: { payload: string; ciphertext: string }[];
}

let p: Primitives;
let ik: Vector;
let ikPsk2: Vector;
beforeAll(async () => {
  p = await createPrimitives();
  [ik, ikPsk2] = vectors<{ vectors: Vector[] }>("noise-ik.json").vectors;
});

interface KeyPair {
  privateKey: Uint8Array;
  publicKey: Uint8Array;
}
function keyPair(privateKey: string): KeyPair {
  const publicKey = new Uint8Array(32);
  p.x25519Base(publicKey, hex(privateKey));
  return { privateKey: hex(privateKey), publicKey };
}

function dh(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const out = new Uint8Array(32);
  expect(p.x25519(out, privateKey, publicKey)).toBe(true);
  return out;
}

function start(v: Vector): SymmetricState {
  const state = new SymmetricState(p);
  state.initialize(new TextEncoder().encode(v.protocol_name), hex(v.init_prologue));
  return state;
}

function partiesOf(v: Vector) {
  return {
    initiatorStatic: keyPair(v.init_static),
    initiatorEphemeral: keyPair(v.init_ephemeral),
    responderStatic: keyPair(v.resp_static),
    responderEphemeral: keyPair(v.resp_ephemeral),
  };
}

/** Both states have reached the vector's handshake hash; the transport messages alternate, initiator first. */
function expectFinished(v: Vector, initiator: SymmetricState, responder: SymmetricState): void {
  expect(toHex(initiator.hash)).toBe(v.handshake_hash);
  expect(toHex(responder.hash)).toBe(v.handshake_hash);
  const keys = [new Uint8Array(32), new Uint8Array(32)];
  initiator.split(keys[0], keys[1]);
  const responderKeys = [new Uint8Array(32), new Uint8Array(32)];
  responder.split(responderKeys[0], responderKeys[1]);
  expect(responderKeys).toEqual(keys);
  const transport = v.messages.slice(2);
  expect(transport).toHaveLength(4);
  for (const [i, message] of transport.entries()) {
    const payload = hex(message.payload);
    const sealed = new Uint8Array(payload.length + 16);
    p.aeadSeal(sealed, keys[i % 2], i >> 1, payload, new Uint8Array(0));
    expect(toHex(sealed)).toBe(message.ciphertext);
    const opened = new Uint8Array(payload.length);
    expect(p.aeadOpen(opened, keys[i % 2], i >> 1, hex(message.ciphertext), new Uint8Array(0))).toBe(true);
    expect(opened).toEqual(payload);
  }
}

describe("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s", () => {
  test("whole handshake and transport, byte for byte, both roles", () => {
    const { initiatorStatic, initiatorEphemeral, responderStatic, responderEphemeral } = partiesOf(ikPsk2);
    const presharedKey = hex(ikPsk2.init_psks![0]);
    expect(toHex(responderStatic.publicKey)).toBe(ikPsk2.init_remote_static);
    const initiator = start(ikPsk2);
    const responder = start(ikPsk2);

    const first = new Uint8Array(3 + hex(ikPsk2.messages[0].ciphertext).length);
    const initiatorKeys = {
      staticPublic: initiatorStatic.publicKey,
      ephemeralPrivate: initiatorEphemeral.privateKey,
      ephemeralPublic: initiatorEphemeral.publicKey,
      remoteStatic: responderStatic.publicKey,
      staticStatic: dh(initiatorStatic.privateKey, responderStatic.publicKey),
    };
    expect(writeInitiation(p, initiator, initiatorKeys, hex(ikPsk2.messages[0].payload), first, 3)).toBe(true);
    expect(toHex(first)).toBe(`000000${ikPsk2.messages[0].ciphertext}`);

    const remoteStatic = new Uint8Array(32);
    const payload = new Uint8Array(hex(ikPsk2.messages[0].payload).length);
    expect(readInitiationStatic(p, responder, responderStatic, first, 3, remoteStatic)).toBe(true);
    expect(remoteStatic).toEqual(initiatorStatic.publicKey);
    const staticStatic = dh(responderStatic.privateKey, remoteStatic);
    expect(readInitiationPayload(responder, staticStatic, first, 3, payload)).toBe(true);
    expect(toHex(payload)).toBe(ikPsk2.messages[0].payload);

    const second = new Uint8Array(hex(ikPsk2.messages[1].ciphertext).length);
    const responderKeys = {
      ephemeralPrivate: responderEphemeral.privateKey,
      ephemeralPublic: responderEphemeral.publicKey,
      remoteStatic,
      remoteEphemeral: initiatorEphemeral.publicKey,
      presharedKey,
    };
    expect(writeResponse(p, responder, responderKeys, hex(ikPsk2.messages[1].payload), second, 0)).toBe(true);
    expect(toHex(second)).toBe(ikPsk2.messages[1].ciphertext);
    const answer = new Uint8Array(hex(ikPsk2.messages[1].payload).length);
    const { privateKey } = initiatorEphemeral;
    expect(readResponse(p, initiator, initiatorStatic, privateKey, presharedKey, second, 0, answer)).toBe(true);
    expect(toHex(answer)).toBe(ikPsk2.messages[1].payload);

    expectFinished(ikPsk2, initiator, responder);
  });
});

describe("Noise_IK_25519_ChaChaPoly_BLAKE2s", () => {
  test("whole handshake and transport, byte for byte, from the same symmetric state", () => {
    const { initiatorStatic, initiatorEphemeral, responderStatic, responderEphemeral } = partiesOf(ik);
    const es = dh(initiatorEphemeral.privateKey, responderStatic.publicKey);
    const ss = dh(initiatorStatic.privateKey, responderStatic.publicKey);
    const ee = dh(responderEphemeral.privateKey, initiatorEphemeral.publicKey);
    const se = dh(responderEphemeral.privateKey, initiatorStatic.publicKey);
    const initiator = start(ik);
    const responder = start(ik);
    for (const state of [initiator, responder]) {
      state.mixHash(responderStatic.publicKey);
      state.mixHash(initiatorEphemeral.publicKey); // e
      state.mixKey(es);
    }
    const sealedStatic = new Uint8Array(48);
    initiator.encryptAndHash(sealedStatic, initiatorStatic.publicKey); // s
    initiator.mixKey(ss);
    const payload = hex(ik.messages[0].payload);
    const sealedPayload = new Uint8Array(payload.length + 16);
    initiator.encryptAndHash(sealedPayload, payload);
    const first = concat(initiatorEphemeral.publicKey, sealedStatic, sealedPayload);
    expect(toHex(first)).toBe(ik.messages[0].ciphertext);
    expect(responder.decryptAndHash(new Uint8Array(32), sealedStatic)).toBe(true);
    responder.mixKey(ss);
    expect(responder.decryptAndHash(new Uint8Array(payload.length), sealedPayload)).toBe(true);

    for (const state of [initiator, responder]) {
      state.mixHash(responderEphemeral.publicKey); // e
      state.mixChainingKey(ee);
      state.mixKey(se);
    }
    const answer = hex(ik.messages[1].payload);
    const sealedAnswer = new Uint8Array(answer.length + 16);
    responder.encryptAndHash(sealedAnswer, answer);
    expect(toHex(concat(responderEphemeral.publicKey, sealedAnswer))).toBe(ik.messages[1].ciphertext);
    expect(initiator.decryptAndHash(new Uint8Array(answer.length), sealedAnswer)).toBe(true);

    expectFinished(ik, initiator, responder);
  });

  test("a failed decryptAndHash leaves chaining key and hash", () => {
    const state = start(ik);
    state.mixKey(new Uint8Array(32));
    const before = [state.chainingKey.slice(), state.hash.slice()];
    expect(state.decryptAndHash(new Uint8Array(4), new Uint8Array(20))).toBe(false);
    expect([state.chainingKey, state.hash]).toEqual(before);
  });

  test("a protocol name of at most 32 bytes is padded, a longer one hashed", () => {
    const short = new SymmetricState(p);
    short.initialize(new TextEncoder().encode("Noise_XX_25519_AESGCM_SHA256"), new Uint8Array(0));
    expect(Buffer.from(short.chainingKey).toString("latin1")).toBe("Noise_XX_25519_AESGCM_SHA256\0\0\0\0");
    const long = start(ik);
    const expected = new Uint8Array(32);
    p.hash(expected, new TextEncoder().encode(ik.protocol_name));
    expect(long.chainingKey).toEqual(expected);
  });
});
