// From a file to what a service runs on: the config layer's loader, with its warnings as lines.

import type { ConfigPath } from "../config/config-path.js";
import { formatProblem } from "../config/config-problem.js";
import { loadGatewayConfig } from "../config/load-config.js";
import type { LoadedConfig } from "../daemon/service-options.js";
import { sourceOf } from "./staged-config.js";

/** Errors: ConfigFileError, with all that is wrong. The caller wipes the keys. */
export async function loadConfig(where: ConfigPath): Promise<LoadedConfig> {
  const { config, warnings, file } = await loadGatewayConfig(where, { copyOf: sourceOf(where) });
  return { config, warnings: warnings.map((warning) => formatProblem(file, warning)) };
}
