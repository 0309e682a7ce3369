// Command lines of the benches.

/** A command line that cannot be understood; its message goes out above the usage. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @returns a whole number of at least 1. Errors: UsageError. */
export function parseCount(option: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`${option} ${JSON.stringify(text)}: write a number from 1`);
  return Number(text);
}

/** @returns the comma-separated names, each one of `known`, in the order of `known`. Errors: UsageError. */
export function parseNames<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  const names = text.split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !known.includes(name as T));
  if (unknown !== undefined || names.length === 0) {
    throw new UsageError(`${option} ${JSON.stringify(unknown ?? text)}: write some of ${known.join(",")}`);
  }
  return known.filter((name) => names.includes(name));
}

/** @returns the name of an AEAD backend as given; longhaul itself knows which there are. Errors: UsageError. */
export function parseAead(text: string | undefined): string | undefined {
  if (text !== undefined && !/^[a-z0-9-]+$/.test(text)) throw new UsageError(`--aead ${JSON.stringify(text)}?`);
  return text;
}
