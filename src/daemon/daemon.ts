// The daemon: a gateway, its UAPI socket, signals and the end. Resolves with the exit status; leaves no key in memory, no socket
// file, and no interface that it made.

import type { DeviceUpdate } from "../core/device/update.js";
import { forbidCoreDumps } from "../io/native-parts.js";
import type { UapiHandler } from "../uapi/connection.js";
import { startUapiServer, type UapiServer } from "../uapi/server.js";
import { controlRoutes } from "./control-routes.js";
import { type ControlServer, startControlServer } from "./control-server.js";
import { createGateway } from "./create-gateway.js";
import { snapshotDevice } from "./device-reload.js";
import { Ending } from "./ending.js";
import type { Gateway } from "./gateway.js";
import { DaemonLog } from "./log.js";
import { GatewayMetrics } from "./metrics.js";
import type { DaemonOptions } from "./options.js";
import { selfTest } from "./self-test.js";

const ENDING_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/**
 * Runs one interface until a signal, until the interface goes or until its socket file goes.
 * @returns exit status, 0. Errors: rejects with a message for the admin when it cannot start; nothing stays behind.
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  forbidCoreDumps();
  const log = new DaemonLog(options.logLevel, options.interfaceName);
  await selfTest(options.aead);
  const ending = new Ending(ENDING_SIGNALS);
  const gateway = await createGateway({
    interfaceName: options.interfaceName,
    tunFd: options.tunFd,
    aead: options.aead,
    offloads: process.env["LONGHAUL_OFFLOADS"] !== "off",
    log,
    onGone: (reason) => ending.end(reason),
  });
  let server: UapiServer | undefined;
  let control: ControlServer | undefined;
  const metrics = new GatewayMetrics(gateway, log);
  try {
    server = await startUapiServer({
      interfaceName: gateway.interfaceName(),
      fd: options.uapiFd,
      handler: uapiHandler(gateway, log),
      log: { error: (message) => log.error(message), debug: (message) => log.debug(message) },
      onVanished: () => ending.end("the UAPI socket file was removed"),
    });
    control = await tryControlServer(gateway, log);
    await metrics.listen(options.metrics);
    log.info({ aead: gateway.aeadBackend, offloads: gateway.offloads, node: process.version }, "ready");
    options.onReady();
    const reason = await ending.reached;
    log.info({ reason }, "ending");
  } finally {
    ending.close();
    await metrics.close();
    gateway.close();
    await control?.close();
    await server?.close();
  }
  return 0;
}

/** For wg(8) alone a daemon can do without: it may run where it cannot make the directory. */
async function tryControlServer(gateway: Gateway, log: DaemonLog): Promise<ControlServer | undefined> {
  try {
    return await startControlServer(gateway.interfaceName(), controlRoutes(gateway));
  } catch (error) {
    log.info({ err: error }, "no control socket: longhaul show and the metrics cannot reach this daemon");
    return undefined;
  }
}

/** What wg(8) reads and changes. */
export function uapiHandler(gateway: Gateway, log: DaemonLog): UapiHandler {
  return {
    get: () => gateway.exclusively(() => snapshotDevice(gateway)),
    set: (update) => gateway.exclusively(() => apply(gateway, update, log)),
  };
}

async function apply(gateway: Gateway, update: DeviceUpdate, log: DaemonLog): Promise<void> {
  await gateway.configureInSlices(update);
  log.debug({ peers: update.peers.length }, "configuration applied");
}
