// A configuration file, from disk or from text to a checked GatewayConfig. All mistakes are told at once; bytes that held keys
// are wiped.

import { constants, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { inSlices } from "../system/in-slices.js";
import { checkDraft } from "./config-checks.js";
import {
  ConfigDraft,
  type ConfigSurroundings,
  type LocalNetwork,
  type Located,
  type PeerDraft,
} from "./config-draft.js";
import { configLines, notTextProblem } from "./config-lines.js";
import type { ConfigPath } from "./config-path.js";
import { ConfigFileError, type ConfigProblem, inFileOrder } from "./config-problem.js";
import { ConfigReader } from "./config-reader.js";
import { ConfigError } from "./errors.js";
import { type GatewayConfig, givesPrivateKey, type PeerConfig, type SecretKey } from "./gateway-config.js";
import { findInterfaceIndex, findLocalNetworks, findRoutingTable } from "./host-facts.js";
import { privateKeyCredential, readCredential } from "./key-source.js";

/** More than a file of as many peers as a device can hold. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;
const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;

export interface ParseOptions {
  /** Checked; the base name of the file. */
  readonly interfaceName: string;
  /** For messages. Default: the interface's name and `.conf`. */
  readonly file?: string;
  /** What a relative path of a key file is relative to. Default: the working directory. */
  readonly directory?: string;
  /** Default: what this host has. */
  readonly localNetworks?: readonly LocalNetwork[];
  /** Default: `$CREDENTIALS_DIRECTORY`. */
  readonly credentialsDirectory?: string | undefined;
  /** True: a file without a private key is none the worse, and has one of zeros. For saving and stripping. */
  readonly keyIsOptional?: boolean;
}

export interface LoadOptions extends Omit<ParseOptions, "interfaceName" | "file" | "directory"> {
  /** The file that this one is a copy of: messages name it, and its mode and directory count. Default: the file itself. */
  readonly copyOf?: string | undefined;
}

export interface LoadedConfig {
  readonly config: GatewayConfig;
  /** In the order of the file. */
  readonly warnings: readonly ConfigProblem[];
  /** As messages name it. */
  readonly file: string;
}

/**
 * Reads and checks a file without holding up the event loop for long.
 * Errors: ConfigFileError with everything that is wrong, also when the file cannot be read. The caller wipes the keys.
 */
export async function loadGatewayConfig(
  { path, interfaceName }: ConfigPath,
  { copyOf, ...options }: LoadOptions = {},
): Promise<LoadedConfig> {
  const { bytes, mode: ownMode } = await readConfigFile(path);
  const file = copyOf ?? path;
  const mode = copyOf === undefined ? ownMode : (modeOf(copyOf) ?? ownMode);
  const work = new ConfigWork(bytes, { ...options, interfaceName, file, directory: dirname(file) }, mode);
  try {
    await inSlices(work.steps());
    return work.finish();
  } finally {
    bytes.fill(0);
  }
}

/** As {@link loadGatewayConfig}, of text and at once. @param text  borrowed. Errors: ConfigFileError. */
export function parseGatewayConfig(text: string | Buffer, options: ParseOptions): LoadedConfig {
  const bytes = Buffer.from(text);
  const work = new ConfigWork(bytes, options, 0);
  try {
    for (const _ of work.steps());
    return work.finish();
  } finally {
    bytes.fill(0);
  }
}

class ConfigWork {
  readonly #bytes: Buffer;
  readonly #file: string;
  readonly #draft = new ConfigDraft();
  readonly #around: ConfigSurroundings;
  readonly #mode: number;
  readonly #peers: PeerConfig[] = [];
  readonly #keyIsOptional: boolean;

  /** @param mode  of the file; 0: not from a file */
  constructor(bytes: Buffer, options: ParseOptions, mode: number) {
    const { interfaceName, localNetworks = findLocalNetworks(), directory = "." } = options;
    const { file = `${interfaceName}.conf`, credentialsDirectory = process.env["CREDENTIALS_DIRECTORY"] } = options;
    this.#bytes = bytes;
    this.#file = file;
    this.#mode = mode;
    this.#keyIsOptional = options.keyIsOptional === true;
    this.#around = {
      interfaceName,
      keys: { directory, credentialsDirectory },
      localNetworks,
      interfaceIndex: findInterfaceIndex,
      routingTable: findRoutingTable,
    };
  }

  /** Reads line by line, then checks peer by peer. */
  *steps(): Generator<void, void, void> {
    const notText = notTextProblem(this.#bytes);
    if (notText !== undefined) {
      this.#draft.errors.push(notText);
      return;
    }
    const reader = new ConfigReader(this.#draft, this.#around);
    for (const line of configLines(this.#bytes)) {
      reader.read(line);
      yield;
    }
    useCredential(this.#draft, this.#around);
    useHook(this.#draft);
    if (this.#keyIsOptional) this.#draft.privateKeyFailed ||= this.#draft.privateKey === undefined;
    yield* checkDraft(this.#draft, this.#around);
    this.#checkMode();
    if (this.#draft.errors.length > 0) return;
    for (const peer of this.#draft.peers) {
      this.#peers.push(peerOf(peer));
      yield;
    }
  }

  finish(): LoadedConfig {
    const { errors, warnings } = this.#draft;
    if (errors.length > 0) {
      this.#draft.wipe();
      throw new ConfigFileError(this.#file, inFileOrder(errors));
    }
    const config = configOf(this.#draft, this.#peers, this.#around.interfaceName);
    return { config, warnings: inFileOrder(warnings), file: this.#file };
  }

  /** Who may write the file may run commands as root; who may read it has the keys that stand in it. */
  #checkMode(): void {
    const { privateKey, peers, warnings } = this.#draft;
    const isText = (key: Located<SecretKey> | undefined): boolean => key?.value.origin.kind === "text";
    const holdsKeys = isText(privateKey) || peers.some(({ presharedKey }) => isText(presharedKey));
    if ((this.#mode & OTHERS_WRITE) !== 0) {
      warnings.push({ line: 0, column: 0, message: "every user may write this file, hooks included; chmod o= it" });
    } else if ((this.#mode & OTHERS_READ) !== 0 && holdsKeys) {
      warnings.push({ line: 0, column: 0, message: "every user may read this file and the keys in it; chmod o= it" });
    }
  }
}

/** A file without a private key takes the credential of its name, where the service was given one. */
function useCredential(draft: ConfigDraft, { interfaceName, keys }: ConfigSurroundings): void {
  if (draft.privateKey !== undefined || draft.privateKeyFailed || draft.section === undefined) return;
  const name = privateKeyCredential(interfaceName);
  try {
    const found = readCredential(name, keys, "private key");
    if (found !== undefined) draft.privateKey = { value: found.key, span: draft.section };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    draft.privateKeyFailed = true;
    draft.errors.push(draft.section.problem(error.message));
  }
}

/** `PostUp = wg set %i private-key <(pass hq)`, as wg-quick(8) shows it: the key comes by a hook, and is not missed. */
function useHook(draft: ConfigDraft): void {
  if (draft.privateKey !== undefined || draft.privateKeyFailed || draft.section === undefined) return;
  const { preUp, postUp } = draft.hooks;
  if (![...preUp, ...postUp].some(givesPrivateKey)) return;
  draft.privateKey = { value: { bytes: new Uint8Array(32), origin: { kind: "hook" } }, span: draft.section };
}

function configOf(draft: ConfigDraft, peers: readonly PeerConfig[], interfaceName: string): GatewayConfig {
  return {
    interfaceName,
    interface: {
      privateKey: draft.privateKey?.value ?? { bytes: new Uint8Array(32), origin: { kind: "text" } },
      addresses: [...new Set(draft.addresses.map(({ value }) => value))],
      listenPort: draft.listenPort,
      fwmark: draft.fwmark,
      mtu: draft.mtu?.value,
      dns: draft.dns,
      table: draft.table,
      hooks: draft.hooks,
      saveConfig: draft.saveConfig,
    },
    peers,
    daemon: draft.daemon,
  };
}

/** @returns undefined when it may not be looked at */
function modeOf(path: string): number | undefined {
  try {
    return statSync(path).mode;
  } catch {
    return undefined;
  }
}

/** @param peer  checked: it has a key */
function peerOf(peer: PeerDraft): PeerConfig {
  return {
    publicKey: peer.publicKey!.value,
    presharedKey: peer.presharedKey?.value,
    allowedIps: peer.allowedIps.map(({ value }) => value),
    endpoint: peer.endpoint?.value,
    persistentKeepaliveS: peer.persistentKeepaliveS,
    friendlyName: peer.friendlyName?.value,
  };
}

/** @returns all bytes of a regular file, which the caller wipes, and its mode. Errors: ConfigFileError. */
export async function readConfigFile(path: string): Promise<{ bytes: Buffer; mode: number }> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw unreadable(path, "is no regular file; give the path of a file");
      if (stats.size > FILE_BYTES_MAX)
        throw unreadable(path, `is larger than ${FILE_BYTES_MAX} bytes; is it the right one?`);
      return { bytes: await readWhole(file, stats.size), mode: stats.mode };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof ConfigFileError ? error : explain(path, error as NodeJS.ErrnoException);
  }
}

/** Into one buffer, which can be wiped; FileHandle.readFile would leave the pieces of a large file behind. */
async function readWhole(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function explain(path: string, error: NodeJS.ErrnoException): Error {
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
      return unreadable(path, "does not exist; write the configuration there");
    case "EACCES":
    case "EPERM":
      return unreadable(path, "may not be read by this user; run as root, or let the daemon's user read it");
    default:
      return unreadable(path, `cannot be read: ${error.message}`);
  }
}

function unreadable(path: string, what: string): ConfigFileError {
  return new ConfigFileError(path, [{ line: 0, column: 0, message: `this file ${what}` }]);
}
