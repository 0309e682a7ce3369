// Stand-ins for the two dear primitives, for most seeds: they keep what the protocol rests on (both ends of a DH get the same
// secret, a tag depends on every bit of key, counter, text and associated data) and are no cryptography at all.

import type { Primitives } from "../../../src/core/noise/primitives.js";

const TAG_BYTES = 16;
const BASE = Uint8Array.from({ length: 32 }, (_, i) => (i % 4 === 0 ? 2 * i + 9 : 17 * i + 3));

/** @returns the primitives with a DH by multiplication modulo 2^32, word by word, and a checksum for a tag */
export function toyPrimitives(real: Primitives): Primitives {
  const toy = Object.create(real) as Primitives;
  toy.x25519 = (out, scalar, point) => {
    let bits = 0;
    for (let at = 0; at < 32; at += 4) {
      const product = Math.imul(scalarWord(scalar, at), wordAt(point, at));
      bits |= product;
      putWord(out, at, product);
    }
    return bits !== 0;
  };
  toy.x25519Base = (out, scalar) => {
    toy.x25519(out, scalar, BASE);
  };
  toy.aeadSeal = (out, key, counter, plaintext, ad) => {
    const length = plaintext.length;
    for (let i = 0; i < length; i++) out[i] = plaintext[i] ^ key[i & 31] ^ counter;
    putTag(out, length, key, counter, out, length, ad);
  };
  toy.aeadOpen = (out, key, counter, ciphertext, ad) => {
    const length = ciphertext.length - TAG_BYTES;
    if (length < 0) return false;
    putTag(expected, 0, key, counter, ciphertext, length, ad);
    for (let i = 0; i < TAG_BYTES; i++) if (ciphertext[length + i] !== expected[i]) return false;
    for (let i = 0; i < length; i++) out[i] = ciphertext[i] ^ key[i & 31] ^ counter;
    return true;
  };
  return toy;
}

const expected = new Uint8Array(TAG_BYTES);

/** Two 32-bit checksums, each step of which is a bijection of what went before: no single change goes unseen. */
function putTag(
  out: Uint8Array,
  at: number,
  key: Uint8Array,
  counter: number,
  text: Uint8Array,
  length: number,
  ad: Uint8Array,
): void {
  let a = (counter | 0) ^ 0x811c9dc5;
  let b = Math.floor(counter / 0x1_0000_0000) ^ length;
  for (let i = 0; i < 32; i++) {
    a = Math.imul(a ^ key[i], 0x01000193);
    b = (Math.imul(b, 0x9e3779b1) + key[i]) | 0;
  }
  for (let i = 0; i < ad.length; i++) {
    a = Math.imul(a ^ ad[i], 0x01000193);
    b = (Math.imul(b, 0x9e3779b1) + ad[i]) | 0;
  }
  for (let i = 0; i < length; i++) {
    a = Math.imul(a ^ text[i], 0x01000193);
    b = (Math.imul(b, 0x9e3779b1) + text[i]) | 0;
  }
  putWord(out, at, a);
  putWord(out, at + 4, b);
  putWord(out, at + 8, a ^ Math.imul(b, 5));
  putWord(out, at + 12, ~a);
}

/** As RFC 7748 clamps. */
function scalarWord(scalar: Uint8Array, at: number): number {
  const word = wordAt(scalar, at);
  if (at === 0) return word & ~7;
  return at === 28 ? (word & 0x7fffffff) | 0x40000000 : word;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function putWord(bytes: Uint8Array, at: number, word: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = word >>> (8 * i);
}
