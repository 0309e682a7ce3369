// Primitives that see what the wire hides: the timestamps and cookies that a node seals.

import type { Primitives } from "../../../src/core/noise/primitives.js";

const TIMESTAMP_BYTES = 12;

export interface PrimitiveWatcher {
  timestampSealed(timestamp: Uint8Array): void;
  /** @param mac1  of the message that the cookie answers */
  cookieSealed(cookie: Uint8Array, mac1: Uint8Array): void;
}

export function watchedPrimitives(primitives: Primitives, watcher: PrimitiveWatcher): Primitives {
  const watched = Object.create(primitives) as Primitives;
  watched.aeadSeal = (out, key, counter, plaintext, ad) => {
    if (plaintext.length === TIMESTAMP_BYTES) watcher.timestampSealed(plaintext);
    primitives.aeadSeal(out, key, counter, plaintext, ad);
  };
  watched.xaeadSeal = (out, key, nonce, plaintext, ad) => {
    watcher.cookieSealed(plaintext, ad);
    primitives.xaeadSeal(out, key, nonce, plaintext, ad);
  };
  return watched;
}
