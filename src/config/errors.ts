// The one error of the configuration parsers, and how an offending text may be shown. It must never see a secret.

/** Stable codes, one a kind of value. */
export const ConfigErrorCode = {
  Key: "ERR_KEY",
  Prefix: "ERR_PREFIX",
  Endpoint: "ERR_ENDPOINT",
  Number: "ERR_NUMBER",
  InterfaceName: "ERR_INTERFACE_NAME",
  UnknownInterface: "ERR_UNKNOWN_INTERFACE",
  File: "ERR_FILE",
} as const;
export type ConfigErrorCode = (typeof ConfigErrorCode)[keyof typeof ConfigErrorCode];

/** A value that could not be understood. The message names the text and says what to write instead. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: ConfigErrorCode;
  readonly problem: string;
  /** What to write instead. */
  readonly expected: string;

  /**
   * @param code      stable, for programs
   * @param problem   what is wrong, with the offending text through {@link quote}
   * @param expected  what to write instead, without "write" in front
   * @param cure      the same as a clause, where "write" and what is expected is not how one would say it
   */
  constructor(code: ConfigErrorCode, problem: string, expected: string, cure = `write ${expected}`) {
    super(`${problem}; ${cure}`);
    this.code = code;
    this.problem = problem;
    this.expected = expected;
  }
}

const QUOTED_LENGTH_MAX = 64;

/**
 * Makes untrusted text fit for one line of a message: quoted, cut, with anything that a terminal could act on escaped.
 * @returns printable ASCII, at most about 64 characters of the text. Throws nothing.
 */
export function quote(text: string): string {
  const cut = text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}...` : text;
  return JSON.stringify(cut).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
