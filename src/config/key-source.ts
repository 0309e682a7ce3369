// Keys that stand outside of a configuration file: in a file of their own, or in a systemd credential. No message shows a key.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { ConfigError, ConfigErrorCode, quote } from "./errors.js";
import type { KeyOrigin, SecretKey } from "./gateway-config.js";
import { KEY_BASE64_LENGTH, parseBase64KeyBytes } from "./key.js";

const CREDENTIAL_PREFIX = "credential:";
const OTHERS_READ = 0o004;
const KEY_FILE_BYTES_MAX = 4_096;

/** Where keys are looked for. */
export interface KeyPlaces {
  /** Of the configuration file: what a relative path is relative to. */
  readonly directory: string;
  /** `$CREDENTIALS_DIRECTORY` of a systemd service; undefined: none was given. */
  readonly credentialsDirectory: string | undefined;
}

export interface FoundKey {
  readonly key: SecretKey;
  /** A finding about the file that holds it. */
  readonly warning: string | undefined;
}

/** `hq.private-key`, the credential that is used when a file has no private key. */
export function privateKeyCredential(interfaceName: string): string {
  return `${interfaceName}.private-key`;
}

/**
 * Reads the key that `PrivateKeyFile =` or `PresharedKeyFile =` points to: a path, or `credential:NAME`.
 * @param what  such as "private key", for messages. Errors: ConfigError.
 */
export function readKeyFrom(text: string, places: KeyPlaces, what: string): FoundKey {
  if (!text.startsWith(CREDENTIAL_PREFIX)) {
    const path = isAbsolute(text) ? text : join(places.directory, text);
    return readKey(path, { kind: "file", path }, what);
  }
  const name = text.slice(CREDENTIAL_PREFIX.length);
  const found = readCredential(name, places, what);
  if (found !== undefined) return found;
  throw new ConfigError(
    ConfigErrorCode.Key,
    `${what}: this service was given no credential ${quote(name)}`,
    `LoadCredential=${/^[\w.-]+$/.test(name) ? name : "NAME"}:PATH into its unit, or a path instead`,
  );
}

/** @returns undefined when there is no credential of that name. Errors: ConfigError when there is one, but no key in it. */
export function readCredential(name: string, places: KeyPlaces, what: string): FoundKey | undefined {
  const { credentialsDirectory } = places;
  if (credentialsDirectory === undefined || name === "" || name.includes("/") || name.startsWith(".")) return undefined;
  try {
    return readKey(join(credentialsDirectory, name), { kind: "credential", name }, what);
  } catch (error) {
    if (error instanceof ConfigError && (error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

function readKey(path: string, origin: KeyOrigin, what: string): FoundKey {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(path, what, error as NodeJS.ErrnoException);
  }
  const bytes = Buffer.alloc(KEY_FILE_BYTES_MAX);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw notAFile(path, what);
    const key = parseOnlyKey(bytes, readSync(fd, bytes), `${what} in ${quote(path)}`);
    const isOpen = origin.kind === "file" && (stats.mode & OTHERS_READ) !== 0;
    const warning = isOpen ? `every user may read the ${what} in ${quote(path)}; chmod o= it` : undefined;
    return { key: { bytes: key, origin }, warning };
  } finally {
    bytes.fill(0);
    closeSync(fd);
  }
}

/** As wg(8) reads key files: the key, then white space and zero bytes at most. */
function parseOnlyKey(bytes: Buffer, length: number, what: string): Uint8Array {
  let end = length;
  while (end > 0 && (bytes[end - 1] <= 0x20 || bytes[end - 1] === 0)) end--;
  if (end > KEY_BASE64_LENGTH) {
    throw new ConfigError(
      ConfigErrorCode.Key,
      `${what}: there is text besides the key`,
      "one key, as genkey prints it",
    );
  }
  return parseBase64KeyBytes(bytes, 0, end, what);
}

function notAFile(path: string, what: string): ConfigError {
  return new ConfigError(ConfigErrorCode.Key, `${what}: ${quote(path)} is no regular file`, "the path of a file");
}

function unreadable(path: string, what: string, error: NodeJS.ErrnoException): ConfigError {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "does not exist",
    ENOTDIR: "does not exist",
    EACCES: "may not be read by this user",
    EPERM: "may not be read by this user",
  };
  const reason = reasons[error.code ?? ""] ?? `cannot be read (${error.code})`;
  const found = new ConfigError(ConfigErrorCode.Key, `${what}: ${quote(path)} ${reason}`, "the path of a key file");
  found.cause = error;
  return found;
}
