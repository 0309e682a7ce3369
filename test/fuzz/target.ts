// What a fuzz target is. Targets know nothing of how inputs are made, mutated or kept.

/** One parser, or one way into longhaul, with what must hold for every input. */
export interface FuzzTarget {
  readonly name: string;
  /** What it covers, for the table of docs/fuzzing.md. */
  readonly what: string;
  /** Paths, from the root of the repository, that coverage is counted in: files, or directories that end in a slash. */
  readonly covers: readonly string[];
  /** Words that a mutation may put in. */
  readonly dictionary: readonly string[];
  /** Longer inputs are cut. */
  readonly bytesMax: number;
  /** An input near to what is valid, from a seed. */
  make(seed: number): Uint8Array;
  /** Throws for a property that does not hold. */
  check(input: Uint8Array): void | Promise<void>;
}

/** A property that does not hold. */
export class PropertyError extends Error {
  override readonly name = "PropertyError";
}

/** Errors: PropertyError when it is not so. */
export function hold(isSo: boolean, property: string): void {
  if (!isSo) throw new PropertyError(property);
}

/** @returns what `run` returned, or the error it threw if it is of a class that it may throw. Errors: PropertyError. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of errors take anything
export function valueOr<T, C extends new (...args: any[]) => Error>(run: () => T, mayThrow: C): T | InstanceType<C> {
  try {
    return run();
  } catch (error) {
    if (error instanceof mayThrow) return error as InstanceType<C>;
    throw new PropertyError(`threw ${String(error)}`, { cause: error });
  }
}

/** A message is one line of printable text of bounded length. Errors: PropertyError. */
export function holdPrintable(message: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  hold(!/[\x00-\x1f\x7f-\x9f]/.test(message), `a control character in ${JSON.stringify(message)}`);
  hold(message.length < 1_000, `a message of ${message.length} characters`);
}

const KEY_TEXT = /(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{43}=|[0-9a-fA-F]{64})(?![A-Za-z0-9+/])/g;
/** Characters of a key in a row that no message may have; fewer are in many a word. */
const GIVEAWAY = 20;

/** Of the last input that was asked about: a file has many messages. */
let last: { readonly input: string; readonly pieces: ReadonlySet<string> } = { input: "", pieces: new Set() };

function piecesOf(input: string): ReadonlySet<string> {
  if (last.input === input) return last.pieces;
  const pieces = new Set<string>();
  for (const [key] of input.matchAll(KEY_TEXT)) {
    for (let at = 0; at + GIVEAWAY <= key.length; at++) {
      const piece = key.slice(at, at + GIVEAWAY);
      // A run of few different characters is nobody's key, and may be a word of ours.
      if (new Set(piece).size >= 8) pieces.add(piece);
    }
  }
  last = { input, pieces };
  return pieces;
}

/** No key that stands in the input, whole or a piece of it, stands in the message. Errors: PropertyError. */
export function holdNoKey(input: string, message: string): void {
  const pieces = piecesOf(input);
  if (pieces.size === 0) return;
  for (let at = 0; at + GIVEAWAY <= message.length; at++) {
    hold(!pieces.has(message.slice(at, at + GIVEAWAY)), `a key in the message: ${message}`);
  }
}
