// Errors of the UAPI and their errno. Numbers here are positive; a `set` answers them negative, a `get` positive, which
// is how wg(8) reads them.

import { constants } from "node:os";
import { ConfigError } from "../config/errors.js";

/**
 * An errno by name. This layer itself answers with EINVAL (a key not known here, a value that does not parse), EPROTO (a
 * line without "=", a set without its blank line), EIO (a line longer than any can be; a failure without an errno of its
 * own) and E2BIG (an operation larger than any can be); handlers add theirs, such as EADDRINUSE.
 */
export type UapiErrorCode = keyof typeof constants.errno;

/** A UAPI operation that failed. */
export class UapiError extends Error {
  override readonly name = "UapiError";
  readonly code: UapiErrorCode;
  /** Positive. */
  readonly errno: number;

  constructor(code: UapiErrorCode, message: string) {
    super(message);
    this.code = code;
    this.errno = constants.errno[code];
  }
}

/**
 * @param error  anything thrown: a UapiError, a ConfigError (EINVAL), an error with `errno` of either sign, or with
 *               `code` set to an errno name
 * @returns the errno to answer, positive; EIO when the error has none. Throws nothing.
 */
export function errnoOf(error: unknown): number {
  if (error instanceof ConfigError) {
    return constants.errno.EINVAL;
  }
  const { errno, code } = (error ?? {}) as { errno?: unknown; code?: unknown };
  if (typeof errno === "number" && Number.isInteger(errno) && errno !== 0) {
    return Math.abs(errno);
  }
  const named = typeof code === "string" ? (constants.errno as Record<string, number>)[code] : undefined;
  return named ?? constants.errno.EIO;
}
