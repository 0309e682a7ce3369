// One interface as a file says it: up with addresses, routes, name servers and hooks, changed by reloads, and down again with nothing left
// behind. Its callers are a signal, the control socket and the service manager; none of them is known here.

import { deviceUpdateOf, type GatewayConfig, givesPrivateKey, wipeKeys } from "../config/gateway-config.js";
import type { DeviceSnapshot, DeviceUpdate } from "../core/device/update.js";
import { type HookMoment, hookText, runHooks } from "../system/hooks.js";
import { inSlices } from "../system/in-slices.js";
import { InterfaceNetwork } from "../system/interface-network.js";
import { bareNetwork, type NetworkState } from "../system/network-state.js";
import { describeAction, networkSteps } from "../system/network-steps.js";
import { describeUpdate, deviceDiff } from "./config-diff.js";
import { journalPath } from "./control-server.js";
import { createGateway } from "./create-gateway.js";
import { applyPeers, restoreDevice, snapshotDevice, wipeDevice } from "./device-reload.js";
import type { EndpointNames } from "./endpoint-names.js";
import { DEFAULT_MTU, type Gateway } from "./gateway.js";
import { gatewayNames } from "./gateway-names.js";
import { markFor, wantedNetwork } from "./gateway-network.js";
import type { DaemonLog } from "./log.js";
import type { InheritedDescriptors } from "./service-manager.js";
import type { LoadedConfig, ServiceOptions } from "./service-options.js";

/** What a change did. No secret is in it. */
export interface ServiceChange {
  readonly changes: readonly string[];
  readonly warnings: readonly string[];
}

/** How long an interface waits for the name of the peer that its default route goes to. */
const NAMES_LIMIT_MS = 10_000;

export class Service {
  readonly #options: ServiceOptions;
  readonly #log: DaemonLog;
  readonly #network: InterfaceNetwork;
  #config: GatewayConfig;
  #gateway: Gateway | undefined;
  #names: EndpointNames | undefined;
  readonly #inherited: InheritedDescriptors;

  /** @param loaded  its keys are used by start(), and then wiped */
  constructor(options: ServiceOptions, loaded: LoadedConfig, log: DaemonLog) {
    this.#options = options;
    this.#config = loaded.config;
    this.#log = log;
    this.#inherited = options.manager.inherited();
    this.#network = new InterfaceNetwork(options.interfaceName, journalPath(options.interfaceName));
  }

  /** Whether it goes on with the interface of the last run, in which packets wait already. */
  get inherits(): boolean {
    return this.#inherited.tunFds.length > 0;
  }

  /** Whether configure() makes it able to shake hands, and open() not yet. */
  get keyComesByHook(): boolean {
    return this.#config.interface.privateKey.origin.kind === "hook";
  }

  /** The file in force; its keys are wiped. */
  get config(): GatewayConfig {
    return this.#config;
  }

  /** Errors: throws before start() is done. */
  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error(`${this.#options.interfaceName} is still starting; try again`);
    return this.#gateway;
  }

  /**
   * Makes the interface with its keys and peers, as yet without address; one that was inherited keeps what it has.
   * Errors: SystemCallError and others, with a message for the admin; close() then.
   */
  async open(onGone: (reason: string) => void): Promise<Gateway> {
    const { interfaceName, aead } = this.#options;
    const { tunFds, udpFds } = this.#inherited;
    for (const line of await this.#network.recover(this.inherits)) this.#log.info(`left by the last run: ${line}`);
    const gateway = await createGateway({
      interfaceName,
      tunFds,
      udpFds,
      aead: aead ?? this.#config.daemon.aead ?? "auto",
      offloads: process.env["LONGHAUL_OFFLOADS"] !== "off",
      log: this.#log,
      stateDirectory: this.#config.daemon.stateDirectory,
      onGone,
    });
    this.#gateway = gateway;
    this.#log.setFriendlyNames(friendlyNames(this.#config));
    // Before anything is waited for: packets stand in the queue of an inherited interface already.
    const { peers, ...device } = deviceUpdateOf(this.#config);
    const mark = device.fwmark || (this.#network.state?.fullTunnel?.table ?? 0);
    gateway.configure({ ...device, fwmark: mark, peers: [] });
    await applyPeers(gateway, { peers });
    wipeKeys(this.#config);
    this.#names = gatewayNames(gateway, this.#log);
    this.#names.start(this.#config.peers);
    return gateway;
  }

  /**
   * PreUp, addresses, link, routes, name servers, PostUp.
   * @param tell  gets what was done to the system when it was done
   * Errors: as open().
   */
  async configure(tell: (change: ServiceChange) => void): Promise<void> {
    const { gateway, config } = this;
    if (!this.inherits) await this.#awaitNames(tell);
    const wanted = await wantedNetwork(config, this.#network.state, []);
    const mark = markFor(config, wanted);
    if (mark !== gateway.mark) gateway.configure({ fwmark: mark, peers: [] });
    const { preUp, postUp } = this.#hooksOfStart();
    await this.#runHooks("PreUp", preUp);
    tell(await this.#network.apply(wanted));
    gateway.expectListening();
    await this.#runHooks("PostUp", postUp);
    await this.#network.complete();
  }

  /** One that goes on with an interface runs none, but those that bring the private key, which was not handed over. */
  #hooksOfStart(): Pick<GatewayConfig["interface"]["hooks"], "preUp" | "postUp"> {
    const { preUp, postUp } = this.#config.interface.hooks;
    if (!this.inherits || !this.#network.isComplete) return { preUp, postUp };
    const isNeeded = (hook: string): boolean => this.keyComesByHook && givesPrivateKey(hook);
    return { preUp: preUp.filter(isNeeded), postUp: postUp.filter(isNeeded) };
  }

  /** A default route into the tunnel may cut off the name server that the peer's name is found by, so the name comes first. */
  async #awaitNames(tell: (change: ServiceChange) => void): Promise<void> {
    const { peers, interface: own } = this.#config;
    if (own.table !== "auto") return;
    const keys = peers.filter(({ allowedIps }) => allowedIps.some(({ length }) => length === 0)).map(keyText);
    const missing = await this.#names?.found((publicKey) => keys.includes(keyText({ publicKey })), NAMES_LIMIT_MS);
    const warnings = (missing ?? []).map(
      (host) => `endpoint ${host} is not found yet: its name server must be reachable without the tunnel`,
    );
    if (warnings.length > 0) tell({ changes: [], warnings });
  }

  /**
   * Applies the difference between what runs and what the file says now.
   * Errors: with everything as it was before.
   */
  async reload(): Promise<ServiceChange> {
    const loaded = await this.#options.load();
    return this.gateway.exclusively(() => this.#change(loaded));
  }

  async #change(loaded: LoadedConfig): Promise<ServiceChange> {
    const { gateway } = this;
    const live = await snapshotDevice(gateway);
    const before = this.#network.state;
    try {
      const { update, wanted } = await this.#difference(loaded.config, live);
      try {
        return { ...(await this.#applyDifference(update, wanted, loaded)) };
      } catch (error) {
        await restoreDevice(gateway, live);
        if (before !== undefined && this.#network.state !== before) await this.#network.apply(before);
        throw error;
      }
    } finally {
      wipeDevice(live);
      wipeKeys(loaded.config);
    }
  }

  /** What reload() would do, and go no further. Errors: as reload(). */
  async planReload(): Promise<ServiceChange> {
    const loaded = await this.#options.load();
    const live = await this.gateway.exclusively(() => snapshotDevice(this.gateway));
    try {
      const { update, wanted } = await this.#difference(loaded.config, live);
      const steps = await this.#network.plan(wanted);
      const changes = [
        ...(await inSlices(describeUpdate(update, namesOf(loaded.config)))),
        ...steps.map(({ action }) => describeAction(action)),
      ];
      return { changes, warnings: loaded.warnings };
    } finally {
      wipeDevice(live);
      wipeKeys(loaded.config);
    }
  }

  /** What close() would do now. */
  planDown(): ServiceChange {
    const { hooks, saveConfig } = this.#config.interface;
    const changes = [
      ...this.#describeHooks("PreDown", hooks.preDown),
      ...(saveConfig ? [`save the configuration to ${this.#options.configPath}`] : []),
      ...this.#network.clearSteps().map(({ action }) => describeAction(action)),
      `delete the interface ${this.#options.interfaceName}`,
      ...this.#describeHooks("PostDown", hooks.postDown),
    ];
    return { changes, warnings: [] };
  }

  /**
   * Takes everything away. What fails is told, and the rest is done all the same.
   * @param how.hooks  false: after a start that failed
   * @param how.isGone  somebody deleted the interface
   * @param how.keeps  the interface and its network stay for the next run
   * @returns what went wrong. Rejects never.
   */
  async close(how: { readonly hooks: boolean; readonly isGone: boolean; readonly keeps: boolean }): Promise<string[]> {
    const { hooks, saveConfig } = this.#config.interface;
    const problems: string[] = [];
    const attempt = async (action: () => Promise<unknown>): Promise<void> => {
      try {
        await action();
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    };
    const runsHooks = how.hooks && !how.keeps;
    if (runsHooks && !how.isGone) {
      await attempt(() => this.#runHooks("PreDown", hooks.preDown));
      if (saveConfig) await attempt(() => this.#options.save(this.gateway, this.#config));
    }
    if (!how.keeps) problems.push(...(await this.#network.clear(how.isGone)));
    this.#names?.stop();
    this.#gateway?.close();
    wipeKeys(this.#config);
    if (runsHooks) await attempt(() => this.#runHooks("PostDown", hooks.postDown));
    return problems;
  }

  async #difference(next: GatewayConfig, live: DeviceSnapshot) {
    const endpoints = live.peers.flatMap(({ endpoint }) => (endpoint === undefined ? [] : [endpoint]));
    const wanted = await wantedNetwork(next, this.#network.state, endpoints);
    const update = await inSlices(deviceDiff({ previous: this.#config, live, next, mark: markFor(next, wanted) }));
    return { wanted, update };
  }

  /** What is likely to be refused comes first: a port that is taken, a route that another interface has. */
  async #applyDifference(
    update: DeviceUpdate,
    wanted: NetworkState,
    { config, warnings }: LoadedConfig,
  ): Promise<ServiceChange> {
    const { gateway } = this;
    const { listenPort, fwmark } = update;
    if (listenPort !== undefined) gateway.configure({ listenPort, peers: [] });
    if (fwmark !== undefined && fwmark !== 0) gateway.configure({ fwmark, peers: [] });
    const network = await this.#network.apply(wanted);
    if (fwmark === 0) gateway.configure({ fwmark, peers: [] });
    const described = await inSlices(describeUpdate(update, namesOf(config)));
    const later = waitsForRestart(this.#config, config);
    await applyPeers(gateway, update);
    this.#config = config;
    this.#log.setFriendlyNames(friendlyNames(config));
    this.#names?.update(config.peers);
    return { changes: [...described, ...network.changes], warnings: [...warnings, ...network.warnings, ...later] };
  }

  #describeHooks(moment: HookMoment, hooks: readonly string[]): string[] {
    return hooks.map((hook) => `${moment}: ${hookText(hook, this.#options.interfaceName)}`);
  }

  #runHooks(moment: HookMoment, hooks: readonly string[]): Promise<void> {
    return runHooks(moment, hooks, this.#options.interfaceName, (line) => {
      this.#log.info(`${moment}: ${line}`);
      this.#options.say(`${moment}: ${line}`);
    });
  }
}

/** What `longhaul up` would do, on a machine where the interface is not up. @returns with the keys of `config` wiped */
export async function planUp({ config, warnings }: LoadedConfig): Promise<ServiceChange> {
  const { interfaceName } = config;
  const wanted = await wantedNetwork(config, undefined, []);
  const { hooks } = config.interface;
  const update = { ...deviceUpdateOf(config), fwmark: markFor(config, wanted) };
  delete update.privateKey;
  const changes = [
    `create the interface ${interfaceName}`,
    ...(await inSlices(describeUpdate(update, namesOf(config)))),
    ...hooks.preUp.map((hook) => `PreUp: ${hookText(hook, interfaceName)}`),
    ...networkSteps(interfaceName, bareNetwork(DEFAULT_MTU), wanted).map(({ action }) => describeAction(action)),
    ...hooks.postUp.map((hook) => `PostUp: ${hookText(hook, interfaceName)}`),
  ];
  wipeKeys(config);
  return { changes, warnings };
}

function namesOf(config: GatewayConfig): (publicKey: Uint8Array) => string | undefined {
  const names = friendlyNames(config);
  return (publicKey) => names.get(Buffer.from(publicKey).toString("base64"));
}

/** What of `[Daemon]` a reload does not apply. */
function waitsForRestart(before: GatewayConfig, next: GatewayConfig): string[] {
  const settings = { LogLevel: "logLevel", Aead: "aead", StateDirectory: "stateDirectory" } as const;
  return Object.entries(settings)
    .filter(([, key]) => before.daemon[key] !== next.daemon[key])
    .map(([name]) => `${name} was changed: it takes effect when ${next.interfaceName} is started again`);
}

function keyText({ publicKey }: { readonly publicKey: Uint8Array }): string {
  return Buffer.from(publicKey).toString("base64");
}

/** By public key in base64, as the log names peers. */
function friendlyNames(config: GatewayConfig): Map<string, string> {
  const names = new Map<string, string>();
  for (const { publicKey, friendlyName } of config.peers) {
    if (friendlyName !== undefined) names.set(Buffer.from(publicKey).toString("base64"), friendlyName);
  }
  return names;
}
