// The ephemeral keys of a few initiations, made at once: several multiplications side by side cost little more than one.
// Holds secrets until `wipe`. It must not know peers.
import { KEY_BYTES } from "./constants.js";
import { PAIRS_MAX, type Primitives } from "./primitives.js";
import { secretBytes } from "./secret-bytes.js";

/** One initiation's ephemeral key pair, and what its private half makes of the responder's static key. */
export interface InitiationKey {
  readonly ephemeralPrivate: Uint8Array;
  readonly ephemeralPublic: Uint8Array;
  /** DH of the ephemeral key and the responder's static one; all zero: of no use. */
  readonly ephemeralStatic: Uint8Array;
}

/** Room for {@link PAIRS_MAX} of them. */
export class InitiationKeys {
  readonly #privates = secretBytes(PAIRS_MAX * KEY_BYTES);
  readonly #publics = new Uint8Array(PAIRS_MAX * KEY_BYTES);
  readonly #shareds = secretBytes(PAIRS_MAX * KEY_BYTES);
  readonly #points = new Uint8Array(PAIRS_MAX * KEY_BYTES);
  readonly #keys: readonly InitiationKey[];
  #count = 0;

  constructor() {
    this.#keys = Array.from({ length: PAIRS_MAX }, (_, i) => {
      const [from, to] = [i * KEY_BYTES, (i + 1) * KEY_BYTES];
      return {
        ephemeralPrivate: this.#privates.subarray(from, to),
        ephemeralPublic: this.#publics.subarray(from, to),
        ephemeralStatic: this.#shareds.subarray(from, to),
      };
    });
  }

  /** Adds one, to be made by {@link make}; at most PAIRS_MAX between two wipes. @param remoteStatic  copied */
  add(remoteStatic: Uint8Array): void {
    this.#points.set(remoteStatic, this.#count * KEY_BYTES);
    this.#count++;
  }

  /** Makes all that were added. @param random  fills with random bytes */
  make(p: Primitives, random: (bytes: Uint8Array) => void): void {
    random(this.#privates);
    if (this.#count > 0) p.x25519Pairs(this.#publics, this.#shareds, this.#privates, this.#points, this.#count);
  }

  /** @param i  in the order in which they were added. @returns borrowed: the next wipe zeroes it */
  key(i: number): InitiationKey {
    return this.#keys[i] as InitiationKey;
  }

  /** Zeroes all, and begins anew. */
  wipe(p: Primitives): void {
    p.wipe(this.#privates);
    p.wipe(this.#shareds);
    this.#count = 0;
  }
}
