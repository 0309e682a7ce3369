// The demo's three offices: addresses, keys and the wg-quick file of each gateway.
import type { Host, Lab } from "./lab.js";

/** What is fixed about an office. Public addresses are from the ranges for documentation (RFC 5737). */
export interface OfficePlan {
  readonly name: string;
  readonly lan: string;
  readonly lanGateway: string;
  readonly lanHost: string;
  /** The provider's side and the gateway's side of the uplink. */
  readonly provider: string;
  readonly publicAddress: string;
  readonly tunnelAddress: string;
}

export const officePlans: readonly OfficePlan[] = [
  plan("Berlin", 1, "192.0.2"),
  plan("Lisbon", 2, "198.51.100"),
  plan("Oslo", 3, "203.0.113"),
];

function plan(name: string, number: number, uplink: string): OfficePlan {
  return {
    name,
    lan: `192.168.${number}.0/24`,
    lanGateway: `192.168.${number}.1`,
    lanHost: `192.168.${number}.10`,
    provider: `${uplink}.1`,
    publicAddress: `${uplink}.2`,
    tunnelAddress: `10.77.0.${number}`,
  };
}

const LISTEN_PORT = 51_820;
export const INTERFACE = "wg0";
/** Where a gateway keeps its file; on the gateway's own /run. */
export const CONFIG_PATH = `/run/${INTERFACE}.conf`;

/** An office as it stands in the lab. */
export interface Office extends OfficePlan {
  readonly host: Host;
  readonly gateway: Host;
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Adds a LAN host behind a gateway, and the gateway's uplink to the internet. The two LANs do not know each other. */
export async function buildOffice(
  lab: Lab,
  internet: Host,
  plan: OfficePlan,
  keys: { privateKey: string; publicKey: string },
): Promise<Office> {
  const host = await lab.addHost(`${plan.name} host`);
  const gateway = await lab.addHost(`${plan.name} gateway`);
  await lab.connect(
    { host, name: "eth0", addresses: [`${plan.lanHost}/24`] },
    { host: gateway, name: "lan", addresses: [`${plan.lanGateway}/24`] },
  );
  await lab.connect(
    { host: gateway, name: "wan", addresses: [`${plan.publicAddress}/24`] },
    { host: internet, name: plan.name.toLowerCase(), addresses: [`${plan.provider}/24`] },
  );
  await host.ip(`route add default via ${plan.lanGateway}`);
  await gateway.ip(`route add default via ${plan.provider}`);
  await gateway.enableForwarding();
  return { ...plan, ...keys, host, gateway };
}

/** The gateway's whole file: itself and every other office. */
export function configFile(office: Office, others: readonly Office[]): string {
  return [
    `# ${office.name}: ${CONFIG_PATH}`,
    "[Interface]",
    `PrivateKey = ${office.privateKey}`,
    `Address = ${office.tunnelAddress}/24`,
    `ListenPort = ${LISTEN_PORT}`,
    "",
    ...others.map(peerSection),
  ].join("\n");
}

/** What another gateway's file says of an office. */
export function peerSection(office: Office): string {
  return [
    "[Peer]",
    `# friendly_name = ${office.name}`,
    `PublicKey = ${office.publicKey}`,
    `Endpoint = ${office.publicAddress}:${LISTEN_PORT}`,
    `AllowedIPs = ${office.tunnelAddress}/32, ${office.lan}`,
    "",
  ].join("\n");
}
