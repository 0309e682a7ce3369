// What `up`, `down`, `reload` and `run` have in common: one name or file, a few options, and how a change is told.

import type { ParseArgsConfig } from "node:util";
import { type ConfigPath, findConfig } from "../config/config-path.js";
import { parseInterfaceName } from "../config/interface-name.js";
import type { ControlAnswer } from "../daemon/control-client.js";
import type { ServiceChange } from "../daemon/service.js";
import { readArguments } from "./arguments.js";
import { printData, printTalk, UsageError } from "./output.js";

export const tellingOptions = {
  "dry-run": { type: "boolean", short: "n" },
  json: { type: "boolean" },
} as const satisfies ParseArgsConfig["options"];

/** Reads `NAME-or-CONF` and options. Errors: UsageError. */
export function readServiceArguments<T extends NonNullable<ParseArgsConfig["options"]>>(
  subcommand: string,
  args: string[],
  options: T,
): { values: ReturnType<typeof readArguments<T>>["values"]; word: string } {
  const { values, positionals } = readArguments(args, options);
  const [word] = positionals;
  if (positionals.length !== 1 || word === undefined) {
    throw new UsageError(
      `${subcommand} wants one name or file, such as hq or ./hq.conf, not ${positionals.length}; see longhaul --help`,
    );
  }
  return { values, word };
}

/** The interface that a word means, whether or not its file is still there. Errors: ConfigError. */
export function interfaceOf(word: string): string {
  if (word.includes("/") || word.endsWith(".conf")) {
    return parseInterfaceName((word.split("/").at(-1) as string).replace(/\.conf$/, ""));
  }
  return parseInterfaceName(word);
}

/** The file that a word means. Errors: ConfigError, saying where it looked. */
export function configOf(word: string): ConfigPath {
  return findConfig(word);
}

/** A plan is what was asked for, so it is data. */
export function printPlan(interfaceName: string, plan: ServiceChange, json: boolean): void {
  if (json) {
    printData(`${JSON.stringify({ interface: interfaceName, ...plan })}\n`);
    return;
  }
  for (const warning of plan.warnings) printTalk(`warning: ${warning}`);
  printData(plan.changes.map((change) => `${change}\n`).join(""));
  if (plan.changes.length === 0) printTalk(`${interfaceName}: nothing would change`);
}

/** @returns what a control socket answered. Errors: Error with the daemon's own words when it refused. */
export function readAnswer<T>({ status, text }: ControlAnswer, interfaceName: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(
      `the daemon of ${interfaceName} answered with status ${status} and no JSON; is it another version?`,
    );
  }
  if (status === 200) return value as T;
  if (status === 404) {
    throw new Error(
      `${interfaceName} was started without a file, by longhaul ${interfaceName} or wg-quick(8): use wg(8) and ip(8) for it`,
    );
  }
  throw new Error((value as { error?: string } | null)?.error ?? `status ${status}`);
}
