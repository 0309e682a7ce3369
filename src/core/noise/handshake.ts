// WireGuard's use of Noise_IKpsk2: one Handshake a peer, and the four steps of the exchange. Time, randomness and
// receiver indices come in as arguments; macs are cookie.ts's. Whatever is refused has a DropReason and leaves the
// handshake as it was. Source: [W] 5.4.2–5.4.5.

import { DropReason } from "../drop-reason.js";
import { readU32 } from "../little-endian.js";
import {
  CONSTRUCTION,
  HANDSHAKE_INITIATION_RATE_MS,
  IDENTIFIER,
  INITIATION_BYTES,
  INITIATION_NOISE_OFFSET,
  KEY_BYTES,
  MessageType,
  RESPONSE_BYTES,
  RESPONSE_NOISE_OFFSET,
  RESPONSE_RECEIVER_INDEX_OFFSET,
  SENDER_INDEX_OFFSET,
  TIMESTAMP_BYTES,
  TYPE_OFFSET,
} from "./constants.js";
import { clamp, type Identity } from "./identity.js";
import {
  readInitiationPayload,
  readInitiationStatic,
  readResponse,
  writeInitiation,
  writeResponse,
} from "./ik-psk2.js";
import type { InitiationKey } from "./initiation-keys.js";
import type { Primitives } from "./primitives.js";
import { secretBytes } from "./secret-bytes.js";
import { SymmetricState } from "./symmetric-state.js";
import { compareTai64n } from "./tai64n.js";

/** How far a handshake is. Created: we sent it. Consumed: we received it. */
export const HandshakeState = {
  Zeroed: 0,
  InitiationCreated: 1,
  InitiationConsumed: 2,
  ResponseCreated: 3,
  ResponseConsumed: 4,
} as const;
export type HandshakeState = (typeof HandshakeState)[keyof typeof HandshakeState];

/** `localIndex` of a handshake that has none. */
export const NO_INDEX = -1;

/** What all handshakes of a device share: the primitives, our static key, the starting state and scratch memory. */
export class HandshakeContext {
  readonly primitives: Primitives;
  readonly identity: Identity;
  /** After initialize: hash of the construction, identifier mixed in. Never changes. */
  readonly start: SymmetricState;
  /** A received message is worked on here and copied to its Handshake only when every check has passed. */
  readonly trial: SymmetricState;
  readonly trialStatic = secretBytes(KEY_BYTES);
  readonly trialTimestamp = new Uint8Array(TIMESTAMP_BYTES);

  /** @param identity  borrowed: wipe it yourself. */
  constructor(primitives: Primitives, identity: Identity) {
    const encoder = new TextEncoder();
    this.primitives = primitives;
    this.identity = identity;
    this.start = new SymmetricState(primitives);
    this.start.initialize(encoder.encode(CONSTRUCTION), encoder.encode(IDENTIFIER));
    this.trial = new SymmetricState(primitives);
  }
}

/** The handshake state of one peer. Holds secrets until `clear` or `wipe`. */
export class Handshake {
  readonly remoteStatic = secretBytes(KEY_BYTES);
  /** All zero: none. Read when a response is written or read. */
  readonly presharedKey = secretBytes(KEY_BYTES);
  /** DH of both static keys, once {@link learnStaticStatic} was called. */
  readonly staticStatic = secretBytes(KEY_BYTES);
  /** False if staticStatic is all zero: no handshake with such a key succeeds. */
  staticStaticUsable = false;
  /** Whose key staticStatic was computed with. */
  #staticStaticOf: HandshakeContext | undefined = undefined;
  readonly ephemeralPrivate = secretBytes(KEY_BYTES);
  readonly ephemeralPublic = new Uint8Array(KEY_BYTES);
  readonly remoteEphemeral = new Uint8Array(KEY_BYTES);
  readonly symmetric: SymmetricState;
  state: HandshakeState = HandshakeState.Zeroed;
  /**
   * Our receiver index, u32, or NO_INDEX. createInitiation and createResponse set it, beginKeypair takes it away; clear
   * leaves it, so that the caller, who owns the index table, still knows what to release.
   */
  localIndex = NO_INDEX;
  /** The peer's receiver index, u32, once a message of its handshake was consumed. */
  remoteIndex = 0;
  /** Greatest TAI64N accepted from the peer. Survives clear. */
  readonly lastTimestamp = new Uint8Array(TIMESTAMP_BYTES);
  lastInitiationConsumedMs = Number.NEGATIVE_INFINITY;

  /** @param remoteStatic  32 bytes, copied. @param presharedKey  32 bytes, copied; absent or all zero: none. */
  constructor(context: HandshakeContext, remoteStatic: Uint8Array, presharedKey?: Uint8Array) {
    this.remoteStatic.set(remoteStatic);
    if (presharedKey !== undefined) this.presharedKey.set(presharedKey);
    this.symmetric = new SymmetricState(context.primitives);
  }

  /**
   * Computes staticStatic (one DH) unless it stands there for this static key of ours. Each step that needs it calls
   * this: ten thousand peers at once would hold up the event loop for half a second.
   * @returns whether it is usable
   */
  learnStaticStatic(context: HandshakeContext): boolean {
    if (this.#staticStaticOf === context) return this.staticStaticUsable;
    const { primitives, identity } = context;
    this.staticStaticUsable = primitives.x25519(this.staticStatic, identity.privateKey, this.remoteStatic);
    this.#staticStaticOf = context;
    return this.staticStaticUsable;
  }

  /** Our static key changed: forgets the exchange under way and staticStatic. */
  forgetIdentity(): void {
    this.clear();
    this.staticStatic.fill(0);
    this.staticStaticUsable = false;
    this.#staticStaticOf = undefined;
  }

  /** Forgets the exchange under way and zeroes its secrets; keeps what belongs to the peer. */
  clear(): void {
    this.symmetric.wipe();
    this.ephemeralPrivate.fill(0);
    this.ephemeralPublic.fill(0);
    this.remoteEphemeral.fill(0);
    this.state = HandshakeState.Zeroed;
    this.remoteIndex = 0;
  }

  /** The peer goes: also zeroes preshared key and staticStatic. The handshake is unusable afterwards. */
  wipe(): void {
    this.forgetIdentity();
    this.presharedKey.fill(0);
  }
}

/**
 * Initiator, step 1: writes an initiation without macs into `out` (148 bytes) and starts `handshake` over.
 * @param ephemeral  32 random bytes, or what was made of them for this peer; copied: wipe yours. @param timestamp  12 bytes.
 * @param localIndex  fresh random u32.
 * @returns DropReason.None, or HandshakeInvalid if the peer's key yields an all-zero secret: `handshake` is clear then.
 */
export function createInitiation(
  context: HandshakeContext,
  handshake: Handshake,
  out: Uint8Array,
  ephemeral: Uint8Array | InitiationKey,
  timestamp: Uint8Array,
  localIndex: number,
): DropReason {
  handshake.clear();
  if (!handshake.learnStaticStatic(context)) return DropReason.HandshakeInvalid;
  const { primitives, identity } = context;
  const { symmetric, remoteStatic, staticStatic, ephemeralPrivate, ephemeralPublic } = handshake;
  let ephemeralStatic: Uint8Array | undefined;
  if (ephemeral instanceof Uint8Array) {
    setEphemeral(primitives, handshake, ephemeral);
  } else {
    ephemeralPrivate.set(ephemeral.ephemeralPrivate);
    clamp(ephemeralPrivate);
    ephemeralPublic.set(ephemeral.ephemeralPublic);
    ephemeralStatic = ephemeral.ephemeralStatic;
  }
  symmetric.copyFrom(context.start);
  const staticPublic = identity.publicKey;
  const keys = { staticPublic, ephemeralPrivate, ephemeralPublic, ephemeralStatic, remoteStatic, staticStatic };
  if (!writeInitiation(primitives, symmetric, keys, timestamp, out, INITIATION_NOISE_OFFSET)) {
    handshake.clear();
    return DropReason.HandshakeInvalid;
  }
  writeU32(out, TYPE_OFFSET, MessageType.Initiation);
  writeU32(out, SENDER_INDEX_OFFSET, localIndex);
  handshake.localIndex = localIndex;
  handshake.state = HandshakeState.InitiationCreated;
  return DropReason.None;
}

/**
 * Responder, step 1: authenticates an initiation whose mac1 has been checked. On success the peer's handshake is
 * InitiationConsumed; an initiation of our own that was under way is forgotten, its localIndex still stands.
 * @param message  148 bytes. @param find  the peer with this static key (a buffer valid during the call only).
 * @param nowMs  any monotonic clock.
 * @returns the peer that `find` gave, or a DropReason; nothing has changed then.
 */
export function consumeInitiation<Peer extends { readonly handshake: Handshake }>(
  context: HandshakeContext,
  message: Uint8Array,
  find: (remoteStatic: Uint8Array) => Peer | undefined,
  nowMs: number,
): Peer | DropReason {
  if (message.length !== INITIATION_BYTES || readU32(message, TYPE_OFFSET) !== MessageType.Initiation) {
    return DropReason.Malformed;
  }
  const result = tryInitiation(context, message, find, nowMs);
  context.trial.wipe();
  context.trialStatic.fill(0);
  context.trialTimestamp.fill(0);
  return result;
}

function tryInitiation<Peer extends { readonly handshake: Handshake }>(
  context: HandshakeContext,
  message: Uint8Array,
  find: (remoteStatic: Uint8Array) => Peer | undefined,
  nowMs: number,
): Peer | DropReason {
  const { primitives, identity, trial, trialStatic, trialTimestamp } = context;
  trial.copyFrom(context.start);
  if (!readInitiationStatic(primitives, trial, identity, message, INITIATION_NOISE_OFFSET, trialStatic)) {
    return DropReason.HandshakeInvalid;
  }
  if (primitives.equal(trialStatic, identity.publicKey)) return DropReason.OwnKey;
  const peer = find(trialStatic);
  if (peer === undefined) return DropReason.UnknownPeer;
  const { handshake } = peer;
  if (!handshake.learnStaticStatic(context)) return DropReason.HandshakeInvalid;
  if (!readInitiationPayload(trial, handshake.staticStatic, message, INITIATION_NOISE_OFFSET, trialTimestamp)) {
    return DropReason.HandshakeInvalid;
  }
  if (compareTai64n(trialTimestamp, handshake.lastTimestamp) <= 0) return DropReason.TimestampReplayed;
  if (nowMs - handshake.lastInitiationConsumedMs < HANDSHAKE_INITIATION_RATE_MS) return DropReason.InitiationFlood;

  handshake.clear();
  handshake.symmetric.copyFrom(trial);
  copyBytes(handshake.remoteEphemeral, message, INITIATION_NOISE_OFFSET);
  handshake.remoteIndex = readU32(message, SENDER_INDEX_OFFSET);
  handshake.lastTimestamp.set(trialTimestamp);
  handshake.lastInitiationConsumedMs = nowMs;
  handshake.state = HandshakeState.InitiationConsumed;
  return peer;
}

/**
 * Responder, step 2: writes a response without macs into `out` (92 bytes).
 * @param ephemeral  32 random bytes, copied: wipe yours. @param localIndex  fresh random u32.
 * @returns DropReason.None; HandshakeUnexpected if no initiation was consumed; HandshakeInvalid if a shared secret is
 * all zero: `handshake` is clear then.
 */
export function createResponse(
  context: HandshakeContext,
  handshake: Handshake,
  out: Uint8Array,
  ephemeral: Uint8Array,
  localIndex: number,
): DropReason {
  if (handshake.state !== HandshakeState.InitiationConsumed) return DropReason.HandshakeUnexpected;
  setEphemeral(context.primitives, handshake, ephemeral);
  if (!writeResponse(context.primitives, handshake.symmetric, handshake, EMPTY, out, RESPONSE_NOISE_OFFSET)) {
    handshake.clear();
    return DropReason.HandshakeInvalid;
  }
  writeU32(out, TYPE_OFFSET, MessageType.Response);
  writeU32(out, SENDER_INDEX_OFFSET, localIndex);
  writeU32(out, RESPONSE_RECEIVER_INDEX_OFFSET, handshake.remoteIndex);
  handshake.localIndex = localIndex;
  handshake.state = HandshakeState.ResponseCreated;
  return DropReason.None;
}

/**
 * Initiator, step 2: authenticates a response whose mac1 has been checked. A refused one changes nothing, so that a
 * forgery cannot end the exchange under way.
 * @param message  92 bytes. @param handshake  the one that the message's receiver index names.
 * @returns DropReason.None, Malformed, HandshakeUnexpected or HandshakeInvalid.
 */
export function consumeResponse(context: HandshakeContext, message: Uint8Array, handshake: Handshake): DropReason {
  if (message.length !== RESPONSE_BYTES || readU32(message, TYPE_OFFSET) !== MessageType.Response) {
    return DropReason.Malformed;
  }
  if (
    handshake.state !== HandshakeState.InitiationCreated ||
    readU32(message, RESPONSE_RECEIVER_INDEX_OFFSET) !== handshake.localIndex
  ) {
    return DropReason.HandshakeUnexpected;
  }
  const { primitives, identity, trial } = context;
  const { ephemeralPrivate, presharedKey } = handshake;
  trial.copyFrom(handshake.symmetric);
  const offset = RESPONSE_NOISE_OFFSET;
  const valid = readResponse(primitives, trial, identity, ephemeralPrivate, presharedKey, message, offset, EMPTY);
  if (valid) {
    handshake.symmetric.copyFrom(trial);
    copyBytes(handshake.remoteEphemeral, message, RESPONSE_NOISE_OFFSET);
    handshake.remoteIndex = readU32(message, SENDER_INDEX_OFFSET);
    handshake.state = HandshakeState.ResponseConsumed;
  }
  trial.wipe();
  return valid ? DropReason.None : DropReason.HandshakeInvalid;
}

/** What a finished handshake yields. The keys are the caller's to wipe. */
export interface KeypairSecrets {
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly isInitiator: boolean;
}

/**
 * Both roles, last step: derives the transport keys and zeroes the handshake; its localIndex now names the keypair.
 * @returns undefined, with nothing changed, unless a response was just created or consumed.  Source: [W] 5.4.5.
 */
export function beginKeypair(handshake: Handshake): KeypairSecrets | undefined {
  const isInitiator = handshake.state === HandshakeState.ResponseConsumed;
  if (!isInitiator && handshake.state !== HandshakeState.ResponseCreated) return undefined;
  const initiatorKey = secretBytes(KEY_BYTES);
  const responderKey = secretBytes(KEY_BYTES);
  handshake.symmetric.split(initiatorKey, responderKey);
  const secrets: KeypairSecrets = {
    sendKey: isInitiator ? initiatorKey : responderKey,
    receiveKey: isInitiator ? responderKey : initiatorKey,
    localIndex: handshake.localIndex,
    remoteIndex: handshake.remoteIndex,
    isInitiator,
  };
  handshake.clear();
  handshake.localIndex = NO_INDEX;
  return secrets;
}

const EMPTY = new Uint8Array(0);

function setEphemeral(p: Primitives, handshake: Handshake, ephemeral: Uint8Array): void {
  handshake.ephemeralPrivate.set(ephemeral);
  clamp(handshake.ephemeralPrivate);
  p.x25519Base(handshake.ephemeralPublic, handshake.ephemeralPrivate);
}

function copyBytes(to: Uint8Array, from: Uint8Array, offset: number): void {
  for (let i = 0; i < to.length; i++) to[i] = from[offset + i];
}

function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[offset + i] = value >>> (8 * i);
}
