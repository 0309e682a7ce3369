// The handshake's primitives with X25519 by native code, several times as fast as WebAssembly; the rest by libsodium.

import { x25519, x25519Base, x25519Pairs } from "tun-tap-ts";
import { createPrimitives, type Primitives } from "../core/noise/primitives.js";

/** @returns primitives for a daemon */
export function createNativePrimitives(): Promise<Primitives> {
  return createPrimitives({
    x25519: (out, scalar, point) => x25519(out, scalar, point) === 1,
    x25519Base,
    x25519Pairs,
  });
}
