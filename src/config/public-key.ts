// The public key of a private one, by node:crypto: for the command line and for checks of a file, where nothing is fast.

import { createPrivateKey, createPublicKey } from "node:crypto";

/** DER of a PKCS #8 X25519 private key, all but the 32 bytes. Source: RFC 8410 section 7. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");

/** @param privateKey  32 bytes, clamped or not. @returns 32 new bytes. Source: RFC 7748. */
export function derivePublicKey(privateKey: Uint8Array): Uint8Array {
  const der = Buffer.concat([PKCS8_PREFIX, privateKey]);
  const key = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  der.fill(0);
  const { x } = key.export({ format: "jwk" }) as { x: string };
  return new Uint8Array(Buffer.from(x, "base64url"));
}
