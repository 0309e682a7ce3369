// longhaul down NAME: the orderly end of a service, however it was started. Returns when it is gone.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { askControl, NotRunningError } from "../daemon/control-client.js";
import { journalPath } from "../daemon/control-server.js";
import type { ServiceChange } from "../daemon/service.js";
import { InterfaceNetwork } from "../system/interface-network.js";
import { printData, printTalk } from "./output.js";
import { interfaceOf, printPlan, readAnswer, readServiceArguments, tellingOptions } from "./service-command.js";

const EXIT_DEGRADED = 3;
const GONE_WITHIN_MS = 10_000;
const POLL_MS = 20;

interface DownAnswer {
  readonly pid: number;
  readonly changes: readonly string[];
  readonly problems: readonly string[];
}

/** @returns the exit status: 0; 3 when it is down, but a hook failed or something stayed. Errors: NotRunningError. */
export async function down(args: string[]): Promise<number> {
  const { values, word } = readServiceArguments("down", args, tellingOptions);
  const interfaceName = interfaceOf(word);
  const json = values.json === true;
  if (values["dry-run"] === true) {
    const plan = readAnswer<ServiceChange>(await askControl(interfaceName, "GET", "/down"), interfaceName);
    printPlan(interfaceName, plan, json);
    return 0;
  }
  let answer: DownAnswer;
  try {
    answer = readAnswer<DownAnswer>(await askControl(interfaceName, "POST", "/down"), interfaceName);
  } catch (error) {
    if (error instanceof NotRunningError && (await tidyUp(interfaceName))) return 0;
    throw error;
  }
  await untilGone(answer.pid, interfaceName);
  for (const change of answer.changes) printTalk(change);
  for (const problem of answer.problems) printTalk(`warning: ${problem}`);
  printTalk(`${interfaceName} is down`);
  const { changes, problems } = answer;
  if (json) printData(`${JSON.stringify({ interface: interfaceName, state: "down", changes, problems })}\n`);
  return problems.length === 0 ? 0 : EXIT_DEGRADED;
}

/** What a daemon that was killed left behind: rules, a packet filter, name servers. @returns whether there was anything */
async function tidyUp(interfaceName: string): Promise<boolean> {
  const removed = await new InterfaceNetwork(interfaceName, journalPath(interfaceName)).recover(false);
  if (removed.length === 0) return false;
  for (const line of removed) printTalk(line);
  printTalk(`${interfaceName} was not running; what a killed daemon had left is gone`);
  return true;
}

async function untilGone(pid: number, interfaceName: string): Promise<void> {
  for (let waitedMs = 0; isAlive(pid); waitedMs += POLL_MS) {
    if (waitedMs > GONE_WITHIN_MS) throw new Error(`the daemon of ${interfaceName}, process ${pid}, does not end`);
    await sleep(POLL_MS);
  }
}

/** A process that has ended but was not waited for yet is gone: all it had is free. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true; //  others' processes may be hidden
  }
}
