// A second implementation of everything in src/core/noise, written from the formulas of the WireGuard paper with
// node:crypto (OpenSSL) and @noble/hashes: slow, plain, sharing no line with the first. For comparison only.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from "node:crypto";
import { blake2s } from "@noble/hashes/blake2.js";
import { concat, hex } from "./bytes.js";

const PKCS8_X25519 = hex("302e020100300506032b656e04220420");
const SPKI_X25519 = hex("302a300506032b656e032100");

export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const key = createPublicKey(privateKeyObject(privateKey));
  return new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(-32));
}

/** Throws where OpenSSL refuses an all-zero result. */
export function dh(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(concat(SPKI_X25519, publicKey)), format: "der", type: "spki" });
  return new Uint8Array(diffieHellman({ privateKey: privateKeyObject(privateKey), publicKey: key }));
}

function privateKeyObject(privateKey: Uint8Array) {
  return createPrivateKey({ key: Buffer.from(concat(PKCS8_X25519, privateKey)), format: "der", type: "pkcs8" });
}

export function hash(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHash("blake2s256")
      .update(concat(...parts))
      .digest(),
  );
}

export function mac(key: Uint8Array, data: Uint8Array): Uint8Array {
  return blake2s(data, { key, dkLen: 16 });
}

export function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("blake2s256", key).update(data).digest());
}

/** [τ1, τ2, τ3]; take as many as needed. */
export function kdf(key: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const t0 = hmac(key, input);
  const t1 = hmac(t0, Uint8Array.of(1));
  const t2 = hmac(t0, concat(t1, Uint8Array.of(2)));
  return [t1, t2, hmac(t0, concat(t2, Uint8Array.of(3)))];
}

export function nonce12(counter: bigint): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(counter, 4);
  return new Uint8Array(nonce);
}

export function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Uint8Array {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  cipher.setAAD(ad, { plaintextLength: plaintext.length });
  const body = concat(cipher.update(plaintext), cipher.final());
  return concat(body, cipher.getAuthTag());
}

export function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array {
  const cipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  cipher.setAAD(ad, { plaintextLength: sealed.length - 16 });
  cipher.setAuthTag(sealed.subarray(-16));
  return concat(cipher.update(sealed.subarray(0, -16)), cipher.final());
}

const encoder = new TextEncoder();
const ZERO_NONCE = new Uint8Array(12);
const EMPTY = new Uint8Array(0);
const CK0 = hash(encoder.encode("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"));
const H0 = hash(CK0, encoder.encode("WireGuard v1 zx2c4 Jason@zx2c4.com"));

export function mac1Of(remoteStatic: Uint8Array, covered: Uint8Array): Uint8Array {
  return mac(hash(encoder.encode("mac1----"), remoteStatic), covered);
}

export interface State {
  c: Uint8Array;
  h: Uint8Array;
}

export interface Party {
  staticPrivate: Uint8Array;
  staticPublic: Uint8Array;
  ephemeralPrivate: Uint8Array;
}

/** [W] 5.4.2, with mac1 and a zero mac2. */
export function initiation(own: Party, remoteStatic: Uint8Array, sender: number, timestamp: Uint8Array) {
  const ephemeral = publicKeyOf(own.ephemeralPrivate);
  let h = hash(hash(H0, remoteStatic), ephemeral);
  let [c] = kdf(CK0, ephemeral);
  let k: Uint8Array;
  [c, k] = kdf(c, dh(own.ephemeralPrivate, remoteStatic));
  const sealedStatic = seal(k, ZERO_NONCE, own.staticPublic, h);
  h = hash(h, sealedStatic);
  [c, k] = kdf(c, dh(own.staticPrivate, remoteStatic));
  const sealedTimestamp = seal(k, ZERO_NONCE, timestamp, h);
  h = hash(h, sealedTimestamp);
  const body = concat(Uint8Array.of(1, 0, 0, 0), u32(sender), ephemeral, sealedStatic, sealedTimestamp);
  const message = concat(body, mac1Of(remoteStatic, body), new Uint8Array(16));
  return { message, state: { c, h } satisfies State };
}

/** The responder's reading of an initiation. Throws if a tag is wrong. */
export function readInitiation(own: { staticPrivate: Uint8Array; staticPublic: Uint8Array }, message: Uint8Array) {
  const ephemeral = message.subarray(8, 40);
  let h = hash(hash(H0, own.staticPublic), ephemeral);
  let [c] = kdf(CK0, ephemeral);
  let k: Uint8Array;
  [c, k] = kdf(c, dh(own.staticPrivate, ephemeral));
  const remoteStatic = open(k, ZERO_NONCE, message.subarray(40, 88), h);
  h = hash(h, message.subarray(40, 88));
  [c, k] = kdf(c, dh(own.staticPrivate, remoteStatic));
  const timestamp = open(k, ZERO_NONCE, message.subarray(88, 116), h);
  h = hash(h, message.subarray(88, 116));
  return { remoteStatic, timestamp, remoteEphemeral: ephemeral, state: { c, h } satisfies State };
}

/** [W] 5.4.3, with mac1 and a zero mac2; keys: [initiator's sending, responder's sending]. */
export function response(
  own: Party,
  read: ReturnType<typeof readInitiation>,
  psk: Uint8Array,
  sender: number,
  receiver: number,
) {
  const ephemeral = publicKeyOf(own.ephemeralPrivate);
  let { c, h } = read.state;
  h = hash(h, ephemeral);
  [c] = kdf(c, ephemeral);
  [c] = kdf(c, dh(own.ephemeralPrivate, read.remoteEphemeral));
  [c] = kdf(c, dh(own.ephemeralPrivate, read.remoteStatic));
  const [c2, t, k] = kdf(c, psk);
  h = hash(h, t);
  const empty = seal(k, ZERO_NONCE, EMPTY, h);
  const body = concat(Uint8Array.of(2, 0, 0, 0), u32(sender), u32(receiver), ephemeral, empty);
  const message = concat(body, mac1Of(read.remoteStatic, body), new Uint8Array(16));
  return { message, keys: kdf(c2, EMPTY) };
}

/** The initiator's reading of a response. Throws if the tag is wrong. */
export function readResponse(own: Party, state: State, psk: Uint8Array, message: Uint8Array) {
  const ephemeral = message.subarray(12, 44);
  let { c, h } = state;
  h = hash(h, ephemeral);
  [c] = kdf(c, ephemeral);
  [c] = kdf(c, dh(own.ephemeralPrivate, ephemeral));
  [c] = kdf(c, dh(own.staticPrivate, ephemeral));
  const [c2, t, k] = kdf(c, psk);
  h = hash(h, t);
  open(k, ZERO_NONCE, message.subarray(44, 60), h);
  return { keys: kdf(c2, EMPTY) };
}

export function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return new Uint8Array(bytes);
}
