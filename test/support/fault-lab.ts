// One gateway with many peers, each of which has a fault of its own: a set-up that is paid for once. The peers are daemons that
// share one host, each with an interface, a port and a network of its own.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CommandResult } from "../../src/demo/command.js";
import { type Host, Lab } from "../../src/demo/lab.js";
import { eventually, startDaemon } from "./gateway.js";
import { type KeyPair, newKeyPair, newPresharedKey } from "./keys.js";
import { type DaemonProgram, longhaul } from "./programs.js";
import { Wire } from "./wire.js";

export const LEFT_ADDRESS = "192.0.2.1";
export const RIGHT_ADDRESS = "192.0.2.2";
const LEFT_PORT = 51_820;
const WIRE_PORT = 4_000;
const CLOCK = fileURLToPath(new URL("./wrong-clock.cjs", import.meta.url));
const clocked: DaemonProgram = { ...longhaul, env: { NODE_OPTIONS: `--require=${CLOCK}` } };

/** Numbers of the daemons on the right; interface `wgN`, port 51820 + N, network 10.9.N.0/24 with .1 there and .254 on the left. */
export const right = { psk: 1, stranger: 2, clock: 3, deaf: 4, dead: 5, plain: 6, wired: 7 } as const;
export type Right = (typeof right)[keyof typeof right];

/** Peers of the left that nobody is behind, by the fault. */
export const nobody = {
  no_endpoint: newKeyPair().publicKey,
  no_allowed_ips: newKeyPair().publicKey,
  never_tried: newKeyPair().publicKey,
  no_route: newKeyPair().publicKey,
  firewall_here: newKeyPair().publicKey,
  never_answered: newKeyPair().publicKey,
  endpoint_in_tunnel: newKeyPair().publicKey,
  endpoint_is_here: newKeyPair().publicKey,
  not_routed_here: newKeyPair().publicKey,
  wrong_key_there: newKeyPair().publicKey,
  wrong_key_here: newKeyPair().publicKey,
} as const;

const healthy = [right.clock, right.dead, right.plain, right.wired] as const;
const DAY_MS = 86_400_000;
const FORBIDDEN_PORT = 7_777;
/** Addresses behind peers of the left that traffic is sent to all the time. */
const PINGED = ["10.9.1.1", "10.9.5.1", "10.20.1.1", "10.20.4.1", "10.20.5.1", "10.20.6.1", "10.20.7.1"];

/** What `why --json` says of a peer. */
export interface Answer {
  readonly peer: { readonly publicKey: string } | null;
  readonly interface: string;
  readonly state: string;
  readonly sentence: string;
  readonly causes: ReadonlyArray<{
    readonly cause: string;
    readonly confidence: string;
    readonly isActive: boolean;
    readonly says: string;
    readonly evidence: readonly string[];
    readonly next: ReadonlyArray<{ readonly text: string; readonly command: string | null }>;
  }>;
}

export class FaultLab {
  readonly lab = new Lab();
  readonly keys: KeyPair = newKeyPair();
  readonly peerKeys: Readonly<Record<Right, KeyPair>>;
  left!: Host;
  right!: Host;
  wire!: Wire;

  constructor() {
    const numbers = Object.values(right);
    this.peerKeys = Object.fromEntries(numbers.map((number) => [number, newKeyPair()])) as Record<Right, KeyPair>;
  }

  /** Two hosts on one cable, all daemons and the relay; nobody has a peer yet. */
  async start(): Promise<void> {
    this.left = await this.lab.addHost("left");
    this.right = await this.lab.addHost("right");
    await this.lab.connect(
      { host: this.left, name: "eth0", addresses: [`${LEFT_ADDRESS}/24`] },
      { host: this.right, name: "eth0", addresses: [`${RIGHT_ADDRESS}/24`] },
    );
    const numbers = Object.values(right);
    await Promise.all([
      this.#startInterface(
        this.left,
        "wg0",
        this.keys,
        LEFT_PORT,
        numbers.map((n) => `10.9.${n}.254/24`),
      ),
      ...numbers.map((number) => this.startRight(number)),
    ]);
    this.wire = await Wire.start(this.right, {
      left: { address: RIGHT_ADDRESS, port: WIRE_PORT, gateway: { address: LEFT_ADDRESS, port: LEFT_PORT } },
      right: { address: "127.0.0.1", port: WIRE_PORT, gateway: { address: "127.0.0.1", port: portOf(right.wired) } },
    });
  }

  close(): Promise<void> {
    return this.lab.close();
  }

  /** Everything that makes a peer silent, at once: each takes some seconds to show. Some peers stay well. */
  async stageSilence(): Promise<void> {
    await Promise.all(healthy.map((number) => this.introduce(number)));
    await Promise.all(
      healthy.map((number) => this.right.run(["ping", "-n", "-c", "1", "-W", "5", `10.9.${number}.254`])),
    );
    await this.#stageWrongPeers();
    await this.#stageNobodies();
    for (const address of PINGED) this.left.start(["ping", "-n", "-i", "0.5", "-c", "120", address]);
  }

  async #stageWrongPeers(): Promise<void> {
    const calling = { endpoint: `${LEFT_ADDRESS}:${LEFT_PORT}`, persistentKeepaliveS: 1 } as const;
    // without keys, whoever wants something asks at once
    await this.left.ip("link set wg0 down");
    await Promise.all([this.kill(right.dead), this.kill(right.clock)]);
    await this.right.run(["rm", "-rf", "/var/lib/longhaul"]);
    await this.right.writeFile("/run/clock-offset", String(-DAY_MS));
    await eventually("wg0 is silent", async () => !(await this.left.listensOnUdp(LEFT_PORT)));
    await this.left.ip("link set wg0 up");
    await eventually("wg0 listens", () => this.left.listensOnUdp(LEFT_PORT));
    for (const number of [right.plain, right.wired]) await this.left.run(["ping", "-c", "1", `10.9.${number}.1`]);
    await this.startRight(right.clock);
    await this.rightPeer(right.clock, this.keys.publicKey, { ...calling, allowedIps: "10.9.3.254/32" });
    await this.introduce(right.psk, { left: newPresharedKey(), right: newPresharedKey() });
    // without an endpoint, so that the left has nobody to ask
    await this.leftPeer(this.peerKeys[right.deaf].publicKey, { allowedIps: "10.9.4.1/32" });
    await this.rightPeer(right.deaf, this.keys.publicKey, { ...calling, presharedKey: newPresharedKey() });
    await this.rightPeer(right.stranger, this.keys.publicKey, calling);
    await this.rightPeer(right.psk, newKeyPair().publicKey, calling);
  }

  async #stageNobodies(): Promise<void> {
    await this.left.ip(
      "route add 10.20.0.0/16 dev wg0",
      "route add 10.20.9.0/24 dev eth0",
      "route add 203.0.113.50/32 dev wg0",
    );
    await this.left.run(["nft", "-f", "-"], {
      input: [
        "add table ip faults",
        "add chain ip faults out { type filter hook output priority 0; }",
        "add chain ip faults in { type filter hook input priority 0; }",
        `add rule ip faults out udp dport ${FORBIDDEN_PORT} drop`,
      ].join("\n"),
    });
    const peer = (cause: keyof typeof nobody, network: number, endpoint?: string): Promise<void> =>
      this.leftPeer(nobody[cause], {
        allowedIps: cause === "no_allowed_ips" ? "" : `10.20.${network}.0/24`,
        ...(endpoint === undefined ? {} : { endpoint }),
      });
    await peer("no_endpoint", 1);
    await peer("no_allowed_ips", 2, `${RIGHT_ADDRESS}:9`);
    await peer("never_tried", 3, `${RIGHT_ADDRESS}:9`);
    await peer("no_route", 4, "198.51.100.9:51820");
    await peer("firewall_here", 5, `${RIGHT_ADDRESS}:${FORBIDDEN_PORT}`);
    await peer("never_answered", 6, `${RIGHT_ADDRESS}:9`);
    await peer("endpoint_in_tunnel", 7, "203.0.113.50:51820");
    await peer("endpoint_is_here", 8, `${LEFT_ADDRESS}:9`);
    await peer("not_routed_here", 9, `${RIGHT_ADDRESS}:9`);
    await peer("wrong_key_there", 10, `${RIGHT_ADDRESS}:${portOf(right.psk)}`);
    await peer("wrong_key_here", 11, `${RIGHT_ADDRESS}:${portOf(right.stranger)}`);
  }

  startRight(number: Right, keys = this.peerKeys[number]): Promise<void> {
    const program = number === right.clock ? clocked : longhaul;
    return this.#startInterface(this.right, `wg${number}`, keys, portOf(number), [`10.9.${number}.1/24`], program);
  }

  async #startInterface(
    host: Host,
    name: string,
    keys: KeyPair,
    port: number,
    addresses: readonly string[],
    program = longhaul,
  ): Promise<void> {
    await startDaemon(host, program, name);
    await host.writeFile(`/run/key-${name}`, keys.privateKey);
    await host.run(["wg", "set", name, "private-key", `/run/key-${name}`, "listen-port", String(port)]);
    await host.ip(...addresses.map((one) => `address add ${one} dev ${name}`), `link set ${name} up`);
    await eventually(`${name} listens`, () => host.listensOnUdp(port));
  }

  /** Makes one of the right's daemons and the left each other's peers; both know the other's endpoint. */
  async introduce(number: Right, presharedKeys: { left?: string; right?: string } = {}): Promise<void> {
    const isWired = number === right.wired;
    await this.leftPeer(this.peerKeys[number].publicKey, {
      endpoint: `${RIGHT_ADDRESS}:${isWired ? WIRE_PORT : portOf(number)}`,
      allowedIps: `10.9.${number}.1/32`,
      ...(presharedKeys.left === undefined ? {} : { presharedKey: presharedKeys.left }),
    });
    await this.rightPeer(number, this.keys.publicKey, {
      endpoint: isWired ? `127.0.0.1:${WIRE_PORT}` : `${LEFT_ADDRESS}:${LEFT_PORT}`,
      allowedIps: `10.9.${number}.254/32`,
      ...(presharedKeys.right === undefined ? {} : { presharedKey: presharedKeys.right }),
    });
  }

  leftPeer(publicKey: string, options: PeerSettings): Promise<void> {
    return setPeer(this.left, "wg0", publicKey, options);
  }

  rightPeer(number: Right, publicKey: string, options: PeerSettings): Promise<void> {
    return setPeer(this.right, `wg${number}`, publicKey, options);
  }

  /** Ends one daemon of the right by SIGKILL, so that it says goodbye to nobody. */
  async kill(number: Right): Promise<void> {
    process.kill(this.pidOf(number), "SIGKILL");
    await eventually(`wg${number} is gone`, async () => {
      return (await this.right.try(["ip", "link", "show", `wg${number}`])).status !== 0;
    });
  }

  pidOf(number: Right): number {
    const found = this.right.processes().find((pid) => titleOf(pid) === `longhaul wg${number}`);
    if (found === undefined) throw new Error(`no daemon of wg${number}`);
    return found;
  }

  /** Runs `longhaul why … --json`. */
  async why(host: Host, words: readonly string[], waitS = 0): Promise<Answer> {
    const result = await this.longhaul(host, "why", "--json", "--wait", String(waitS), ...words);
    if (result.status !== 0 && result.status !== 3) throw new Error(`why ${words.join(" ")}: ${result.stderr}`);
    return JSON.parse(result.stdout) as Answer;
  }

  /** Runs `longhaul why NAME all --json`. @returns answers by public key */
  async whyAll(host: Host, name: string): Promise<ReadonlyMap<string, Answer>> {
    const result = await this.longhaul(host, "why", "--json", "--wait", "0", name, "all");
    const { peers } = JSON.parse(result.stdout) as { peers: Answer[] };
    return new Map(peers.map((answer) => [answer.peer!.publicKey, answer]));
  }

  longhaul(host: Host, ...words: string[]): Promise<CommandResult> {
    return host.try([longhaul.path, ...words], { timeoutMs: 30_000 });
  }
}

export interface PeerSettings {
  readonly endpoint?: string;
  readonly allowedIps?: string;
  readonly presharedKey?: string;
  readonly persistentKeepaliveS?: number;
}

async function setPeer(host: Host, name: string, publicKey: string, options: PeerSettings): Promise<void> {
  const words = ["wg", "set", name, "peer", publicKey, "allowed-ips", options.allowedIps ?? ""];
  if (options.endpoint !== undefined) words.push("endpoint", options.endpoint);
  if (options.persistentKeepaliveS !== undefined) {
    words.push("persistent-keepalive", String(options.persistentKeepaliveS));
  }
  if (options.presharedKey !== undefined) {
    await host.writeFile(`/run/psk-${name}`, options.presharedKey);
    words.push("preshared-key", `/run/psk-${name}`);
  }
  await host.run(words);
}

export function portOf(number: number): number {
  return LEFT_PORT + number;
}

function titleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
}
