// longhaul save CONF-or-NAME: what the interface runs with, whoever changed it, goes into its file.

import type { ConfigPath } from "../config/config-path.js";
import type { DeviceSnapshot } from "../core/device/update.js";
import { NotRunningError } from "../daemon/control-client.js";
import { saveRunningConfig } from "../daemon/save-config.js";
import { getDevice } from "../uapi/client.js";
import { UapiError } from "../uapi/errors.js";
import { socketPath } from "../uapi/socket-file.js";
import { printData, printTalk } from "./output.js";
import { configOf, printPlan, readServiceArguments, tellingOptions } from "./service-command.js";

/** @returns the exit status, 0. Errors: UsageError; ConfigError; ConfigFileError; NotRunningError. The file is as it was then. */
export async function save(args: string[]): Promise<number> {
  const { values, word } = readServiceArguments("save", args, tellingOptions);
  const where = configOf(word);
  const { interfaceName, path } = where;
  const device = await runningDevice(where);
  const isDryRun = values["dry-run"] === true;
  const json = values.json === true;
  try {
    const saved = await saveRunningConfig(where, device, { isDryRun });
    if (isDryRun) {
      printPlan(interfaceName, saved, json);
      return 0;
    }
    for (const line of [...saved.warnings, ...saved.changes]) printTalk(line);
    printTalk(saved.changes.length === 0 ? `${path} says all of it already` : `${interfaceName} is saved to ${path}`);
    if (json) printData(`${JSON.stringify({ interface: interfaceName, state: "saved", path, ...saved })}\n`);
  } finally {
    device.privateKey?.fill(0);
    for (const peer of device.peers) peer.presharedKey.fill(0);
  }
  return 0;
}

async function runningDevice({ interfaceName }: ConfigPath): Promise<DeviceSnapshot> {
  try {
    return await getDevice(socketPath(interfaceName));
  } catch (error) {
    if (!(error instanceof UapiError) || (error.code !== "ENOENT" && error.code !== "ECONNREFUSED")) throw error;
    throw new NotRunningError(`${interfaceName} is not running: nothing answers at ${socketPath(interfaceName)}`);
  }
}
