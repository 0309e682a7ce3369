// A gateway with thousands of peers, and one established peer on the same cable, the far host; both run the same program.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Host, Lab } from "../../src/demo/lab.js";
import { Gateway, INTERFACE } from "../../test/support/gateway.js";
import type { DaemonProgram } from "../../test/support/programs.js";
import { deadAddress, IDENTITIES, innerAddress, NOBODY } from "./addresses.js";

export const CONFIG = "/run/wg0.conf";
export const OTHER_CONFIG = "/run/other.conf";
export const INSIDE = { gateway: "10.9.0.1", far: "10.9.0.2" } as const;
export const OUTSIDE = { gateway: "192.0.2.1", far: "192.0.2.2" } as const;

export interface Site {
  readonly lab: Lab;
  readonly gateway: Gateway;
  readonly far: Gateway;
  readonly pid: number;
}

/** @param add  told of the lab at once, so that it goes whatever happens */
export async function startSite(program: DaemonProgram, add: (lab: Lab) => void): Promise<Site> {
  const lab = new Lab();
  add(lab);
  const [left, right] = [await lab.addHost("gateway"), await lab.addHost("far")];
  await lab.connect(
    { host: left, name: "eth0", addresses: [`${OUTSIDE.gateway}/24`] },
    { host: right, name: "eth0", addresses: [`${OUTSIDE.far}/24`] },
  );
  await right.ip(`route add local ${IDENTITIES} dev lo`, `route add blackhole ${NOBODY}`);
  for (const range of [IDENTITIES, NOBODY]) await left.ip(`route add ${range} via ${OUTSIDE.far}`);
  const gateway = await Gateway.start(left, { program, addresses: [`${INSIDE.gateway}/24`] });
  const far = await Gateway.start(right, { program, addresses: [`${INSIDE.far}/24`] });
  await far.addPeer({
    publicKey: gateway.keys.publicKey,
    allowedIps: [`${INSIDE.gateway}/32`],
    endpoint: `${OUTSIDE.gateway}:51820`,
    persistentKeepaliveS: 1,
  });
  return { lab, gateway, far, pid: gateway.daemonPids[0]! };
}

export interface Crowd {
  /** Base64. */
  readonly keys: readonly string[];
  /** Whether all have an address where nobody answers, and a keepalive that keeps the gateway trying. */
  readonly isDead: boolean;
  /** Their keepalive. */
  readonly keepaliveS?: number;
}

/** What `wg setconf` reads: the far host and the crowd. */
export function configFile({ gateway, far }: Site, { keys, isDead, keepaliveS = 25 }: Crowd): string {
  const peers = keys.map((key, i) => {
    const dead = isDead ? `Endpoint = ${deadAddress(i)}:51820\nPersistentKeepalive = ${keepaliveS}\n` : "";
    return `[Peer]\nPublicKey = ${key}\nAllowedIPs = ${innerAddress(i)}/32\n${dead}`;
  });
  return (
    `[Interface]\nPrivateKey = ${gateway.keys.privateKey}\nListenPort = 51820\n` +
    `[Peer]\nPublicKey = ${far.keys.publicKey}\nAllowedIPs = ${INSIDE.far}/32\n` +
    `Endpoint = ${OUTSIDE.far}:51820\nPersistentKeepalive = 1\n${peers.join("")}`
  );
}

export function randomKeys(count: number): string[] {
  // nobody has their private keys, and nobody needs them
  return Array.from({ length: count }, () => randomBytes(32).toString("base64"));
}

/** Waits until the far host is answered through the tunnel. */
export async function untilEstablished({ far }: Site): Promise<void> {
  for (let attempt = 0; attempt < 40; attempt++) {
    const { status } = await far.host.try(["ping", "-n", "-c", "1", "-W", "0.5", INSIDE.gateway]);
    if (status === 0) return;
    await sleep(50);
  }
  throw new Error(`the far host gets no answer through ${INTERFACE}`);
}

export function wg(host: Host, ...words: string[]): Promise<string> {
  return host.run(["wg", ...words], { timeoutMs: 120_000 });
}
