// Writes what an interface runs with into its file: `longhaul save`, and `SaveConfig = true` at the end. The file is replaced at once or
// not at all, and only if the new one reads back as what runs.

import { timingSafeEqual } from "node:crypto";
import { dirname } from "node:path";
import { configLines, LineKind } from "../config/config-lines.js";
import type { ConfigPath } from "../config/config-path.js";
import { formatWarning } from "../config/config-problem.js";
import { type GatewayConfig, wipeKeys } from "../config/gateway-config.js";
import { formatBase64Key } from "../config/key.js";
import { type LoadedConfig, parseGatewayConfig, readConfigFile } from "../config/load-config.js";
import { mergeConfig, type RunningState } from "../config/merge-config.js";
import { formatPrefix } from "../config/prefix.js";
import type { DeviceSnapshot } from "../core/device/update.js";
import { writeFileDurably } from "../system/durable-file.js";
import { viewLink } from "../system/kernel-view.js";
import { snapshotDevice, wipeDevice } from "./device-reload.js";
import type { Gateway } from "./gateway.js";

export interface SavedConfig {
  /** What was changed in the file, a line each; no secret is in any. Empty: it said all of it already, and was not written. */
  readonly changes: readonly string[];
  /** Of the file as it was. */
  readonly warnings: readonly string[];
}

export interface SaveOptions {
  /** True: tell what would be changed, and change nothing. */
  readonly isDryRun?: boolean;
}

/**
 * Comments, friendly names, hooks, DNS, Table, SaveConfig, [Daemon], endpoints by name and keys that stand elsewhere stay as they are.
 * @param device  what runs; its keys stay the caller's
 * Errors: ConfigFileError, when the file has mistakes; system errors. The file is as it was then.
 */
export async function saveRunningConfig(
  where: ConfigPath,
  device: DeviceSnapshot,
  options: SaveOptions = {},
): Promise<SavedConfig> {
  const { bytes } = await readConfigFile(where.path);
  const loaded = isBlank(bytes) ? undefined : parse(bytes, where);
  try {
    const running = await runningState(where.interfaceName, loaded?.config, device);
    const { bytes: merged, changes } = mergeConfig(bytes, loaded?.config, running);
    try {
      if (changes.length > 0) checkMerged(merged, where, running);
      if (changes.length > 0 && options.isDryRun !== true) writeFileDurably(where.path, merged);
    } finally {
      merged.fill(0);
    }
    const warnings = (loaded?.warnings ?? []).map((warning) => formatWarning(where.path, warning));
    return { changes, warnings };
  } finally {
    bytes.fill(0);
    if (loaded !== undefined) wipeKeys(loaded.config);
  }
}

/** As {@link saveRunningConfig}, of a gateway in this process. */
export async function saveGateway(where: ConfigPath, gateway: Gateway): Promise<SavedConfig> {
  const device = await gateway.exclusively(() => snapshotDevice(gateway));
  try {
    return await saveRunningConfig(where, device);
  } finally {
    wipeDevice(device);
  }
}

function parse(bytes: Buffer, { path, interfaceName }: ConfigPath): LoadedConfig {
  return parseGatewayConfig(bytes, { interfaceName, file: path, directory: dirname(path), keyIsOptional: true });
}

/** Nothing but comments: somebody touched a file to save into. */
function isBlank(bytes: Buffer): boolean {
  for (const { kind } of configLines(bytes)) if (kind !== LineKind.FriendlyName) return false;
  return true;
}

/** A link-local address that the kernel made is not one that the admin gave. */
async function runningState(
  interfaceName: string,
  config: GatewayConfig | undefined,
  device: DeviceSnapshot,
): Promise<RunningState> {
  const inFile = new Set(config?.interface.addresses);
  const link = await viewLink(interfaceName);
  const addresses = link?.addresses.filter((address) => !/^fe[89ab]/i.test(address) || inFile.has(address));
  return { device, addresses, mtu: link?.mtu };
}

/** What is written must read back as what runs. Errors: throws where it does not, which is a bug of ours. */
function checkMerged(merged: Buffer, where: ConfigPath, { device }: RunningState): void {
  const { config } = parse(merged, where);
  try {
    const inFile = config.interface.privateKey;
    const privateKey = inFile.origin.kind === "hook" ? inFile.bytes : (device.privateKey ?? inFile.bytes);
    const byKey = new Map(device.peers.map((peer) => [formatBase64Key(peer.publicKey), peer]));
    const same =
      timingSafeEqual(inFile.bytes, privateKey) &&
      config.peers.length === byKey.size &&
      config.peers.every((peer) => {
        const now = byKey.get(formatBase64Key(peer.publicKey));
        if (now === undefined) return false;
        const prefixes = (list: typeof now.allowedIps): string => list.map(formatPrefix).sort().join();
        return (
          timingSafeEqual(peer.presharedKey?.bytes ?? new Uint8Array(32), now.presharedKey) &&
          (peer.persistentKeepaliveS ?? 0) === now.persistentKeepaliveS &&
          prefixes([...peer.allowedIps]) === prefixes(now.allowedIps)
        );
      });
    if (!same) throw new Error(`${where.path} is left as it is: the new text does not read back as what runs`);
  } finally {
    wipeKeys(config);
  }
}
