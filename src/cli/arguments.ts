// Command lines by node:util parseArgs, with its errors as usage errors.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { suggest } from "../config/suggest.js";
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
    const [sentence = ""] = (error as Error).message.split(". ");
    throw new UsageError(`${sentence}; ${cureOf(sentence, [...Object.keys(options), "help"])}`);
  }
}

/** @param sentence  of parseArgs. @param names  of the options there are */
function cureOf(sentence: string, names: readonly string[]): string {
  const unknown = /^Unknown option '--([^']+)'/.exec(sentence)?.[1];
  const meant = unknown === undefined ? undefined : suggest(unknown, names);
  return meant === undefined ? "see longhaul --help" : `did you mean --${meant}?`;
}

/** Errors: UsageError when there are any. */
export function takeNoArguments(subcommand: string, args: string[]): void {
  const { positionals } = readArguments(args, {});
  if (positionals.length > 0) {
    throw new UsageError(`${subcommand} takes no arguments; see longhaul --help`);
  }
}
