// longhaul IFNAME: the daemon, as `wireguard-go IFNAME` has it.

import type { LogLevel } from "../config/daemon-choices.js";
import { parseInterfaceName } from "../config/interface-name.js";
import { ReadinessReport, startInBackground } from "../daemon/background.js";
import { type DaemonEnvironment, readEnvironment } from "../daemon/environment.js";
import type { DaemonOptions } from "../daemon/options.js";
import { readArguments } from "./arguments.js";
import { readAead, readLogLevel, readMetrics } from "./daemon-options.js";
import { printTalk, UsageError } from "./output.js";

const DAEMON_UMASK = 0o077;

/** @returns the exit status: 0 or 1. Errors: UsageError; ConfigError for a malformed name or environment. */
export async function runInterface(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args, {
    foreground: { type: "boolean", short: "f" },
    aead: { type: "string" },
    "log-level": { type: "string" },
    metrics: { type: "string", multiple: true },
  });
  if (positionals.length !== 1) {
    const order = positionals.length > 1 && args[0]?.startsWith("-") ? "; options of a subcommand stand behind it" : "";
    throw new UsageError(`one interface name, not ${positionals.length}${order}; see longhaul --help`);
  }
  const aead = readAead(values.aead ?? "auto");
  const chosenLevel = values["log-level"] === undefined ? undefined : readLogLevel(values["log-level"]);
  const metrics = readMetrics(values.metrics ?? ["off"]);
  const interfaceName = parseInterfaceName(positionals[0]);
  const environment = readEnvironment(process.env);
  if (values.foreground || environment.foreground) {
    const logLevel = chosenLevel ?? environment.logLevel ?? "error";
    const { tunFd, uapiFd } = environment;
    return runInForeground({ interfaceName, tunFd, uapiFd, aead, logLevel, metrics });
  }
  return goToBackground(args, environment, chosenLevel ?? environment.logLevel);
}

async function runInForeground(options: Omit<DaemonOptions, "onReady">): Promise<number> {
  const report = new ReadinessReport(process.env);
  if (report.awaited) {
    process.umask(DAEMON_UMASK);
  }
  process.title = `longhaul ${options.interfaceName}`;
  const { leave } = await import("../io/leave.js");
  try {
    const { runDaemon } = await import("../daemon/daemon.js");
    return leave(await runDaemon({ ...options, onReady: () => report.ready() }));
  } catch (error) {
    const { message } = error as Error;
    if (report.awaited) {
      report.failed(message);
    } else {
      printTalk(message);
    }
    return leave(1);
  }
}

async function goToBackground(
  args: string[],
  environment: DaemonEnvironment,
  logLevel: LogLevel | undefined,
): Promise<number> {
  const passed = [
    { variable: "WG_TUN_FD", fd: environment.tunFd },
    { variable: "WG_UAPI_FD", fd: environment.uapiFd },
  ];
  const outcome = await startInBackground({
    args: [process.argv[1], ...args],
    env: process.env,
    descriptors: passed.filter((entry): entry is { variable: string; fd: number } => entry.fd !== undefined),
    keepStderr: logLevel !== undefined && logLevel !== "silent", //  as wireguard-go: who asks for a log gets it here
  });
  if (!outcome.started) {
    printTalk(outcome.message);
    return 1;
  }
  return 0;
}
