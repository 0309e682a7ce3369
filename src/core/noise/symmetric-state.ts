// Noise's symmetric state: chaining key, transcript hash and the key of the moment. It must not know messages or keys'
// roles. Source: Noise specification rev. 34, 5.2; [W] 5.4 for the names.
import { HASH_BYTES, KEY_BYTES } from "./constants.js";
import { kdf1, kdf2, kdf3 } from "./kdf.js";
import type { Primitives } from "./primitives.js";
import { secretBytes } from "./secret-bytes.js";

const EMPTY = new Uint8Array(0);

/** Mutable; holds secrets until `wipe`. In IK every encryption follows its own mixKey, so its nonce is always 0. */
export class SymmetricState {
  readonly chainingKey = secretBytes(HASH_BYTES);
  readonly hash = secretBytes(HASH_BYTES);
  private readonly key = secretBytes(KEY_BYTES);
  private readonly p: Primitives;

  constructor(p: Primitives) {
    this.p = p;
  }

  /** Start of a handshake: the protocol name's hash as both, and the prologue mixed in. At most 32 bytes is padded. */
  initialize(protocolName: Uint8Array, prologue: Uint8Array): void {
    if (protocolName.length > HASH_BYTES) {
      this.p.hash(this.hash, protocolName);
    } else {
      this.hash.fill(0);
      this.hash.set(protocolName);
    }
    this.chainingKey.set(this.hash);
    this.mixHash(prologue);
  }

  /** Becomes a copy of `other`; the key of the moment is not copied: between messages there is none. */
  copyFrom(other: SymmetricState): void {
    this.chainingKey.set(other.chainingKey);
    this.hash.set(other.hash);
  }

  mixHash(data: Uint8Array): void {
    this.p.hash(this.hash, this.hash, data);
  }

  /** MixKey whose key no encryption uses: only the chaining key moves on. */
  mixChainingKey(input: Uint8Array): void {
    kdf1(this.p, this.chainingKey, this.chainingKey, input);
  }

  mixKey(input: Uint8Array): void {
    kdf2(this.p, this.chainingKey, this.key, this.chainingKey, input);
  }

  /** For a preshared key; 32 zero bytes mean none. */
  mixKeyAndHash(input: Uint8Array): void {
    kdf3(this.p, this.chainingKey, scratch, this.key, this.chainingKey, input);
    this.mixHash(scratch);
    this.p.wipe(scratch);
  }

  /** `out`: plaintext length + 16. The key has served once and is wiped. */
  encryptAndHash(out: Uint8Array, plaintext: Uint8Array): void {
    this.p.aeadSeal(out, this.key, 0, plaintext, this.hash);
    this.p.wipe(this.key);
    this.mixHash(out);
  }

  /** `out`: ciphertext length − 16; the key is wiped. @returns false, hash unchanged, if the tag does not verify. */
  decryptAndHash(out: Uint8Array, ciphertext: Uint8Array): boolean {
    const verified = this.p.aeadOpen(out, this.key, 0, ciphertext, this.hash);
    this.p.wipe(this.key);
    if (!verified) return false;
    this.mixHash(ciphertext);
    return true;
  }

  /** The transport keys: `first` is the initiator's to send with. */
  split(first: Uint8Array, second: Uint8Array): void {
    kdf2(this.p, first, second, this.chainingKey, EMPTY);
  }

  wipe(): void {
    this.chainingKey.fill(0);
    this.hash.fill(0);
    this.key.fill(0);
  }
}

const scratch = secretBytes(HASH_BYTES);
