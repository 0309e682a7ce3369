// Options that every way to start a daemon has.

import { parseMetricsAddress } from "../config/config-values.js";
import { type AeadChoice, aeadChoices, type LogLevel, logLevels } from "../config/daemon-choices.js";
import { ConfigError } from "../config/errors.js";
import type { MetricsAddress } from "../config/gateway-config.js";
import { parseLogLevel } from "../daemon/environment.js";
import { UsageError } from "./output.js";

/** Errors: UsageError. */
export function readAead(text: string): AeadChoice {
  const choice = aeadChoices.find((name) => name === text);
  if (choice === undefined) {
    throw new UsageError(`--aead ${JSON.stringify(text)}; write one of ${aeadChoices.join(", ")}`);
  }
  return choice;
}

/** Errors: UsageError. */
export function readLogLevel(text: string): LogLevel {
  const level = parseLogLevel(text);
  if (level === undefined) {
    throw new UsageError(`--log-level ${JSON.stringify(text)}; write one of verbose, ${logLevels.join(", ")}`);
  }
  return level;
}

/** @param texts  addresses, each with a comma between several, or `off` alone. Errors: UsageError. */
export function readMetrics(texts: readonly string[]): MetricsAddress[] {
  const words = texts.flatMap((text) => text.split(",")).map((word) => word.trim());
  if (words.length === 1 && words[0] === "off") return [];
  try {
    return words.map(parseMetricsAddress);
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(`--metrics: ${error.message}`);
    throw error;
  }
}
