// Runs longhaul on a gateway of the demo and does what `wg-quick up` would do around it, over the UAPI socket and
// ip(8), so that a machine without wireguard-tools can show it.
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { deviceUpdateOf, type PeerConfig, peerUpdateOf } from "../config/gateway-config.js";
import { parseGatewayConfig } from "../config/load-config.js";
import { formatPrefix } from "../config/prefix.js";
import type { DeviceSnapshot } from "../core/device/update.js";
import { getDevice, setDevice } from "../uapi/client.js";
import { CONFIG_PATH, configFile, INTERFACE, type Office, peerSection } from "./offices.js";

/** The daemon; LONGHAUL_BIN names another build. */
export const LONGHAUL = process.env["LONGHAUL_BIN"] ?? fileURLToPath(new URL("../../bin/longhaul", import.meta.url));
const SOCKET_PATH = `/run/wireguard/${INTERFACE}.sock`;
const LOG_PATH = "/run/longhaul.log";
const PATIENCE_MS = 5_000;
const POLL_MS = 20;

/** A gateway with its daemon running. */
export class RunningGateway {
  readonly office: Office;
  readonly pid: number;

  private constructor(office: Office, pid: number) {
    this.office = office;
    this.pid = pid;
  }

  /** Writes the file, starts the daemon and applies the file. Errors: with the daemon's log when it does not start. */
  static async up(office: Office, others: readonly Office[]): Promise<RunningGateway> {
    const text = configFile(office, others);
    await office.gateway.writeFile(CONFIG_PATH, text);
    const before = new Set(office.gateway.processes());
    await startDaemon(office);
    const [pid] = office.gateway.processes().filter((pid) => !before.has(pid));
    if (pid === undefined) throw new Error(`the daemon in ${office.name} ended at once\n${await log(office)}`);
    const gateway = new RunningGateway(office, pid);
    const { config } = parseGatewayConfig(text, { interfaceName: INTERFACE });
    await setDevice(gateway.#socket, deviceUpdateOf(config));
    await office.gateway.ip(
      ...config.interface.addresses.map((address) => `address add ${address} dev ${INTERFACE}`),
      `link set ${INTERFACE} up`,
    );
    for (const peer of config.peers) await gateway.#addRoutes(peer);
    await gateway.#listening(config.interface.listenPort!);
    return gateway;
  }

  /** Adds a peer to the running daemon and to the file. */
  async addPeer(office: Office): Promise<void> {
    const file = configFile(this.office, [office]);
    const { peers } = parseGatewayConfig(file, { interfaceName: INTERFACE }).config;
    await setDevice(this.#socket, { peers: peers.map(peerUpdateOf) });
    for (const peer of peers) await this.#addRoutes(peer);
    await this.office.gateway.run(["sh", "-c", `cat >>${CONFIG_PATH}`], { input: `\n${peerSection(office)}` });
  }

  /** What the daemon says of itself over the UAPI. */
  snapshot(): Promise<DeviceSnapshot> {
    return getDevice(this.#socket);
  }

  isRunning(): boolean {
    return this.office.gateway.processes().includes(this.pid);
  }

  /** Ends the daemon by SIGTERM. Errors: throws unless it, its socket and its interface go. */
  async down(): Promise<void> {
    process.kill(this.pid, "SIGTERM");
    await this.#until("end by SIGTERM", async () => !this.isRunning());
    if (existsSync(this.#socket)) throw new Error(`the daemon in ${this.office.name} left its socket behind`);
    const link = await this.office.gateway.try(["ip", "link", "show", INTERFACE]);
    if (link.status === 0) throw new Error(`the daemon in ${this.office.name} left ${INTERFACE} behind`);
  }

  /** The socket opens once the daemon has seen that its interface is up; a packet before that would be lost. */
  async #listening(port: number): Promise<void> {
    await this.#until(`listen on UDP port ${port}`, () => this.office.gateway.listensOnUdp(port));
  }

  async #until(what: string, condition: () => Promise<boolean>): Promise<void> {
    for (let waitedMs = 0; !(await condition()); waitedMs += POLL_MS) {
      if (waitedMs > PATIENCE_MS) throw new Error(`the daemon in ${this.office.name} does not ${what}`);
      await sleep(POLL_MS);
    }
  }

  get #socket(): string {
    return this.office.gateway.path(SOCKET_PATH);
  }

  /** Everything of a peer but our own tunnel range, which the interface's address covers. */
  async #addRoutes(peer: PeerConfig): Promise<void> {
    await this.office.gateway.ip(
      ...peer.allowedIps.map((prefix) => `route replace ${formatPrefix(prefix)} dev ${INTERFACE}`),
    );
  }
}

async function startDaemon(office: Office): Promise<void> {
  const script = `exec "$0" ${INTERFACE} >>${LOG_PATH} 2>&1`;
  const { status } = await office.gateway.try(["sh", "-c", script, LONGHAUL], { env: { LOG_LEVEL: "info" } });
  if (status !== 0) throw new Error(`longhaul did not start in ${office.name}\n${await log(office)}`);
}

async function log(office: Office): Promise<string> {
  return (await office.gateway.try(["cat", LOG_PATH])).stdout.trim();
}
