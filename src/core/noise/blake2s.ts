// HOT PATH: BLAKE2s-256, keyed BLAKE2s and HMAC-BLAKE2s over caller's memory. Allocates nothing after construction, so that garbage
// which fails mac1 costs no memory; measured 8 times as fast as @noble/hashes, which the tests compare it with.
// It must not know messages. Source: RFC 7693; RFC 2104 for HMAC.

import { secretBytes, secretWords } from "./secret-bytes.js";

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** RFC 2104: ipad and opad, four bytes each. */
const INNER_PAD = 0x36363636;
const OUTER_PAD = 0x5c5c5c5c;

/** RFC 7693 2.6: the fractional parts of the square roots of the first eight primes. */
const IV = Int32Array.of(
  0x6a09e667,
  0xbb67ae85 | 0,
  0x3c6ef372,
  0xa54ff53a | 0,
  0x510e527f,
  0x9b05688c | 0,
  0x1f83d9ab,
  0x5be0cd19,
);

/** RFC 7693 2.7: the message word schedule, ten rounds of sixteen. */
// biome-ignore format: one round a line
const SIGMA = Uint8Array.of(
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
  11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
  7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
  9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
  2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
  12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
  13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
  6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
  10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
);

/** One reusable hasher: `begin`, any number of `update`, `finish`. */
export class Blake2s {
  private readonly state = secretWords(8);
  private readonly words = secretWords(16);
  private readonly block = secretBytes(BLOCK_BYTES);
  /** HMAC's inner digest. */
  private readonly inner = secretWords(8);
  private blockLength = 0;
  /** Bytes compressed so far; at most 2^32 − 1 in one hash. */
  private compressedBytes = 0;
  private outBytes = 0;

  /** Starts over. @param outBytes 1–32. @param key 1–32 bytes, or undefined for the plain hash. */
  begin(outBytes: number, key?: Uint8Array): void {
    this.state.set(IV);
    const keyBytes = key === undefined ? 0 : key.length;
    this.state[0] ^= 0x01010000 | (keyBytes << 8) | outBytes;
    this.outBytes = outBytes;
    this.compressedBytes = 0;
    this.blockLength = 0;
    if (key !== undefined) {
      this.block.fill(0);
      this.block.set(key);
      this.blockLength = BLOCK_BYTES;
    }
  }

  /** Absorbs `data[offset, offset + length)`. */
  update(data: Uint8Array, offset = 0, length = data.length - offset): void {
    const end = offset + length;
    let at = offset;
    while (at < end) {
      // The last block is compressed with a flag, so a full one waits until more is known to follow.
      if (this.blockLength === BLOCK_BYTES) {
        this.compress(this.block, 0, BLOCK_BYTES, 0);
        this.blockLength = 0;
      }
      if (this.blockLength === 0 && end - at > BLOCK_BYTES) {
        this.compress(data, at, BLOCK_BYTES, 0);
        at += BLOCK_BYTES;
        continue;
      }
      const take = Math.min(BLOCK_BYTES - this.blockLength, end - at);
      for (let i = 0; i < take; i++) this.block[this.blockLength + i] = data[at + i];
      this.blockLength += take;
      at += take;
    }
  }

  /** Writes the digest to `out[0, outBytes)` and wipes everything; `out` may alias what was absorbed. */
  finish(out: Uint8Array): void {
    this.compressLast();
    this.put(out);
  }

  /** `out` = HMAC-BLAKE2s-256(key, a ‖ b). @param key  at most 64 bytes; `out` may be any of them. */
  hmac(out: Uint8Array, key: Uint8Array, a: Uint8Array, b?: Uint8Array): void {
    const { inner, state, words } = this;
    const isEmpty = a.length === 0 && (b === undefined || b.length === 0);
    this.beginPadded(key, INNER_PAD, isEmpty ? -1 : 0);
    if (!isEmpty) {
      this.update(a);
      if (b !== undefined) this.update(b);
      this.compressLast();
    }
    for (let i = 0; i < 8; i++) inner[i] = state[i];
    this.beginPadded(key, OUTER_PAD, 0);
    words.fill(0, 8);
    for (let i = 0; i < 8; i++) words[i] = inner[i];
    rounds(state, words, BLOCK_BYTES + DIGEST_BYTES, -1);
    inner.fill(0);
    this.put(out);
  }

  /** Starts over with the block key ⊕ pad. @param last  −1 if nothing follows, else 0 */
  private beginPadded(key: Uint8Array, pad: number, last: number): void {
    const { block, words } = this;
    this.begin(DIGEST_BYTES);
    block.fill(0);
    for (let i = 0; i < key.length; i++) block[i] = key[i];
    load(words, block, 0);
    for (let i = 0; i < 16; i++) words[i] ^= pad;
    this.compressedBytes = BLOCK_BYTES;
    rounds(this.state, words, BLOCK_BYTES, last);
  }

  private compressLast(): void {
    this.block.fill(0, this.blockLength);
    this.compress(this.block, 0, this.blockLength, -1);
  }

  private put(out: Uint8Array): void {
    for (let i = 0; i < this.outBytes; i++) out[i] = this.state[i >> 2] >>> (8 * (i & 3));
    this.state.fill(0);
    this.words.fill(0);
    this.block.fill(0);
  }

  /** RFC 7693 3.2: the function F over one block. @param last −1 for the last block, else 0. */
  private compress(data: Uint8Array, offset: number, lengthBytes: number, last: number): void {
    load(this.words, data, offset);
    this.compressedBytes += lengthBytes;
    rounds(this.state, this.words, this.compressedBytes, last);
  }
}

/** `m` = the sixteen little-endian words of `data[offset, offset + 64)`. */
function load(m: Int32Array, data: Uint8Array, offset: number): void {
  for (let i = 0; i < 16; i++, offset += 4) {
    m[i] = data[offset] | (data[offset + 1] << 8) | (data[offset + 2] << 16) | (data[offset + 3] << 24);
  }
}

/** The state in sixteen locals: over an array the same arithmetic took 790 ns a block instead of 165. */
// biome-ignore format: one half of the function G a line
function rounds(h: Int32Array, m: Int32Array, countBytes: number, last: number): void {
  let a0 = h[0], a1 = h[1], a2 = h[2], a3 = h[3], b0 = h[4], b1 = h[5], b2 = h[6], b3 = h[7];
  let c0 = IV[0], c1 = IV[1], c2 = IV[2], c3 = IV[3];
  let d0 = IV[4] ^ countBytes, d1 = IV[5], d2 = IV[6] ^ last, d3 = IV[7];
  for (let s = 0; s < 160; s += 16) {
    // columns
    a0 = (a0 + b0 + m[SIGMA[s]]) | 0; d0 = rotate(d0 ^ a0, 16); c0 = (c0 + d0) | 0; b0 = rotate(b0 ^ c0, 12);
    a0 = (a0 + b0 + m[SIGMA[s + 1]]) | 0; d0 = rotate(d0 ^ a0, 8); c0 = (c0 + d0) | 0; b0 = rotate(b0 ^ c0, 7);
    a1 = (a1 + b1 + m[SIGMA[s + 2]]) | 0; d1 = rotate(d1 ^ a1, 16); c1 = (c1 + d1) | 0; b1 = rotate(b1 ^ c1, 12);
    a1 = (a1 + b1 + m[SIGMA[s + 3]]) | 0; d1 = rotate(d1 ^ a1, 8); c1 = (c1 + d1) | 0; b1 = rotate(b1 ^ c1, 7);
    a2 = (a2 + b2 + m[SIGMA[s + 4]]) | 0; d2 = rotate(d2 ^ a2, 16); c2 = (c2 + d2) | 0; b2 = rotate(b2 ^ c2, 12);
    a2 = (a2 + b2 + m[SIGMA[s + 5]]) | 0; d2 = rotate(d2 ^ a2, 8); c2 = (c2 + d2) | 0; b2 = rotate(b2 ^ c2, 7);
    a3 = (a3 + b3 + m[SIGMA[s + 6]]) | 0; d3 = rotate(d3 ^ a3, 16); c3 = (c3 + d3) | 0; b3 = rotate(b3 ^ c3, 12);
    a3 = (a3 + b3 + m[SIGMA[s + 7]]) | 0; d3 = rotate(d3 ^ a3, 8); c3 = (c3 + d3) | 0; b3 = rotate(b3 ^ c3, 7);
    // diagonals
    a0 = (a0 + b1 + m[SIGMA[s + 8]]) | 0; d3 = rotate(d3 ^ a0, 16); c2 = (c2 + d3) | 0; b1 = rotate(b1 ^ c2, 12);
    a0 = (a0 + b1 + m[SIGMA[s + 9]]) | 0; d3 = rotate(d3 ^ a0, 8); c2 = (c2 + d3) | 0; b1 = rotate(b1 ^ c2, 7);
    a1 = (a1 + b2 + m[SIGMA[s + 10]]) | 0; d0 = rotate(d0 ^ a1, 16); c3 = (c3 + d0) | 0; b2 = rotate(b2 ^ c3, 12);
    a1 = (a1 + b2 + m[SIGMA[s + 11]]) | 0; d0 = rotate(d0 ^ a1, 8); c3 = (c3 + d0) | 0; b2 = rotate(b2 ^ c3, 7);
    a2 = (a2 + b3 + m[SIGMA[s + 12]]) | 0; d1 = rotate(d1 ^ a2, 16); c0 = (c0 + d1) | 0; b3 = rotate(b3 ^ c0, 12);
    a2 = (a2 + b3 + m[SIGMA[s + 13]]) | 0; d1 = rotate(d1 ^ a2, 8); c0 = (c0 + d1) | 0; b3 = rotate(b3 ^ c0, 7);
    a3 = (a3 + b0 + m[SIGMA[s + 14]]) | 0; d2 = rotate(d2 ^ a3, 16); c1 = (c1 + d2) | 0; b0 = rotate(b0 ^ c1, 12);
    a3 = (a3 + b0 + m[SIGMA[s + 15]]) | 0; d2 = rotate(d2 ^ a3, 8); c1 = (c1 + d2) | 0; b0 = rotate(b0 ^ c1, 7);
  }
  h[0] ^= a0 ^ c0; h[1] ^= a1 ^ c1; h[2] ^= a2 ^ c2; h[3] ^= a3 ^ c3;
  h[4] ^= b0 ^ d0; h[5] ^= b1 ^ d1; h[6] ^= b2 ^ d2; h[7] ^= b3 ^ d3;
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
