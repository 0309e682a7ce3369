// Metrics and status page of a gateway, on the addresses that somebody asked for.

import type { MetricsAddress } from "../config/gateway-config.js";
import { Listeners } from "../metrics/listeners.js";
import { readStatusPage } from "../metrics/page-file.js";
import { pageRoute, statusRoutes } from "../metrics/routes.js";
import type { Gateway } from "./gateway.js";
import { gatewayStatus } from "./gateway-status.js";
import type { DaemonLog } from "./log.js";

/** Where a service tells its numbers when nobody says otherwise: to this host alone. */
export const DEFAULT_METRICS: readonly MetricsAddress[] = [{ kind: "tcp", host: "127.0.0.1", port: 9_586 }];

/** Listens until closed. An address that cannot be listened on is told in the log and tried again. */
export class GatewayMetrics {
  readonly #gateway: Gateway;
  readonly #log: DaemonLog;
  #addresses: readonly MetricsAddress[] = [];
  #listeners: Listeners | undefined;

  constructor(gateway: Gateway, log: DaemonLog) {
    this.#gateway = gateway;
    this.#log = log;
  }

  /**
   * Listens on these addresses and no others; those that stay the same keep their connections only if all do.
   * @returns what is wrong with those that could not be listened on. Rejects never.
   */
  async listen(addresses: readonly MetricsAddress[]): Promise<readonly string[]> {
    if (JSON.stringify(addresses) === JSON.stringify(this.#addresses)) return [];
    await this.close();
    this.#addresses = addresses;
    const routes = statusRoutes(gatewayStatus(this.#gateway));
    const page = readStatusPage();
    if (page !== undefined) routes.set("/", pageRoute(page));
    this.#listeners = new Listeners(addresses, routes, this.#log);
    return this.#listeners.started();
  }

  async close(): Promise<void> {
    const listeners = this.#listeners;
    this.#listeners = undefined;
    this.#addresses = [];
    await listeners?.close();
  }
}
