// The cryptographic primitives of the handshake behind one interface: X25519 and ChaCha20-Poly1305 from libsodium
// (WebAssembly), BLAKE2s from blake2s.ts. The only file of src/core that imports a cryptographic library.
// It must not know messages. libsodium's own wrapper leaves copies of keys in freed memory, so this calls the module
// below it on one scratch region, wiped after every call.
import sodium from "libsodium-wrappers";
import { Blake2s } from "./blake2s.js";
import { AEAD_TAG_BYTES, HASH_BYTES, KEY_BYTES, MAC_BYTES, XNONCE_BYTES } from "./constants.js";

/** What the handshake needs; none of these throws on input of the stated lengths or keeps a reference to it. */
export interface Primitives {
  /** `out` = scalar · point, 32 bytes each. @returns false, and a zero `out`, for the all-zero result. RFC 7748 6.1. */
  x25519(out: Uint8Array, scalar: Uint8Array, point: Uint8Array): boolean;
  /** `out` = the public key of `scalar`. */
  x25519Base(out: Uint8Array, scalar: Uint8Array): void;
  /**
   * For `count` scalars, at most {@link PAIRS_MAX}: `publics[i]` = the public key of `scalars[i]`, `shareds[i]` = scalars[i] ·
   * points[i]; 32 bytes each, one behind the other. @returns bit i: shareds[i] is not all zeros, and may be used.
   */
  x25519Pairs(publics: Uint8Array, shareds: Uint8Array, scalars: Uint8Array, points: Uint8Array, count: number): number;
  /** ChaCha20-Poly1305, nonce = 4 zero bytes and `counter` u64 LE. `out`: plaintext length + 16. RFC 8439 2.8. */
  aeadSeal(out: Uint8Array, key: Uint8Array, counter: number, plaintext: Uint8Array, ad: Uint8Array): void;
  /** `out`: ciphertext length − 16. @returns false, and `out` untouched, if the tag does not verify. */
  aeadOpen(out: Uint8Array, key: Uint8Array, counter: number, ciphertext: Uint8Array, ad: Uint8Array): boolean;
  /** XChaCha20-Poly1305, 24-byte nonce. `out`: plaintext length + 16. draft-irtf-cfrg-xchacha-03. */
  xaeadSeal(out: Uint8Array, key: Uint8Array, nonce24: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): void;
  /** `out`: ciphertext length − 16. @returns false, and `out` untouched, if the tag does not verify. */
  xaeadOpen(out: Uint8Array, key: Uint8Array, nonce24: Uint8Array, ciphertext: Uint8Array, ad: Uint8Array): boolean;
  /** `out` = BLAKE2s-256(a ‖ b); `out` may be `a` or `b`. Allocates nothing. */
  hash(out: Uint8Array, a: Uint8Array, b?: Uint8Array): void;
  /** `out` = keyed BLAKE2s-128 of `data[offset, offset + length)`; key at most 32 bytes. Allocates nothing. */
  mac16(out: Uint8Array, key: Uint8Array, data: Uint8Array, offset?: number, length?: number): void;
  /** `out` = HMAC-BLAKE2s(key, a ‖ b); key at most 64 bytes; `out` may be any of them. Allocates nothing. RFC 2104. */
  hmac(out: Uint8Array, key: Uint8Array, a: Uint8Array, b?: Uint8Array): void;
  /** Constant-time: all of `a` against the bytes of `b` from `bOffset`. False if `b` is too short. */
  equal(a: Uint8Array, b: Uint8Array, bOffset?: number): boolean;
  /** Zeroes. */
  wipe(bytes: Uint8Array): void;
}

/** Pairs that {@link Primitives.x25519Pairs} takes at most. */
export const PAIRS_MAX = 4;

/** A faster X25519, such as the native one. The check for zero may be left to this file. */
export type X25519Overrides = Partial<Pick<Primitives, "x25519" | "x25519Base" | "x25519Pairs">>;

/** Loads libsodium and returns the primitives. @param overrides  replaces X25519; the all-zero check stays. */
export async function createPrimitives(overrides: X25519Overrides = {}): Promise<Primitives> {
  await sodium.ready;
  const module = (sodium as unknown as { libsodium: SodiumModule }).libsodium;
  return new SodiumPrimitives(module, overrides);
}

/** Largest plaintext of one AEAD call: any UDP datagram. */
const TEXT_BYTES_MAX = 65_536;
const AD_BYTES_MAX = 1_024;

/** The part of libsodium's module that is called here. Addresses are offsets in HEAPU8; a u64 is two u32, low first. */
interface SodiumModule {
  /** Replaced when the memory grows: never keep it. */
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _crypto_scalarmult(out: number, scalar: number, point: number): number;
  _crypto_scalarmult_base(out: number, scalar: number): number;
  _crypto_aead_chacha20poly1305_ietf_encrypt: SodiumSeal;
  _crypto_aead_chacha20poly1305_ietf_decrypt: SodiumOpen;
  _crypto_aead_xchacha20poly1305_ietf_encrypt: SodiumSeal;
  _crypto_aead_xchacha20poly1305_ietf_decrypt: SodiumOpen;
}
// biome-ignore format: one line a C signature
type SodiumSeal = (c: number, cLength: null, m: number, mLow: number, mHigh: number, ad: number, adLow: number, adHigh: number, secretNonce: null, nonce: number, key: number) => number;
// biome-ignore format: one line a C signature
type SodiumOpen = (m: number, mLength: null, secretNonce: null, c: number, cLow: number, cHigh: number, ad: number, adLow: number, adHigh: number, nonce: number, key: number) => number;

class SodiumPrimitives implements Primitives {
  private readonly sodium: SodiumModule;
  private readonly overrides: X25519Overrides;
  // Scratch addresses in the module's memory: three 32-byte cells, then associated data, then text.
  private readonly cellA: number;
  private readonly cellB: number;
  private readonly cellC: number;
  private readonly adCell: number;
  private readonly text: number;
  private readonly hasher = new Blake2s();
  private readonly nonce = new Uint8Array(XNONCE_BYTES);

  constructor(module: SodiumModule, overrides: X25519Overrides) {
    this.sodium = module;
    this.overrides = overrides;
    this.cellA = module._malloc(3 * KEY_BYTES + AD_BYTES_MAX + TEXT_BYTES_MAX + AEAD_TAG_BYTES);
    this.cellB = this.cellA + KEY_BYTES;
    this.cellC = this.cellB + KEY_BYTES;
    this.adCell = this.cellC + KEY_BYTES;
    this.text = this.adCell + AD_BYTES_MAX;
  }

  x25519(out: Uint8Array, scalar: Uint8Array, point: Uint8Array): boolean {
    const { overrides } = this;
    const done = overrides.x25519 ? overrides.x25519(out, scalar, point) : this.sodiumX25519(out, scalar, point);
    if (!done) out.fill(0);
    let bits = 0;
    for (let i = 0; i < KEY_BYTES; i++) bits |= out[i];
    return bits !== 0;
  }

  x25519Base(out: Uint8Array, scalar: Uint8Array): void {
    if (this.overrides.x25519Base !== undefined) {
      this.overrides.x25519Base(out, scalar);
      return;
    }
    this.put(this.cellB, scalar);
    this.sodium._crypto_scalarmult_base(this.cellA, this.cellB);
    this.take(out, this.cellA, KEY_BYTES);
    this.clear(this.cellA, 2 * KEY_BYTES);
  }

  x25519Pairs(
    publics: Uint8Array,
    shareds: Uint8Array,
    scalars: Uint8Array,
    points: Uint8Array,
    count: number,
  ): number {
    const all = this.overrides.x25519Pairs;
    let usable = all === undefined ? 2 ** count - 1 : all(publics, shareds, scalars, points, count);
    for (let i = 0; i < count; i++) {
      const from = i * KEY_BYTES;
      const to = from + KEY_BYTES;
      const shared = shareds.subarray(from, to);
      if (all === undefined) {
        const scalar = scalars.subarray(from, to);
        this.x25519Base(publics.subarray(from, to), scalar);
        this.x25519(shared, scalar, points.subarray(from, to));
      }
      let bits = 0;
      for (let k = 0; k < KEY_BYTES; k++) bits |= shared[k];
      if (bits === 0) usable &= ~(1 << i);
    }
    return usable;
  }

  aeadSeal(out: Uint8Array, key: Uint8Array, counter: number, plaintext: Uint8Array, ad: Uint8Array): void {
    this.seal(this.sodium._crypto_aead_chacha20poly1305_ietf_encrypt, out, key, this.nonceOf(counter), plaintext, ad);
  }

  aeadOpen(out: Uint8Array, key: Uint8Array, counter: number, ciphertext: Uint8Array, ad: Uint8Array): boolean {
    const open = this.sodium._crypto_aead_chacha20poly1305_ietf_decrypt;
    return this.open(open, out, key, this.nonceOf(counter), ciphertext, ad);
  }

  xaeadSeal(out: Uint8Array, key: Uint8Array, nonce24: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): void {
    this.seal(this.sodium._crypto_aead_xchacha20poly1305_ietf_encrypt, out, key, nonce24, plaintext, ad);
  }

  xaeadOpen(out: Uint8Array, key: Uint8Array, nonce24: Uint8Array, ciphertext: Uint8Array, ad: Uint8Array): boolean {
    return this.open(this.sodium._crypto_aead_xchacha20poly1305_ietf_decrypt, out, key, nonce24, ciphertext, ad);
  }

  hash(out: Uint8Array, a: Uint8Array, b?: Uint8Array): void {
    this.hasher.begin(HASH_BYTES);
    this.hasher.update(a);
    if (b !== undefined) this.hasher.update(b);
    this.hasher.finish(out);
  }

  mac16(out: Uint8Array, key: Uint8Array, data: Uint8Array, offset = 0, length = data.length - offset): void {
    this.hasher.begin(MAC_BYTES, key);
    this.hasher.update(data, offset, length);
    this.hasher.finish(out);
  }

  hmac(out: Uint8Array, key: Uint8Array, a: Uint8Array, b?: Uint8Array): void {
    this.hasher.hmac(out, key, a, b);
  }

  equal(a: Uint8Array, b: Uint8Array, bOffset = 0): boolean {
    if (b.length - bOffset < a.length) return false;
    let difference = 0;
    for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[bOffset + i];
    return difference === 0;
  }

  wipe(bytes: Uint8Array): void {
    bytes.fill(0);
  }

  private sodiumX25519(out: Uint8Array, scalar: Uint8Array, point: Uint8Array): boolean {
    this.put(this.cellB, scalar);
    this.put(this.cellC, point);
    const code = this.sodium._crypto_scalarmult(this.cellA, this.cellB, this.cellC);
    this.take(out, this.cellA, KEY_BYTES);
    this.clear(this.cellA, 3 * KEY_BYTES);
    return code === 0;
  }

  private seal(f: SodiumSeal, out: Uint8Array, key: Uint8Array, nonce: Uint8Array, text: Uint8Array, ad: Uint8Array) {
    checkLengths(text.length, out.length - AEAD_TAG_BYTES, ad.length);
    this.putAead(key, nonce, text, ad);
    f(this.text, null, this.text, text.length, 0, this.adCell, ad.length, 0, null, this.cellB, this.cellA);
    this.take(out, this.text, text.length + AEAD_TAG_BYTES);
    this.clear(this.cellA, 2 * KEY_BYTES);
  }

  private open(f: SodiumOpen, out: Uint8Array, key: Uint8Array, nonce: Uint8Array, text: Uint8Array, ad: Uint8Array) {
    if (text.length < AEAD_TAG_BYTES) return false;
    const plainBytes = text.length - AEAD_TAG_BYTES;
    checkLengths(plainBytes, out.length, ad.length);
    this.putAead(key, nonce, text, ad);
    const code = f(this.text, null, null, this.text, text.length, 0, this.adCell, ad.length, 0, this.cellB, this.cellA);
    if (code === 0) this.take(out, this.text, plainBytes);
    this.clear(this.text, plainBytes);
    this.clear(this.cellA, 2 * KEY_BYTES);
    return code === 0;
  }

  private putAead(key: Uint8Array, nonce: Uint8Array, text: Uint8Array, ad: Uint8Array): void {
    this.put(this.cellA, key);
    this.put(this.cellB, nonce);
    this.put(this.adCell, ad);
    this.put(this.text, text);
  }

  /** 12-byte nonce in a 24-byte buffer; the IETF construction reads the first 12. */
  private nonceOf(counter: number): Uint8Array {
    const low = counter >>> 0;
    const high = Math.floor(counter / 2 ** 32);
    for (let i = 0; i < 4; i++) {
      this.nonce[4 + i] = low >>> (8 * i);
      this.nonce[8 + i] = high >>> (8 * i);
    }
    return this.nonce;
  }

  private put(address: number, bytes: Uint8Array): void {
    this.sodium.HEAPU8.set(bytes, address);
  }

  private take(out: Uint8Array, address: number, length: number): void {
    const heap = this.sodium.HEAPU8;
    for (let i = 0; i < length; i++) out[i] = heap[address + i];
  }

  private clear(address: number, length: number): void {
    this.sodium.HEAPU8.fill(0, address, address + length);
  }
}

/** The scratch region has fixed sizes; a caller that exceeds them is a bug, not input. */
function checkLengths(plainBytes: number, outBytes: number, adBytes: number): void {
  if (plainBytes > TEXT_BYTES_MAX || adBytes > AD_BYTES_MAX || outBytes < plainBytes) {
    throw new RangeError(`aead: plaintext ${plainBytes}, output ${outBytes}, associated data ${adBytes} bytes`);
  }
}
