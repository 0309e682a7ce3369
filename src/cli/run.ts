// longhaul run NAME: the service in the foreground, for a service manager or a terminal; `longhaul up` starts the same in the background.

import type { ConfigPath } from "../config/config-path.js";
import { ReadinessReport } from "../daemon/background.js";
import { readEnvironment } from "../daemon/environment.js";
import type { ServiceOptions } from "../daemon/service-options.js";
import { readAead, readLogLevel, readMetrics } from "./daemon-options.js";
import { loadConfig } from "./load-config.js";
import { printTalk } from "./output.js";
import { configOf, readServiceArguments } from "./service-command.js";
import { sourceOf } from "./staged-config.js";

const SERVICE_UMASK = 0o077;

/** @returns the exit status: 0, or 1. Errors: UsageError; ConfigError; whatever keeps the interface from coming up. */
export async function run(args: string[]): Promise<number> {
  const { values, word } = readServiceArguments("run", args, {
    aead: { type: "string" },
    "log-level": { type: "string" },
    metrics: { type: "string", multiple: true },
  });
  const options = {
    aead: values.aead === undefined ? undefined : readAead(values.aead),
    logLevel: values["log-level"] === undefined ? undefined : readLogLevel(values["log-level"]),
    metrics: values.metrics === undefined ? undefined : readMetrics(values.metrics),
  };
  const file = configOf(word);
  const report = new ReadinessReport(process.env);
  process.title = `longhaul ${file.interfaceName}`;
  process.umask(SERVICE_UMASK);
  const [{ leave }, { runService }, { findServiceManager }] = await Promise.all([
    import("../io/leave.js"),
    import("../daemon/run-service.js"),
    import("../daemon/systemd.js"),
  ]);
  const manager = findServiceManager(process.env, file.interfaceName);
  try {
    return leave(await runService({ ...serviceOptions(file, report, options), manager }));
  } catch (error) {
    const { message } = error as Error;
    if (report.awaited) report.failed(message);
    else printTalk(message);
    return leave(1);
  }
}

function serviceOptions(
  { interfaceName, path }: ConfigPath,
  report: ReadinessReport,
  { aead, logLevel, metrics }: Pick<ServiceOptions, "aead" | "logLevel" | "metrics">,
): Omit<ServiceOptions, "manager"> {
  return {
    interfaceName,
    configPath: path,
    load: () => loadConfig({ interfaceName, path }),
    save: async (gateway) => {
      const { saveGateway } = await import("../daemon/save-config.js");
      await saveGateway({ interfaceName, path: sourceOf({ interfaceName, path }) ?? path }, gateway);
    },
    aead,
    metrics,
    logLevel: logLevel ?? readEnvironment(process.env).logLevel,
    // A service that may not write where wg(8) looks has a link to it there: docs/service.md.
    uapiDirectory: process.env["LONGHAUL_UAPI_DIRECTORY"],
    say: (line) => report.say(line),
    onReady: () => report.ready(),
  };
}
