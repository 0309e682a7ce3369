// longhaul genkey: a new private key, in base64.

import { randomFillSync } from "node:crypto";
import { formatBase64Key, KEY_BYTES } from "../config/key.js";
import { takeNoArguments } from "./arguments.js";
import { printSecret } from "./output.js";

/** @returns the exit status. Errors: UsageError, system errors. Source: RFC 7748 section 5 (clamping). */
export function genkey(args: string[]): number {
  takeNoArguments("genkey", args);
  const key = randomFillSync(new Uint8Array(KEY_BYTES));
  key[0] &= 0xf8;
  key[31] = (key[31] & 0x7f) | 0x40;
  printSecret(`${formatBase64Key(key)}\n`);
  key.fill(0);
  return 0;
}
