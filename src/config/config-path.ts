// From what an admin types to a configuration file and an interface: `hq`, or a path that ends in `.conf`.

import { accessSync, constants } from "node:fs";
import { basename, join, resolve } from "node:path";
import { ConfigError, ConfigErrorCode, quote } from "./errors.js";
import { parseInterfaceName } from "./interface-name.js";

/** Where the file of a name is looked for, in this order. */
export const CONFIG_DIRECTORIES = ["/etc/longhaul", "/etc/wireguard"] as const;

export interface ConfigPath {
  readonly interfaceName: string;
  /** Absolute. */
  readonly path: string;
}

/**
 * As wg-quick(8): a name means the file of that name in the configuration directories; anything with a slash, or that ends in
 * `.conf`, is the path of a file, whose base name names the interface.
 * @returns a file that was there just now, readable or not. Errors: ConfigError, saying where it looked.
 */
export function findConfig(nameOrPath: string, directories: readonly string[] = CONFIG_DIRECTORIES): ConfigPath {
  if (nameOrPath.includes("/") || nameOrPath.endsWith(".conf")) return fromPath(nameOrPath);
  const interfaceName = parseInterfaceName(nameOrPath);
  const candidates = directories.map((directory) => join(directory, `${interfaceName}.conf`));
  const path = candidates.find(exists);
  if (path === undefined) {
    throw new ConfigError(
      ConfigErrorCode.File,
      `there is no ${candidates.join(" and no ")}`,
      `the configuration to ${candidates[0]}, or give the path of a file that ends in .conf`,
    );
  }
  return { interfaceName, path };
}

function fromPath(text: string): ConfigPath {
  if (!text.endsWith(".conf")) {
    throw new ConfigError(
      ConfigErrorCode.File,
      `file ${quote(text)}: its name does not end in .conf`,
      "the name of an interface, such as hq, or a path such as ./hq.conf",
    );
  }
  const interfaceName = parseInterfaceName(basename(text).slice(0, -".conf".length));
  const path = resolve(text);
  if (!exists(path)) {
    throw new ConfigError(
      ConfigErrorCode.File,
      `there is no file ${quote(path)}`,
      "the configuration there, or give another path",
    );
  }
  return { interfaceName, path };
}

/** A directory that may not be searched counts as a file that is there: opening it then tells what is wrong. */
function exists(path: string): boolean {
  try {
    accessSync(path, constants.F_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT" && (error as NodeJS.ErrnoException).code !== "ENOTDIR";
  }
}
