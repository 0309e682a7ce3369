// A host with a WireGuard daemon on it, configured by wg(8) and ip(8) as an admin would: what most namespace tests
// are made of. It works the same for every implementation.
import { setTimeout as sleep } from "node:timers/promises";
import type { Host } from "../../src/demo/lab.js";
import { type KeyPair, newKeyPair } from "./keys.js";
import type { DaemonProgram } from "./programs.js";

export interface GatewayOptions {
  readonly program: DaemonProgram;
  /** Addresses of the tunnel interface, with prefix length. */
  readonly addresses: readonly string[];
  readonly keys?: KeyPair;
  readonly listenPort?: number;
  readonly mtu?: number;
}

export interface PeerOptions {
  readonly publicKey: string;
  readonly allowedIps: readonly string[];
  /** `192.0.2.1:51820`, `[2001:db8::1]:51820`. */
  readonly endpoint?: string;
  readonly presharedKey?: string;
  readonly persistentKeepaliveS?: number;
}

/** One peer's line of `wg show IF dump`. */
export interface PeerStatus {
  readonly publicKey: string;
  readonly presharedKey: string;
  readonly endpoint: string;
  readonly allowedIps: string;
  readonly latestHandshake: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly persistentKeepalive: string;
}

export const INTERFACE = "wg0";
const LOG_PATH = "/run/daemon.log";
/** wg(8) takes keys from files. */
const SECRET_PATH = "/run/secret";

/** A host, its daemon and its interface `wg0`. */
export class Gateway {
  readonly host: Host;
  readonly program: DaemonProgram;
  readonly keys: KeyPair;
  readonly listenPort: number;
  readonly addresses: readonly string[];
  readonly mtu: number;
  /** Peers as added, so that restart() can add them again. */
  readonly #peers: PeerOptions[] = [];
  #daemonPids: number[] = [];

  private constructor(host: Host, options: GatewayOptions) {
    this.host = host;
    this.program = options.program;
    this.keys = options.keys ?? newKeyPair();
    this.listenPort = options.listenPort ?? 51_820;
    this.addresses = options.addresses;
    this.mtu = options.mtu ?? 1_420;
  }

  /** Starts the daemon and brings the interface up with its key, port and addresses; no peers yet. */
  static async start(host: Host, options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(host, options);
    await gateway.#start();
    return gateway;
  }

  /** Pids of the daemon, in the background. */
  get daemonPids(): readonly number[] {
    return this.#daemonPids;
  }

  /** First address without its prefix length. */
  address(family: 4 | 6 = 4): string {
    return this.addresses.find((address) => address.includes(":") === (family === 6))!.split("/")[0]!;
  }

  /** Runs `wg set wg0 …`. */
  async set(...words: string[]): Promise<void> {
    await this.host.run(["wg", "set", INTERFACE, ...words]);
  }

  /** Adds a peer, or changes what is given of it. */
  async addPeer(peer: PeerOptions): Promise<void> {
    this.#peers.push(peer);
    await this.#setPeer(peer);
  }

  /** What `wg show` tells of one peer, or of the only one. */
  async peer(publicKey?: string): Promise<PeerStatus> {
    const peers = await this.peers();
    const found = publicKey === undefined ? peers[0] : peers.find((peer) => peer.publicKey === publicKey);
    if (found === undefined) throw new Error(`${this.host.name} has no such peer`);
    return found;
  }

  async peers(): Promise<PeerStatus[]> {
    const dump = await this.host.run(["wg", "show", INTERFACE, "dump"]);
    return dump
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => {
        const [publicKey, presharedKey, endpoint, allowedIps, handshake, received, sent, keepalive] = line.split("\t");
        return {
          publicKey: publicKey!,
          presharedKey: presharedKey!,
          endpoint: endpoint!,
          allowedIps: allowedIps!,
          latestHandshake: Number(handshake),
          receivedBytes: Number(received),
          sentBytes: Number(sent),
          persistentKeepalive: keepalive!,
        };
      });
  }

  /** Ends the daemon by `signal` and waits until it and its interface are gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    for (const pid of this.#daemonPids) process.kill(pid, signal);
    await eventually(`${this.host.name}: daemon gone after ${signal}`, async () => {
      const running = this.host.processes().filter((pid) => this.#daemonPids.includes(pid));
      return running.length === 0 && !(await this.hasInterface());
    });
  }

  /** Starts it anew after kill(), with the same keys, addresses and peers. */
  async restart(): Promise<void> {
    await this.#start();
    for (const peer of this.#peers) await this.#setPeer(peer);
  }

  async hasInterface(): Promise<boolean> {
    return (await this.host.try(["ip", "link", "show", INTERFACE])).status === 0;
  }

  /** What the daemon has logged. */
  async log(): Promise<string> {
    return (await this.host.try(["cat", LOG_PATH])).stdout;
  }

  async #start(): Promise<void> {
    const before = new Set(this.host.processes());
    await startDaemon(this.host, this.program);
    this.#daemonPids = this.host.processes().filter((pid) => !before.has(pid));
    await this.host.writeFile(SECRET_PATH, this.keys.privateKey);
    await this.set("private-key", SECRET_PATH, "listen-port", String(this.listenPort));
    await this.host.ip(
      ...this.addresses.map(
        (address) => `address add ${address} dev ${INTERFACE}${address.includes(":") ? " nodad" : ""}`,
      ),
      `link set ${INTERFACE} mtu ${this.mtu} up`,
    );
    await eventually(`${this.host.name} listens on UDP`, () => this.host.listensOnUdp(this.listenPort));
  }

  async #setPeer(peer: PeerOptions): Promise<void> {
    const words = ["peer", peer.publicKey, "allowed-ips", peer.allowedIps.join(",")];
    if (peer.endpoint !== undefined) words.push("endpoint", peer.endpoint);
    if (peer.persistentKeepaliveS !== undefined) words.push("persistent-keepalive", String(peer.persistentKeepaliveS));
    if (peer.presharedKey !== undefined) {
      await this.host.writeFile(SECRET_PATH, peer.presharedKey);
      words.push("preshared-key", SECRET_PATH);
    }
    await this.set(...words);
  }
}

/** Runs `PROGRAM INTERFACE` until it has gone to the background. Errors: with the log, when it does not start. */
export async function startDaemon(host: Host, program: DaemonProgram, name = INTERFACE): Promise<void> {
  const script = `exec "$0" "$@" >>${LOG_PATH} 2>&1`;
  const started = await host.try(["sh", "-c", script, program.path, ...(program.options ?? []), name], {
    env: { LOG_LEVEL: process.env["LOG_LEVEL"] ?? "error", ...program.env },
  });
  if (started.status === 0) return;
  const log = (await host.try(["cat", LOG_PATH])).stdout;
  throw new Error(
    `${program.path} ${name} on ${host.name}: ${started.signal ?? `exit status ${started.status}`}\n${log}`,
  );
}

/** Polls until `condition` holds. Errors: throws after `timeoutMs`, naming `what`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(25);
  }
}
