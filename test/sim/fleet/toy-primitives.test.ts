// The toy primitives keep what the simulation rests on.

import { expect, test } from "vitest";
import { createPrimitives } from "../../../src/core/noise/primitives.js";
import { Dice } from "./dice.js";
import { toyPrimitives } from "./toy-primitives.js";

const toy = toyPrimitives(await createPrimitives());
const dice = new Dice(1, 1);

test("both ends of a DH get the same secret, others another", () => {
  for (let i = 0; i < 100; i++) {
    const [a, b, c] = [dice.bytes(32), dice.bytes(32), dice.bytes(32)];
    const [publicA, publicB, ab, ba, cb] = Array.from({ length: 5 }, () => new Uint8Array(32));
    toy.x25519Base(publicA, a);
    toy.x25519Base(publicB, b);
    expect(toy.x25519(ab, a, publicB)).toBe(true);
    toy.x25519(ba, b, publicA);
    toy.x25519(cb, c, publicB);
    expect(ba).toEqual(ab);
    expect(cb).not.toEqual(ab);
  }
  expect(toy.x25519(new Uint8Array(32), dice.bytes(32), new Uint8Array(32))).toBe(false);
});

test("opens what it sealed, and nothing that differs in one bit of text, tag, key, counter or associated data", () => {
  const [key, text, ad] = [dice.bytes(32), dice.bytes(45), dice.bytes(7)];
  const sealed = new Uint8Array(text.length + 16);
  const opened = new Uint8Array(text.length);
  toy.aeadSeal(sealed, key, 9, text, ad);
  expect(toy.aeadOpen(opened, key, 9, sealed, ad)).toBe(true);
  expect(opened).toEqual(text);
  expect(sealed.subarray(0, text.length)).not.toEqual(text);
  for (const bytes of [sealed, key, ad]) {
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      expect(toy.aeadOpen(opened, key, 9, sealed, ad)).toBe(false);
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
  }
  for (const counter of [8, 10, 9 + 2 ** 32]) expect(toy.aeadOpen(opened, key, counter, sealed, ad)).toBe(false);
});
