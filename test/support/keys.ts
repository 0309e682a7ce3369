// Key material for tests, made by node:crypto so that it does not depend on the code under test.
import { generateKeyPairSync, randomBytes } from "node:crypto";

/** Both keys in base64, as in wg(8). */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** @returns a fresh Curve25519 key pair. */
export function newKeyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("x25519");
  return {
    privateKey: Buffer.from(privateKey.export({ format: "jwk" }).d!, "base64url").toString("base64"),
    publicKey: Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url").toString("base64"),
  };
}

/** @returns 32 random bytes in base64. */
export function newPresharedKey(): string {
  return randomBytes(32).toString("base64");
}
