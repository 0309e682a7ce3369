// longhaul reload NAME: the running service reads its file again and applies the difference. Peers that stay as they are notice nothing.

import { askControl } from "../daemon/control-client.js";
import type { ServiceChange } from "../daemon/service.js";
import { printData, printTalk } from "./output.js";
import { interfaceOf, printPlan, readAnswer, readServiceArguments, tellingOptions } from "./service-command.js";
import { refreshStagedConfig } from "./staged-config.js";

/** @returns the exit status, 0. Errors: NotRunningError; with all that is wrong in the file, and then nothing changed. */
export async function reload(args: string[]): Promise<number> {
  const { values, word } = readServiceArguments("reload", args, tellingOptions);
  const interfaceName = interfaceOf(word);
  const json = values.json === true;
  const isDryRun = values["dry-run"] === true;
  refreshStagedConfig(interfaceName);
  const answer = await askControl(interfaceName, isDryRun ? "GET" : "POST", "/reload");
  const change = readAnswer<ServiceChange>(answer, interfaceName);
  if (isDryRun) {
    printPlan(interfaceName, change, json);
    return 0;
  }
  for (const line of change.changes) printTalk(line);
  for (const warning of change.warnings) printTalk(`warning: ${warning}`);
  printTalk(change.changes.length === 0 ? `${interfaceName}: nothing to change` : `${interfaceName} is reloaded`);
  if (json) printData(`${JSON.stringify({ interface: interfaceName, state: "reloaded", ...change })}\n`);
  return 0;
}
