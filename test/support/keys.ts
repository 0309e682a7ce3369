// Key material for tests, made by node:crypto so that it does not depend on the code under test.
import { generateKeyPairSync, randomBytes } from "node:crypto";

/** What both encodings end with. */
const KEY_BYTES = 32;

/** Both keys in base64, as in wg(8). */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** @returns a fresh Curve25519 key pair. */
export function newKeyPair(): KeyPair {
  // Not as JWK: Node 20 exports that with the key's lock held, and a collection meanwhile may wait for the same lock.
  const { privateKey, publicKey } = generateKeyPairSync("x25519", {
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  return {
    privateKey: privateKey.subarray(-KEY_BYTES).toString("base64"),
    publicKey: publicKey.subarray(-KEY_BYTES).toString("base64"),
  };
}

/** @returns 32 random bytes in base64. */
export function newPresharedKey(): string {
  return randomBytes(32).toString("base64");
}
