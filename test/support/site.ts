// Ready-made topologies of gateways. Outside addresses are 192.0.2.0/24 and 2001:db8::/64, tunnel addresses
// 10.9.0.0/24 and fd09::/64; the first gateway is .1 and the second .2.
import { type Host, Lab } from "../../src/demo/lab.js";
import { Gateway, type PeerOptions } from "./gateway.js";
import type { DaemonProgram } from "./programs.js";

export interface PairOptions {
  /** Daemons of the left and the right gateway. */
  readonly programs: readonly [DaemonProgram, DaemonProgram];
  /** Family of the outer packets. */
  readonly outer?: 4 | 6;
  /** Of the tunnel interfaces. */
  readonly mtu?: number;
  /** Of the cable between the gateways. */
  readonly underlayMtu?: number;
  readonly presharedKey?: string;
  /** Empty, whose cable is to be used. */
  readonly lab?: Lab;
  /** Called with each host before its daemon starts. */
  readonly prepare?: (host: Host) => Promise<unknown>;
}

/** Two gateways on one cable that know each other's endpoint. */
export interface Pair {
  readonly lab: Lab;
  readonly left: Gateway;
  readonly right: Gateway;
}

const outside = {
  left: { 4: "192.0.2.1", 6: "2001:db8::1" },
  right: { 4: "192.0.2.2", 6: "2001:db8::2" },
} as const;

/** Makes two hosts joined by a cable `eth0`, and starts a gateway on each; neither has a peer yet. */
export async function startStrangers(options: PairOptions): Promise<Pair> {
  const lab = options.lab ?? new Lab();
  try {
    const hosts = [await lab.addHost("left"), await lab.addHost("right")] as const;
    await lab.connect(
      { host: hosts[0], name: "eth0", addresses: ["192.0.2.1/24", "2001:db8::1/64"] },
      { host: hosts[1], name: "eth0", addresses: ["192.0.2.2/24", "2001:db8::2/64"] },
      options.underlayMtu ?? 1_500,
    );
    for (const host of hosts) await options.prepare?.(host);
    const [left, right] = [await startGateway(hosts[0], 1, options), await startGateway(hosts[1], 2, options)];
    return { lab, left, right };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** The same, and each gateway is the other's peer. */
export async function startPair(options: PairOptions): Promise<Pair> {
  const pair = await startStrangers(options);
  try {
    await introduce(pair, options);
    return pair;
  } catch (error) {
    await pair.lab.close();
    throw error;
  }
}

/** Makes each gateway of a pair the other's peer. */
export async function introduce(pair: Pair, options: Pick<PairOptions, "outer" | "presharedKey">): Promise<void> {
  const family = options.outer ?? 4;
  const { left, right } = pair;
  await left.addPeer({ ...peerOf(right, endpoint(outside.right[family], right.listenPort)), ...secret(options) });
  await right.addPeer({ ...peerOf(left, endpoint(outside.left[family], left.listenPort)), ...secret(options) });
}

/** What another gateway must be told of `gateway`: its key and its tunnel addresses. */
export function peerOf(gateway: Gateway, endpoint?: string): PeerOptions {
  const allowedIps = gateway.addresses.map((address) => {
    const host = address.split("/")[0]!;
    return `${host}/${host.includes(":") ? 128 : 32}`;
  });
  return { publicKey: gateway.keys.publicKey, allowedIps, ...(endpoint === undefined ? {} : { endpoint }) };
}

/** `address:port` as wg(8) reads it. */
export function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function secret(options: { presharedKey?: string }): { presharedKey?: string } {
  return options.presharedKey === undefined ? {} : { presharedKey: options.presharedKey };
}

function startGateway(host: Host, number: 1 | 2, options: PairOptions): Promise<Gateway> {
  return Gateway.start(host, {
    program: options.programs[number - 1]!,
    addresses: [`10.9.0.${number}/24`, `fd09::${number}/64`],
    mtu: options.mtu ?? 1_420,
  });
}
