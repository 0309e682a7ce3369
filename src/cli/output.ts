// stdout is data, stderr is talk. Both are written at once, so that exiting loses nothing.

import { fstatSync, writeSync } from "node:fs";

const STDOUT = 1;
const STDERR = 2;
const FULL_PIPE_PAUSE_MS = 5;

/** Bad use of the command line: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @returns false when the reader went away (EPIPE). Errors: other system errors. */
export function printData(text: string): boolean {
  return write(STDOUT, text);
}

/** Prints lines for the person at the terminal, each with our name before it. Throws nothing. */
export function printTalk(text: string): void {
  try {
    write(STDERR, text.replace(/^/gm, "longhaul: ") + "\n");
  } catch {
    // There is nobody to tell.
  }
}

/** Prints a secret, and warns, as wg(8) does, when it goes into a file that others may read. */
export function printSecret(text: string | Buffer): void {
  const stats = fstatSync(STDOUT);
  if (stats.isFile() && (stats.mode & 0o007) !== 0) {
    printTalk("warning: writing to a world accessible file; set the umask to 077 and try again");
  }
  write(STDOUT, text);
}

/** @param text  bytes are wiped */
function write(fd: number, text: string | Buffer): boolean {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  try {
    for (let written = 0; written < bytes.length; ) {
      written += writeSome(fd, bytes, written);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") {
      throw error;
    }
    return false;
  } finally {
    bytes.fill(0);
  }
}

/** A pipe that we share with a program that made it non-blocking is waited for. */
function writeSome(fd: number, bytes: Buffer, offset: number): number {
  try {
    return writeSync(fd, bytes, offset);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS);
    return 0;
  }
}
