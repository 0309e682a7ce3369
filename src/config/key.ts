// Keys as text: base64 as wg(8) writes them, hexadecimal as the UAPI does. No message ever repeats a key: a private key
// may stand where a public one belongs.

import { secretBytes } from "../core/noise/secret-bytes.js";
import { ConfigError, ConfigErrorCode } from "./errors.js";
import { hexDigit } from "./hex.js";

/** Bytes of a private, public or preshared key. */
export const KEY_BYTES = 32;
/** Characters of a key in base64. */
export const KEY_BASE64_LENGTH = 44;
/** Characters of a key in hexadecimal. */
export const KEY_HEX_LENGTH = 64;

// 42 characters carry 252 bits; the 43rd carries 4 bits and two that must be zero.
const BASE64_KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/**
 * Strict: 44 characters, padded, canonical.
 * @param what  such as "public key", for the message
 * @returns 32 new bytes. Errors: ConfigError, without the text.
 */
export function parseBase64Key(text: string, what = "key"): Uint8Array {
  if (!BASE64_KEY.test(text)) {
    throw malformedBase64(text.length, what);
  }
  const decoded = Buffer.from(text, "base64");
  const key = secretBytes(KEY_BYTES);
  key.set(decoded);
  decoded.fill(0);
  return key;
}

/**
 * Reads a hexadecimal key straight from received bytes, so that no string of it is left in the heap.
 * @param bytes  borrowed; [start, end) is the text, upper or lower case
 * @returns 32 new bytes. Errors: ConfigError, without the text.
 */
export function parseHexKey(bytes: Uint8Array, start: number, end: number, what = "key"): Uint8Array {
  const key = secretBytes(KEY_BYTES);
  let valid = end - start === KEY_HEX_LENGTH;
  for (let i = 0; valid && i < KEY_BYTES; i++) {
    const high = hexDigit(bytes[start + 2 * i]);
    const low = hexDigit(bytes[start + 2 * i + 1]);
    valid = high >= 0 && low >= 0;
    key[i] = (high << 4) | low;
  }
  if (!valid) {
    key.fill(0);
    throw new ConfigError(
      ConfigErrorCode.Key,
      `${what}: ${describe(end - start, KEY_HEX_LENGTH, "not hexadecimal")}`,
      `${KEY_HEX_LENGTH} hexadecimal digits`,
    );
  }
  return key;
}

/** @param key  32 bytes. @returns 44 characters. Throws nothing. */
export function formatBase64Key(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("base64");
}

/** As {@link formatBase64Key}, into bytes that can be wiped. @param key  32 bytes. @returns 44 new bytes. Throws nothing. */
export function encodeBase64Key(key: Uint8Array): Buffer {
  const text = Buffer.alloc(KEY_BASE64_LENGTH, "=");
  let bits = 0;
  for (let i = 0, at = 0, have = 0; at < KEY_BASE64_LENGTH - 1; at++) {
    if (have < 6) {
      bits = ((bits << 8) | (i < KEY_BYTES ? key[i] : 0)) & 0xffff;
      have += 8;
      i++;
    }
    have -= 6;
    text[at] = base64Character((bits >> have) & 0x3f);
  }
  return text;
}

/** @param value  0–63. No branch and no table look-up depends on it. */
function base64Character(value: number): number {
  const upper = within(value, 0, 25) & (value + 0x41);
  const lower = within(value, 26, 51) & (value + 0x47);
  const digit = within(value, 52, 61) & (value - 4);
  return upper | lower | digit | (within(value, 62, 62) & 0x2b) | (within(value, 63, 63) & 0x2f);
}

/** @param key  32 bytes. @returns 64 lower-case characters. Throws nothing. */
export function formatHexKey(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("hex");
}

/** @returns whether every byte is zero, which stands for "no key". Constant time. */
export function isZeroKey(key: Uint8Array): boolean {
  let bits = 0;
  for (let i = 0; i < key.length; i++) {
    bits |= key[i];
  }
  return bits === 0;
}

function describe(length: number, expectedLength: number, otherwise: string): string {
  return length === expectedLength ? otherwise : `${length} characters instead of ${expectedLength}`;
}

/**
 * As {@link parseBase64Key}, straight from a file's bytes, so that no string of a key is left in the heap. No branch and no
 * table look-up depends on the key.
 * @param bytes  borrowed; [start, end) is the text
 * @returns 32 new bytes. Errors: ConfigError, without the text.
 */
export function parseBase64KeyBytes(bytes: Uint8Array, start: number, end: number, what = "key"): Uint8Array {
  if (end - start !== KEY_BASE64_LENGTH) throw malformedBase64(end - start, what);
  const key = secretBytes(KEY_BYTES);
  let invalid = bytes[end - 1] ^ 0x3d; //  "="
  let bits = 0;
  for (let i = 0; i < KEY_BASE64_LENGTH - 1; i++) {
    const value = base64Digit(bytes[start + i]);
    invalid |= value & 0x80;
    bits = ((bits << 6) | (value & 0x3f)) & 0xffff;
    const have = ((i + 1) * 6) & 7; //  bits beyond the last whole byte
    if (have < 6) key[((i + 1) * 6 - 8) >> 3] = bits >> have;
  }
  invalid |= bits & 3; //  the 43rd character carries 4 bits and two that must be zero
  if (invalid !== 0) {
    key.fill(0);
    throw malformedBase64(KEY_BASE64_LENGTH, what);
  }
  return key;
}

/** @returns 0–63, or 0x80 for what is no digit of base64. */
function base64Digit(code: number): number {
  const upper = within(code, 0x41, 0x5a);
  const lower = within(code, 0x61, 0x7a);
  const digit = within(code, 0x30, 0x39);
  const plus = within(code, 0x2b, 0x2b);
  const slash = within(code, 0x2f, 0x2f);
  const value = (upper & (code - 0x41)) | (lower & (code - 0x47)) | (digit & (code + 4)) | (plus & 62) | (slash & 63);
  return value | (~(upper | lower | digit | plus | slash) & 0x80);
}

/** @returns all ones when low <= code <= high, else 0. */
function within(code: number, low: number, high: number): number {
  return ~((code - low) | (high - code)) >> 31;
}

function malformedBase64(length: number, what: string): ConfigError {
  return new ConfigError(
    ConfigErrorCode.Key,
    `${what}: ${describe(length, KEY_BASE64_LENGTH, "not canonical base64")}`,
    `${KEY_BASE64_LENGTH} characters of base64 ending in "=", as longhaul genkey prints them`,
  );
}
