// BLAKE2s against RFC 7693 and against @noble/hashes.
import { blake2s } from "@noble/hashes/blake2.js";
import { expect, test } from "vitest";
import { Blake2s } from "../../../src/core/noise/blake2s.js";
import { hex, pattern, toHex } from "./bytes.js";

function digest(outBytes: number, data: Uint8Array, key?: Uint8Array): Uint8Array {
  const hasher = new Blake2s();
  const out = new Uint8Array(outBytes);
  hasher.begin(outBytes, key);
  hasher.update(data);
  hasher.finish(out);
  return out;
}

test("RFC 7693 appendix B: BLAKE2s-256 of abc", () => {
  expect(digest(32, new TextEncoder().encode("abc"))).toEqual(
    hex("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"),
  );
});

/** RFC 7693 appendix E's deterministic bytes. */
function selfTestBytes(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  let a = Math.imul(0xdead4bad, seed) >>> 0;
  let b = 1;
  for (let i = 0; i < length; i++) {
    const t = (a + b) >>> 0;
    a = b;
    b = t;
    out[i] = (t >>> 24) & 255;
  }
  return out;
}

test("RFC 7693 appendix E: the grand hash over plain and keyed digests of all sizes", () => {
  const grand = new Blake2s();
  grand.begin(32);
  for (const outBytes of [16, 20, 28, 32]) {
    for (const length of [0, 3, 64, 65, 255, 1024]) {
      const data = selfTestBytes(length, length);
      grand.update(digest(outBytes, data));
      grand.update(digest(outBytes, data, selfTestBytes(outBytes, outBytes)));
    }
  }
  const out = new Uint8Array(32);
  grand.finish(out);
  expect(toHex(out)).toBe("6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe");
});

test("equals @noble/hashes at every length to 300, keyed and plain", () => {
  for (let length = 0; length <= 300; length++) {
    const data = pattern(length, length);
    const key = pattern(1 + (length % 32), 7);
    const dkLen = 1 + (length % 32);
    expect(digest(dkLen, data)).toEqual(blake2s(data, { dkLen }));
    expect(digest(dkLen, data, key)).toEqual(blake2s(data, { dkLen, key }));
  }
});

test("the same digest however the input is cut, and from any offset", () => {
  const data = pattern(200, 5);
  const whole = toHex(digest(32, data));
  const hasher = new Blake2s();
  const out = new Uint8Array(32);
  for (let cut = 0; cut <= data.length; cut++) {
    hasher.begin(32);
    hasher.update(data, 0, cut);
    hasher.update(data, cut);
    hasher.finish(out);
    expect(toHex(out)).toBe(whole);
  }
});

test("finish leaves nothing of key, input or digest behind", () => {
  const hasher = new Blake2s();
  hasher.begin(32, pattern(32, 1));
  hasher.update(pattern(100, 2));
  hasher.finish(new Uint8Array(32));
  for (const field of ["state", "words", "block"] as const) {
    const memory = (hasher as unknown as Record<string, ArrayLike<number>>)[field];
    expect(
      Array.from(memory).every((word) => word === 0),
      field,
    ).toBe(true);
  }
});
