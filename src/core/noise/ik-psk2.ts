// The two messages of Noise_IKpsk2, token by token, both roles, any payload. It must not know WireGuard's headers,
// indices or timestamps. Every function returns false if a shared secret is all zero or a tag does not verify; the
// symmetric state is then of no use, so callers work on one that they can throw away.
// Source: Noise specification rev. 34, 7.5, 9; [W] 5.4.2, 5.4.3.
import { AEAD_TAG_BYTES, KEY_BYTES } from "./constants.js";
import type { Primitives } from "./primitives.js";
import { secretBytes } from "./secret-bytes.js";
import type { SymmetricState } from "./symmetric-state.js";

const SEALED_STATIC_BYTES = KEY_BYTES + AEAD_TAG_BYTES;
const EMPTY = new Uint8Array(0);
const ZERO_KEY = new Uint8Array(KEY_BYTES);
/** Every shared secret passes through here and is wiped. */
const shared = secretBytes(KEY_BYTES);

/** What the initiator knows when it writes the first message. */
export interface InitiatorKeys {
  readonly staticPublic: Uint8Array;
  readonly ephemeralPrivate: Uint8Array;
  readonly ephemeralPublic: Uint8Array;
  /** DH of the ephemeral key and the responder's static one, where it was made before. */
  readonly ephemeralStatic?: Uint8Array | undefined;
  readonly remoteStatic: Uint8Array;
  /** DH of both static keys, computed once a peer. */
  readonly staticStatic: Uint8Array;
}

/** Writes e, {s}, {payload} at `out[offset…]`: 80 + payload + 16 bytes. `state` starts at initialize. */
export function writeInitiation(
  p: Primitives,
  state: SymmetricState,
  keys: InitiatorKeys,
  payload: Uint8Array,
  out: Uint8Array,
  offset: number,
): boolean {
  state.mixHash(keys.remoteStatic); // ← s, known beforehand
  // e
  out.set(keys.ephemeralPublic, offset);
  mixEphemeral(state, keys.ephemeralPublic);
  offset += KEY_BYTES;
  // es
  if (keys.ephemeralStatic === undefined) {
    if (!mixShared(p, state, keys.ephemeralPrivate, keys.remoteStatic)) return false;
  } else {
    if (p.equal(keys.ephemeralStatic, ZERO_KEY)) return false;
    state.mixKey(keys.ephemeralStatic);
  }
  // s
  state.encryptAndHash(out.subarray(offset, offset + SEALED_STATIC_BYTES), keys.staticPublic);
  offset += SEALED_STATIC_BYTES;
  // ss
  state.mixKey(keys.staticStatic);
  // {t}
  state.encryptAndHash(out.subarray(offset, offset + payload.length + AEAD_TAG_BYTES), payload);
  return true;
}

/** First half of reading an initiation: learns who it claims to be from. `state` starts at initialize. */
export function readInitiationStatic(
  p: Primitives,
  state: SymmetricState,
  own: { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array },
  message: Uint8Array,
  offset: number,
  remoteStatic: Uint8Array,
): boolean {
  state.mixHash(own.publicKey); // ← s, known beforehand
  // e
  const ephemeral = message.subarray(offset, offset + KEY_BYTES);
  mixEphemeral(state, ephemeral);
  offset += KEY_BYTES;
  // es
  if (!mixShared(p, state, own.privateKey, ephemeral)) return false;
  // s
  return state.decryptAndHash(remoteStatic, message.subarray(offset, offset + SEALED_STATIC_BYTES));
}

/** Second half, with the DH of both static keys: the payload, whose length `payload` gives. */
export function readInitiationPayload(
  state: SymmetricState,
  staticStatic: Uint8Array,
  message: Uint8Array,
  offset: number,
  payload: Uint8Array,
): boolean {
  offset += KEY_BYTES + SEALED_STATIC_BYTES;
  // ss
  state.mixKey(staticStatic);
  // {t}
  return state.decryptAndHash(payload, message.subarray(offset, offset + payload.length + AEAD_TAG_BYTES));
}

/** What the responder knows when it writes the second message. */
export interface ResponderKeys {
  readonly ephemeralPrivate: Uint8Array;
  readonly ephemeralPublic: Uint8Array;
  readonly remoteStatic: Uint8Array;
  readonly remoteEphemeral: Uint8Array;
  /** All zero: none. */
  readonly presharedKey: Uint8Array;
}

/** Writes e, {payload} at `out[offset…]`: 32 + payload + 16 bytes. `state` is as the initiation left it. */
export function writeResponse(
  p: Primitives,
  state: SymmetricState,
  keys: ResponderKeys,
  payload: Uint8Array,
  out: Uint8Array,
  offset: number,
): boolean {
  // e
  out.set(keys.ephemeralPublic, offset);
  mixEphemeral(state, keys.ephemeralPublic);
  offset += KEY_BYTES;
  // ee
  if (!chainShared(p, state, keys.ephemeralPrivate, keys.remoteEphemeral)) return false;
  // se
  if (!chainShared(p, state, keys.ephemeralPrivate, keys.remoteStatic)) return false;
  // psk
  state.mixKeyAndHash(keys.presharedKey);
  // {}
  state.encryptAndHash(out.subarray(offset, offset + payload.length + AEAD_TAG_BYTES), payload);
  return true;
}

/** Reads a response into `payload`, whose length is the payload's. `state` is as the initiation left it. */
export function readResponse(
  p: Primitives,
  state: SymmetricState,
  own: { readonly privateKey: Uint8Array },
  ephemeralPrivate: Uint8Array,
  presharedKey: Uint8Array,
  message: Uint8Array,
  offset: number,
  payload: Uint8Array = EMPTY,
): boolean {
  // e
  const remoteEphemeral = message.subarray(offset, offset + KEY_BYTES);
  mixEphemeral(state, remoteEphemeral);
  offset += KEY_BYTES;
  // ee
  if (!chainShared(p, state, ephemeralPrivate, remoteEphemeral)) return false;
  // se
  if (!chainShared(p, state, own.privateKey, remoteEphemeral)) return false;
  // psk
  state.mixKeyAndHash(presharedKey);
  // {}
  return state.decryptAndHash(payload, message.subarray(offset, offset + payload.length + AEAD_TAG_BYTES));
}

/** In a handshake with a psk an ephemeral key also goes into the chaining key. Noise 9.2. */
function mixEphemeral(state: SymmetricState, ephemeral: Uint8Array): void {
  state.mixHash(ephemeral);
  state.mixChainingKey(ephemeral);
}

function mixShared(p: Primitives, state: SymmetricState, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
  const usable = p.x25519(shared, privateKey, publicKey);
  state.mixKey(shared);
  p.wipe(shared);
  return usable;
}

/** As mixShared, where no encryption uses the key. */
function chainShared(p: Primitives, state: SymmetricState, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
  const usable = p.x25519(shared, privateKey, publicKey);
  state.mixChainingKey(shared);
  p.wipe(shared);
  return usable;
}
