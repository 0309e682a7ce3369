// longhaul genpsk: a new preshared key, in base64.

import { randomFillSync } from "node:crypto";
import { formatBase64Key, KEY_BYTES } from "../config/key.js";
import { takeNoArguments } from "./arguments.js";
import { printSecret } from "./output.js";

/** @returns the exit status. Errors: UsageError, system errors. */
export function genpsk(args: string[]): number {
  takeNoArguments("genpsk", args);
  const key = randomFillSync(new Uint8Array(KEY_BYTES));
  printSecret(`${formatBase64Key(key)}\n`);
  key.fill(0);
  return 0;
}
