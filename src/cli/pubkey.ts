// longhaul pubkey: a private key on stdin, its public key on stdout. As wg(8): 44 characters, then at most white space
// and zero bytes.

import { readSync } from "node:fs";
import { formatBase64Key, KEY_BASE64_LENGTH, parseBase64Key } from "../config/key.js";
import { derivePublicKey } from "../config/public-key.js";
import { takeNoArguments } from "./arguments.js";
import { printData } from "./output.js";

const STDIN = 0;
const READ_BYTES = 4096;

/** @returns the exit status. Errors: UsageError; ConfigError, without the text; Error for what follows the key. */
export function pubkey(args: string[]): number {
  takeNoArguments("pubkey", args);
  const privateKey = parseBase64Key(readKeyText(STDIN), "private key on stdin");
  printData(`${formatBase64Key(derivePublicKey(privateKey))}\n`);
  privateKey.fill(0);
  return 0;
}

/** Reads to the end of input, or to the first byte that does not belong. */
function readKeyText(fd: number): string {
  const chunk = Buffer.alloc(READ_BYTES);
  let text = "";
  for (let count = read(fd, chunk); count > 0; count = read(fd, chunk)) {
    const piece = chunk.toString("latin1", 0, count);
    const taken = KEY_BASE64_LENGTH - text.length;
    text += piece.slice(0, taken);
    if (/[^\0\s]/.test(piece.slice(taken))) {
      chunk.fill(0);
      throw new Error(
        "pubkey: there is text after the key; give one private key on stdin, such as longhaul genkey prints",
      );
    }
  }
  chunk.fill(0);
  return text;
}

/** Blocks until there is input, on a non-blocking descriptor too. */
function read(fd: number, into: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, into);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") {
        throw error;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
