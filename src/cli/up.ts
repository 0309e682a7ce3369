// longhaul up NAME: what `longhaul run NAME` does, in the background. Returns when the tunnel is up, or says why it is not.

import { startInBackground } from "../daemon/background.js";
import { askControl, NotRunningError } from "../daemon/control-client.js";
import { planUp } from "../daemon/service.js";
import { readAead, readLogLevel, readMetrics } from "./daemon-options.js";
import { loadConfig } from "./load-config.js";
import { printData, printTalk } from "./output.js";
import { configOf, printPlan, readServiceArguments, tellingOptions } from "./service-command.js";

/** Begins what a service says that is not done well. */
const WARNING = "warning: ";

/** @returns the exit status: 0; 1 with nothing left behind. Errors: UsageError; ConfigError. */
export async function up(args: string[]): Promise<number> {
  const { values, word } = readServiceArguments("up", args, {
    ...tellingOptions,
    aead: { type: "string" },
    "log-level": { type: "string" },
    metrics: { type: "string", multiple: true },
  });
  if (values.metrics !== undefined) readMetrics(values.metrics);
  const passed = [
    ...(values.metrics ?? []).flatMap((text) => ["--metrics", text]),
    ...(values.aead === undefined ? [] : ["--aead", readAead(values.aead)]),
    ...(values["log-level"] === undefined ? [] : ["--log-level", readLogLevel(values["log-level"])]),
  ];
  const { interfaceName, path } = configOf(word);
  const json = values.json === true;
  if (await isRunning(interfaceName))
    throw new Error(`${interfaceName} is already up; longhaul reload ${word} applies its file`);
  if (values["dry-run"] === true) {
    printPlan(interfaceName, await planUp(await loadConfig({ interfaceName, path })), json);
    return 0;
  }
  const said: string[] = [];
  const outcome = await startInBackground({
    args: [process.argv[1], "run", ...passed, path],
    env: process.env,
    descriptors: [],
    keepStderr: values["log-level"] !== undefined && values["log-level"] !== "silent",
    onSay: (line) => {
      said.push(line);
      printTalk(line);
    },
  });
  if (!outcome.started) {
    printTalk(outcome.message);
    printTalk(`${interfaceName} was not brought up; nothing of it was left behind`);
    return 1;
  }
  printTalk(`${interfaceName} is up`);
  if (json) {
    const warnings = said.filter(isWarning).map((line) => line.slice(WARNING.length));
    const changes = said.filter((line) => !isWarning(line));
    printData(`${JSON.stringify({ interface: interfaceName, state: "up", changes, warnings })}\n`);
  }
  return 0;
}

async function isRunning(interfaceName: string): Promise<boolean> {
  try {
    await askControl(interfaceName, "GET", "/");
    return true;
  } catch (error) {
    if (error instanceof NotRunningError) return false;
    throw error;
  }
}

function isWarning(line: string): boolean {
  return line.startsWith(WARNING);
}
