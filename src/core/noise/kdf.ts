// HKDF over HMAC-BLAKE2s with one, two or three outputs. Source: [W] 5.4; RFC 5869 with empty info.
import { HASH_BYTES } from "./constants.js";
import type { Primitives } from "./primitives.js";
import { secretBytes } from "./secret-bytes.js";

const secret = secretBytes(HASH_BYTES);
const ONE = Uint8Array.of(1);
const TWO = Uint8Array.of(2);
const THREE = Uint8Array.of(3);

/** `first` = τ1. All of kdf1–3: outputs are 32 bytes and may be `key` or `input`; the intermediate is wiped. */
export function kdf1(p: Primitives, first: Uint8Array, key: Uint8Array, input: Uint8Array): void {
  p.hmac(secret, key, input);
  p.hmac(first, secret, ONE);
  p.wipe(secret);
}

/** `first` = τ1, `second` = τ2; they must differ. */
export function kdf2(p: Primitives, first: Uint8Array, second: Uint8Array, key: Uint8Array, input: Uint8Array): void {
  p.hmac(secret, key, input);
  p.hmac(first, secret, ONE);
  p.hmac(second, secret, first, TWO);
  p.wipe(secret);
}

/** `first` = τ1, `second` = τ2, `third` = τ3; they must differ. */
export function kdf3(
  p: Primitives,
  first: Uint8Array,
  second: Uint8Array,
  third: Uint8Array,
  key: Uint8Array,
  input: Uint8Array,
): void {
  p.hmac(secret, key, input);
  p.hmac(first, secret, ONE);
  p.hmac(second, secret, first, TWO);
  p.hmac(third, secret, second, THREE);
  p.wipe(secret);
}
