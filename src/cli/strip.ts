// longhaul strip CONF-or-NAME: the file without what wg(8) does not know, as `wg-quick strip`, for `wg setconf` and `wg syncconf`.

import { dirname } from "node:path";
import { formatWarning } from "../config/config-problem.js";
import { wipeKeys } from "../config/gateway-config.js";
import { parseGatewayConfig, readConfigFile } from "../config/load-config.js";
import { stripConfig } from "../config/strip-config.js";
import { printSecret, printTalk } from "./output.js";
import { configOf, readServiceArguments } from "./service-command.js";

/** @returns the exit status, 0. Errors: UsageError; ConfigError; ConfigFileError with all that is wrong in the file. */
export async function strip(args: string[]): Promise<number> {
  const { word } = readServiceArguments("strip", args, {});
  const { interfaceName, path } = configOf(word);
  const { bytes } = await readConfigFile(path);
  try {
    const options = { interfaceName, file: path, directory: dirname(path), keyIsOptional: true };
    const { config, warnings } = parseGatewayConfig(bytes, options);
    for (const warning of warnings) printTalk(formatWarning(path, warning));
    printSecret(stripConfig(bytes, config));
    wipeKeys(config);
  } finally {
    bytes.fill(0);
  }
  return 0;
}
