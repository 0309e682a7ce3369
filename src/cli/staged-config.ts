// The copy of a configuration file that a service without root's rights reads: systemd's unit makes it when the service starts, and a
// reload by root renews it. Where there is no copy, the service reads the file itself.

import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CONFIG_DIRECTORIES, type ConfigPath, findConfig } from "../config/config-path.js";

/** Root's own: the service may only read here. The unit names it too. */
const STAGED_DIRECTORY = "/run/longhaul/config";
const STAGED_MODE = 0o440;

/**
 * Renews the copy of an interface's file if its service reads one, so that what is reloaded is what the admin wrote. The copy stays as it was
 * when this throws. Errors: ConfigError when the file is gone; system errors.
 */
export function refreshStagedConfig(
  interfaceName: string,
  directory = STAGED_DIRECTORY,
  sources: readonly string[] = CONFIG_DIRECTORIES,
): void {
  const staged = join(directory, `${interfaceName}.conf`);
  const stats = statOf(staged);
  if (stats === undefined || process.geteuid?.() !== 0) return;
  const bytes = readFileSync(findConfig(interfaceName, sources).path);
  const temporary = join(directory, `.${interfaceName}.${process.pid}`);
  try {
    const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
      fchownSync(fd, 0, stats.gid);
      fchmodSync(fd, STAGED_MODE);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, staged);
  } finally {
    bytes.fill(0);
    rmSync(temporary, { force: true });
  }
}

/** @returns the file that a copy was made of, which may be one that this user may not read; undefined: it is no copy */
export function sourceOf({ interfaceName, path }: ConfigPath): string | undefined {
  if (dirname(path) !== STAGED_DIRECTORY) return undefined;
  try {
    return findConfig(interfaceName).path;
  } catch {
    return undefined; //  it went away
  }
}

function statOf(path: string): Stats | undefined {
  try {
    const stats = lstatSync(path);
    return stats.isFile() ? stats : undefined;
  } catch {
    return undefined;
  }
}
