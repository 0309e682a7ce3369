// The local static key pair and what is derived from a static public key alone.
// Source: [W] 5.4.4, 5.4.7. It must not know peers.
import { HASH_BYTES, KEY_BYTES, LABEL_COOKIE, LABEL_MAC1 } from "./constants.js";
import type { Primitives } from "./primitives.js";
import { secretBytes } from "./secret-bytes.js";

const encoder = new TextEncoder();

/** Our own static key. Holds secrets until `wipe`. */
export class Identity {
  readonly privateKey = secretBytes(KEY_BYTES);
  readonly publicKey = new Uint8Array(KEY_BYTES);
  /** Key of mac1 in messages sent to us. */
  readonly mac1Key: Uint8Array;
  /** Key of the cookie replies that we send. */
  readonly cookieKey: Uint8Array;

  /** @param privateKey  32 bytes, clamped or not; copied. */
  constructor(p: Primitives, privateKey: Uint8Array) {
    this.privateKey.set(privateKey);
    clamp(this.privateKey);
    p.x25519Base(this.publicKey, this.privateKey);
    this.mac1Key = deriveMac1Key(p, this.publicKey);
    this.cookieKey = deriveCookieKey(p, this.publicKey);
  }

  /** Zeroes the private key and all derived from it. The identity is unusable afterwards. */
  wipe(): void {
    this.privateKey.fill(0);
    this.publicKey.fill(0);
    this.mac1Key.fill(0);
    this.cookieKey.fill(0);
  }
}

/** HASH("mac1----" ‖ staticPublic). Allocates the result. */
export function deriveMac1Key(p: Primitives, staticPublic: Uint8Array): Uint8Array {
  const key = new Uint8Array(HASH_BYTES);
  p.hash(key, encoder.encode(LABEL_MAC1), staticPublic);
  return key;
}

/** HASH("cookie--" ‖ staticPublic). Allocates the result. */
export function deriveCookieKey(p: Primitives, staticPublic: Uint8Array): Uint8Array {
  const key = new Uint8Array(HASH_BYTES);
  p.hash(key, encoder.encode(LABEL_COOKIE), staticPublic);
  return key;
}

/** Clamps a private key in place. RFC 7748 5. */
export function clamp(privateKey: Uint8Array): void {
  privateKey[0] &= 248;
  privateKey[31] = (privateKey[31] & 127) | 64;
}
