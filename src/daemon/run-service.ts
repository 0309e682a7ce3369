// The life of a service: starts an interface as its file says, reloads on SIGHUP or when asked by the control socket, and ends in order on
// SIGTERM, SIGINT or when asked. One change at a time.

import { setImmediate as nextTurn } from "node:timers/promises";
import { forbidCoreDumps } from "../io/native-parts.js";
import { startUapiServer, type UapiServer } from "../uapi/server.js";
import { controlRoutes } from "./control-routes.js";
import { answerJson, ControlRoutes, type ControlServer, startControlServer } from "./control-server.js";
import { uapiHandler } from "./daemon.js";
import { Ending } from "./ending.js";
import { DaemonLog } from "./log.js";
import { DEFAULT_METRICS, GatewayMetrics } from "./metrics.js";
import { selfTest } from "./self-test.js";
import { Service, type ServiceChange } from "./service.js";
import type { ServiceOptions } from "./service-options.js";

const UNPROCESSABLE = 422;
/** Changes that one reload writes to the log; who asked for it is told all of them. */
const LOGGED_MAX = 50;

/**
 * Runs one interface until it is told to stop.
 * @returns exit status: 0; 1 if the interface was taken from under it, so that a service manager starts it again.
 * Errors: rejects with a message for the admin when it cannot start; nothing stays behind.
 */
export async function runService(options: ServiceOptions): Promise<number> {
  forbidCoreDumps();
  const loaded = await options.load();
  const log = new DaemonLog(options.logLevel ?? loaded.config.daemon.logLevel ?? "info", options.interfaceName);
  const run = new ServiceRun(options, new Service(options, loaded, log), log);
  try {
    await run.start(loaded.warnings);
  } catch (error) {
    await run.abandon();
    throw error;
  }
  return run.untilEnd();
}

class ServiceRun {
  readonly #options: ServiceOptions;
  readonly #service: Service;
  readonly #log: DaemonLog;
  readonly #ending = new Ending(["SIGTERM", "SIGINT"]);
  readonly #onHangup = (): void => void this.#reload().catch(() => {}); //  it is in the log
  /** Something that a service needs was taken from under it. */
  #isTaken = false;
  #isGone = false;
  #isConfigured = false;
  #control: ControlServer | undefined;
  #uapi: UapiServer | undefined;
  #metrics: GatewayMetrics | undefined;
  /** Settles when the last reload that was asked for is over. */
  #changes: Promise<unknown> = Promise.resolve();
  readonly #ended: Promise<readonly string[]>;
  #tellEnded!: (problems: readonly string[]) => void;

  constructor(options: ServiceOptions, service: Service, log: DaemonLog) {
    this.#options = options;
    this.#service = service;
    this.#log = log;
    this.#ended = new Promise((resolve) => {
      this.#tellEnded = resolve;
    });
  }

  /** @param warnings  about the file. Errors: whatever keeps it from coming up; abandon() then */
  async start(warnings: readonly string[]): Promise<void> {
    const { interfaceName, manager } = this.#options;
    process.on("SIGHUP", this.#onHangup);
    for (const warning of warnings) this.#warn(warning);
    const routes = new ControlRoutes();
    this.#control = await this.#reachable("control socket", () => startControlServer(interfaceName, routes));
    if (!this.#service.inherits) await this.#testItself();
    const gateway = await this.#service.open((reason) => {
      this.#isTaken = true;
      this.#isGone = true;
      this.#ending.end(reason);
    });
    this.#metrics = new GatewayMetrics(gateway, this.#log);
    this.#addRoutes(routes);
    this.#uapi = await this.#reachable("socket for wg(8)", () =>
      startUapiServer({
        interfaceName,
        directory: this.#options.uapiDirectory,
        handler: uapiHandler(gateway, this.#log),
        log: { error: (message) => this.#log.error(message), debug: (message) => this.#log.debug(message) },
        onVanished: () => {
          this.#isTaken = true;
          this.#ending.end("the UAPI socket file was removed");
        },
      }),
    );
    const { keyComesByHook } = this.#service;
    if (!keyComesByHook) await manager.started(gateway);
    await this.#service.configure((change) => this.#tell(change));
    if (keyComesByHook) await manager.started(gateway);
    this.#isConfigured = true;
    for (const warning of await this.#tellMetrics()) this.#options.say(`warning: ${warning}`);
    if (this.#ending.reason !== undefined) throw new Error(`ended before it was up: ${this.#ending.reason}`);
    this.#log.info({ aead: gateway.aeadBackend, port: gateway.listenPort, node: process.version }, "up");
    manager.ready();
    this.#options.onReady();
    if (this.#service.inherits) void this.#testLater();
  }

  /** @param pause  lets packets pass in between */
  #testItself(pause?: () => Promise<void>): Promise<void> {
    return selfTest(this.#options.aead ?? this.#service.config.daemon.aead ?? "auto", pause);
  }

  /** After a restart peers are waiting: the last run passed the test, and this one takes it while it carries packets. */
  async #testLater(): Promise<void> {
    try {
      await this.#testItself(nextTurn);
    } catch (error) {
      this.#isTaken = true;
      this.#ending.end((error as Error).message);
    }
  }

  /** After a start that failed: nothing stays behind. */
  async abandon(): Promise<void> {
    await this.#service.close({ hooks: this.#isConfigured, isGone: this.#isGone, keeps: false });
    this.#options.manager.released();
    await this.#closeSockets();
  }

  async untilEnd(): Promise<number> {
    const { manager } = this.#options;
    const reason = await this.#ending.reached;
    this.#log.info({ reason }, "ending");
    manager.stopping();
    await this.#changes.catch(() => {});
    const keeps = !this.#isGone && (await manager.keepsInterface());
    const problems = await this.#service.close({ hooks: true, isGone: this.#isGone, keeps });
    if (!keeps) manager.released();
    for (const problem of problems) this.#log.error(problem);
    this.#tellEnded(problems);
    await this.#closeSockets();
    this.#log.info(keeps ? "ended; the interface stays for the next run" : "down");
    return this.#isTaken ? 1 : 0;
  }

  /** A socket that cannot be made for want of permission costs what goes through it, not the tunnel. */
  async #reachable<T>(what: string, open: () => Promise<T>): Promise<T | undefined> {
    try {
      return await open();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE") throw new Error(`${this.#options.interfaceName} is already up: ${message}`);
      if (code !== "EACCES" && code !== "EPERM" && code !== "EROFS") throw error;
      this.#warn(
        `there is no ${what}: ${message}; let the daemon's user own the directory (systemd: RuntimeDirectory=)`,
      );
      return undefined;
    }
  }

  #addRoutes(routes: ControlRoutes): void {
    controlRoutes(this.#service.gateway, routes);
    const answering =
      (work: () => Promise<ServiceChange>) => async (_request: unknown, response: Parameters<typeof answerJson>[0]) => {
        try {
          answerJson(response, 200, await work());
        } catch (error) {
          answerJson(response, UNPROCESSABLE, { error: (error as Error).message });
        }
      };
    routes.get(
      "/reload",
      answering(() => this.#service.planReload()),
    );
    routes.get(
      "/down",
      answering(() => Promise.resolve(this.#service.planDown())),
    );
    routes.post(
      "/reload",
      answering(() => this.#reload()),
    );
    routes.post("/down", async (_request, response) => {
      const { changes } = this.#service.planDown();
      this.#ending.end("asked to by longhaul down");
      answerJson(response, 200, { pid: process.pid, changes, problems: await this.#ended });
    });
  }

  /** Errors: with everything as it was. */
  #reload(): Promise<ServiceChange> {
    const { manager } = this.#options;
    const reloaded = this.#changes
      .catch(() => {})
      .then(async () => {
        this.#expectRunning();
        manager.reloading();
        try {
          const change = await this.#service.reload();
          const aboutMetrics = await this.#tellMetrics();
          this.#tell(change);
          this.#log.info({ changes: change.changes.length }, "reloaded");
          manager.reloaded(undefined);
          return { ...change, warnings: [...change.warnings, ...aboutMetrics] };
        } catch (error) {
          const { message } = error as Error;
          this.#log.error({ problem: message }, "reload refused: everything stays as it was");
          manager.reloaded(message);
          throw error;
        }
      });
    this.#changes = reloaded;
    return reloaded;
  }

  #expectRunning(): void {
    const { interfaceName } = this.#options;
    if (this.#ending.reason !== undefined) throw new Error(`${interfaceName} is going down`);
    if (!this.#isConfigured) throw new Error(`${interfaceName} is still coming up; try again when it is up`);
  }

  #tell({ changes, warnings }: ServiceChange): void {
    for (const change of changes.slice(0, LOGGED_MAX)) this.#log.info(change);
    if (changes.length > LOGGED_MAX) this.#log.info(`and ${changes.length - LOGGED_MAX} more changes`);
    for (const change of changes) this.#options.say(change);
    for (const warning of warnings) this.#warn(warning);
  }

  #warn(warning: string): void {
    this.#log.error(`warning: ${warning}`);
    this.#options.say(`warning: ${warning}`);
  }

  /** At the addresses that the file has now. @returns problems, which the log has already; none is one of the tunnel */
  async #tellMetrics(): Promise<readonly string[]> {
    const addresses = this.#options.metrics ?? this.#service.config.daemon.metrics ?? DEFAULT_METRICS;
    return (await this.#metrics?.listen(addresses)) ?? [];
  }

  async #closeSockets(): Promise<void> {
    this.#ending.close();
    await this.#metrics?.close();
    process.off("SIGHUP", this.#onHangup);
    await this.#control?.close();
    await this.#uapi?.close();
  }
}
