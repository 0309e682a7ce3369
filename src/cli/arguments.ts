// Command lines by node:util parseArgs, with its errors as usage errors.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "./output.js";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Arguments<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true; strict: true }>
>;

/** As parseArgs, strict, positionals allowed. Errors: UsageError. */
export function readArguments<T extends Options>(args: string[], options: T): Arguments<T> {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith("ERR_PARSE_ARGS")) {
      throw error;
    }
    const [sentence] = (error as Error).message.split(". ");
    throw new UsageError(`${sentence}; see longhaul --help`);
  }
}

/** Errors: UsageError when there are any. */
export function takeNoArguments(subcommand: string, args: string[]): void {
  const { positionals } = readArguments(args, {});
  if (positionals.length > 0) {
    throw new UsageError(`${subcommand} takes no arguments; see longhaul --help`);
  }
}
