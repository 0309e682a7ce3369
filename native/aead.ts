// ChaCha20-Poly1305 over packet batches, and X25519, by native code. What is a peer or a keypair is not known here:
// a run of a batch names a key slot, a receiver index and a counter.

import { addon, attachBatch } from "./addon.js";
import type { PacketBatch } from "./packet-batch.js";

interface AeadAddon {
  aeadBackends(): string[];
  aeadCreate(backend: string, keySlots: number): number | string;
  aeadName(handle: number): string;
  aeadClose(handle: number): number;
  aeadSetKey(handle: number, slot: number, key: Uint8Array): number;
  aeadClearKey(handle: number, slot: number): number;
  aeadSeal(handle: number, batch: number): number;
  aeadOpen(handle: number, batch: number): number;
  aeadSealOnce(...args: [handle: number, ...AeadMessage]): number;
  aeadOpenOnce(...args: [handle: number, ...AeadMessage]): number;
  x25519(out: Uint8Array, scalar: Uint8Array, point: Uint8Array): number;
  x25519Base(out: Uint8Array, scalar: Uint8Array): number;
  x25519Pairs: typeof x25519Pairs;
}

type AeadMessage = [out: Uint8Array, key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, input: Uint8Array];

const native = addon as unknown as AeadAddon;

/** A backend that this machine may have; "auto" is the first that it has, "native" the first of its own vector code. */
export type AeadBackendName = "native" | "native-avx512" | "native-avx2" | "ipsec-mb" | "openssl" | "auto";

/** The backend that was asked for does not work on this machine. The message says what to install. */
export class AeadUnavailableError extends Error {
  override readonly name = "AeadUnavailableError";
  readonly code = "ERR_AEAD_UNAVAILABLE";
  readonly backend: string;

  constructor(backend: string, reason: string) {
    super(`AEAD backend "${backend}": ${reason}`);
    this.backend = backend;
  }
}

/** Names of the backends that work on this machine, fastest first. */
export function aeadBackends(): string[] {
  return native.aeadBackends();
}

/**
 * Makes key slots and a backend that seals and opens with them.
 * @param options.keySlots  key slots, numbered from 0; fixed. Key memory is locked where the limits allow it, kept out
 *   of core dumps and wiped on clearKey and close.
 * Errors: AeadUnavailableError.
 */
export function createAead(options: { backend?: AeadBackendName; keySlots: number }): Aead {
  const backend = options.backend ?? "auto";
  const handle = native.aeadCreate(backend, options.keySlots);
  if (typeof handle === "string") throw new AeadUnavailableError(backend, handle);
  return new Aead(handle);
}

/** Key slots and their backend; made by {@link createAead}. */
export class Aead {
  /** The backend in use. */
  readonly backend: string;
  readonly #handle: number;

  constructor(handle: number) {
    this.#handle = handle;
    this.backend = native.aeadName(handle);
  }

  /**
   * Copies a key into a slot, over the one that was there. The caller wipes its own copy.
   * @param key  32 bytes. Errors: RangeError for a slot out of range or a key of another length.
   */
  setKey(slot: number, key: Uint8Array): void {
    const result = native.aeadSetKey(this.#handle, slot, key);
    if (result < 0) throw new RangeError(`key slot ${slot} with a key of ${key.length} bytes: error ${-result}`);
  }

  /** Wipes a slot's key. Errors: RangeError for a slot out of range. */
  clearKey(slot: number): void {
    const result = native.aeadClearKey(this.#handle, slot);
    if (result < 0) throw new RangeError(`key slot ${slot}: error ${-result}`);
  }

  /**
   * Seals the packets of every Data run with a key: header, padding, text and tag, in place. packetOffset and
   * packetLength then describe the datagrams. Packets with a status are passed by; one that cannot be sealed gets one.
   * @returns packets sealed, or -errno. Allocates nothing. Source: [W] 5.4.6.
   */
  seal(batch: PacketBatch): number {
    return native.aeadSeal(this.#handle, attachBatch(batch));
  }

  /**
   * Opens the packets of every Data run with a key, in place. A packet that verified becomes its plaintext; any other
   * gets packetStatus -EBADMSG (or what else refused it) and its bytes are wiped.
   * @returns packets opened, or -errno. Allocates nothing. Source: [W] 5.4.6.
   */
  open(batch: PacketBatch): number {
    return native.aeadOpen(this.#handle, attachBatch(batch));
  }

  /**
   * Seals one message with any nonce and associated data. For tests: it allocates.
   * @param nonce  12 bytes. @param out  input.length + 16 bytes. @returns 0, or -errno.
   */
  sealOnce(out: Uint8Array, key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, input: Uint8Array): number {
    return native.aeadSealOnce(this.#handle, out, key, nonce, aad, input);
  }

  /**
   * Opens one message. For tests: it allocates.
   * @param input  ciphertext and tag. @param out  input.length - 16 bytes; zeros if refused.
   * @returns 0, or -errno (-EBADMSG: the tag did not verify).
   */
  openOnce(out: Uint8Array, key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, input: Uint8Array): number {
    return native.aeadOpenOnce(this.#handle, out, key, nonce, aad, input);
  }

  /** Wipes every key. Later calls return -EBADF or throw. */
  close(): void {
    native.aeadClose(this.#handle);
  }
}

/**
 * out = scalar · point on Curve25519, 32 bytes each.
 * @returns 1; 0 if the result is all zeros, which the caller must refuse. Constant time. Source: RFC 7748.
 * Errors: Error when a length is wrong or the process has no libcrypto.
 */
export function x25519(out: Uint8Array, scalar: Uint8Array, point: Uint8Array): number {
  return checked(native.x25519(out, scalar, point));
}

/** out = scalar · base point: the public key of a private one. Errors: as {@link x25519}. */
export function x25519Base(out: Uint8Array, scalar: Uint8Array): void {
  checked(native.x25519Base(out, scalar));
}

/** Pairs that {@link x25519Pairs} takes at most. */
export const X25519_PAIRS_MAX = 4;

/**
 * publics[i] = scalars[i] · base point and shareds[i] = scalars[i] · points[i], for `count` of them, 32 bytes each, one behind the
 * other. Four take little longer than one where the CPU has AVX-512.
 * @param count  1 to X25519_PAIRS_MAX. @returns bit i: shareds[i] is not all zeros; the caller must refuse it otherwise.
 * Errors: as {@link x25519}.
 */
export function x25519Pairs(
  publics: Uint8Array,
  shareds: Uint8Array,
  scalars: Uint8Array,
  points: Uint8Array,
  count: number,
): number {
  return checked(native.x25519Pairs(publics, shareds, scalars, points, count));
}

function checked(result: number): number {
  if (result >= 0) return result;
  if (result === -22) throw new RangeError("X25519 takes arrays of 32 bytes, and at most four pairs of them");
  throw new Error(`X25519 is not available: libcrypto answered with error ${-result}`);
}
