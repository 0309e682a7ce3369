// How prefixes and addresses lie to each other.

import type { Prefix } from "../core/device/update.js";

/** Whether every address of `inner` is one of `outer`. Throws nothing. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return (
    outer.family === inner.family && outer.length <= inner.length && equalBits(outer.bytes, inner.bytes, outer.length)
  );
}

/** @returns a prefix with its own bytes, host bits zero. @param length  bits */
export function prefixOf(address: Uint8Array, length: number): Prefix {
  const bytes = address.slice();
  const whole = length >> 3;
  if (whole < bytes.length) {
    bytes[whole] &= 0xff00 >> (length & 7);
    bytes.fill(0, whole + 1);
  }
  return { family: bytes.length === 4 ? 4 : 6, bytes, length };
}

function equalBits(a: Uint8Array, b: Uint8Array, length: number): boolean {
  const whole = length >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const mask = 0xff00 >> (length & 7);
  return (length & 7) === 0 || ((a[whole] ^ b[whole]) & mask & 0xff) === 0;
}
