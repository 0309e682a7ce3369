// Two offices whose gateways run longhaul as a service, each from its file: a LAN host behind each, and a cable as the internet between.

import type { CommandResult } from "../../src/demo/command.js";
import { type Host, Lab } from "../../src/demo/lab.js";
import { type KeyPair, newKeyPair } from "./keys.js";
import { longhaul } from "./programs.js";

/** One office: its gateway and one host of its LAN. */
export interface ServiceOffice {
  readonly number: 1 | 2;
  readonly gateway: Host;
  readonly lan: Host;
  readonly keys: KeyPair;
}

export interface ServiceOffices {
  readonly lab: Lab;
  readonly left: ServiceOffice;
  readonly right: ServiceOffice;
}

export const CONFIG_PATH = "/run/hq.conf";
/** Of the LAN host of an office. */
export const lanAddress = (office: ServiceOffice): string => `192.168.${office.number}0.5`;
export const outsideAddress = (office: ServiceOffice): string => `192.0.2.${office.number}`;

/** LANs 192.168.10.0/24 and 192.168.20.0/24, outside 192.0.2.0/24; nothing of longhaul runs yet. */
export async function buildOffices(): Promise<ServiceOffices> {
  const lab = new Lab();
  try {
    const [left, right] = [await addOffice(lab, 1), await addOffice(lab, 2)];
    await lab.connect(
      { host: left.gateway, name: "eth0", addresses: ["192.0.2.1/24", "2001:db8::1/64"] },
      { host: right.gateway, name: "eth0", addresses: ["192.0.2.2/24", "2001:db8::2/64"] },
    );
    return { lab, left, right };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

async function addOffice(lab: Lab, number: 1 | 2): Promise<ServiceOffice> {
  const gateway = await lab.addHost(`gateway${number}`);
  const lan = await lab.addHost(`lan${number}`);
  await lab.connect(
    { host: gateway, name: "lan0", addresses: [`192.168.${number}0.1/24`] },
    { host: lan, name: "eth0", addresses: [`192.168.${number}0.5/24`] },
  );
  await lan.ip(`route add default via 192.168.${number}0.1`);
  await gateway.enableForwarding();
  return { number, gateway, lan, keys: newKeyPair() };
}

/** Lines of `[Interface]` and more peers, besides what joins the two offices. */
export interface FileExtras {
  readonly interface?: readonly string[];
  readonly allowedIps?: readonly string[];
  readonly peers?: string;
  readonly listenPort?: number;
  /** A name instead of the other's address. */
  readonly endpointHost?: string;
}

/** The file of an office, as an admin writes it. */
export function officeFile(own: ServiceOffice, other: ServiceOffice, extras: FileExtras = {}): string {
  const allowedIps = [`10.99.0.${other.number}/32`, `192.168.${other.number}0.0/24`, ...(extras.allowedIps ?? [])];
  return `[Interface]
PrivateKey = ${own.keys.privateKey}
Address = 10.99.0.${own.number}/24, fd99::${own.number}/64
ListenPort = ${extras.listenPort ?? 51_820}
${(extras.interface ?? []).map((line) => `${line}\n`).join("")}
[Peer]
PublicKey = ${other.keys.publicKey}
Endpoint = ${extras.endpointHost ?? outsideAddress(other)}:51820
AllowedIPs = ${allowedIps.join(", ")}

${extras.peers ?? ""}`;
}

/** A user without any right but to the network; reading the program may take one more, wherever the checkout is. */
const AS_NOBODY = [
  ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all,+net_admin,+dac_read_search"],
  ...["--inh-caps=+net_admin,+dac_read_search", "--ambient-caps=+net_admin,+dac_read_search"],
];

/** Runs `longhaul WORDS` on a gateway to its end. */
export function runLonghaul(
  office: ServiceOffice,
  ...words: (string | { readonly asNobody: true })[]
): Promise<CommandResult> {
  const user = words.some((word) => typeof word !== "string") ? AS_NOBODY : [];
  const args = words.filter((word) => typeof word === "string");
  return office.gateway.try([...user, longhaul.path, ...args], {
    timeoutMs: 60_000,
    env: { PATH: `/run/bin:${process.env["PATH"]}` },
  });
}

/** What longhaul may leave in the system of a host: its interface, rules, routes, filters, files. */
export async function tracesOf(host: Host): Promise<Record<string, string>> {
  const facts = {
    links: "ip -brief link | grep -v '^lo' | grep -v '^lan0@' | grep -v '^eth0@'",
    addresses: "ip -brief address show | grep -E '10\\.99\\.|fd99:'",
    routes: "ip route show table all; ip -6 route show table all",
    rules: "ip rule; ip -6 rule",
    filters: "nft list tables",
    files: "ls -A /run/longhaul /run/wireguard",
  };
  const found: Record<string, string> = {};
  for (const [what, script] of Object.entries(facts)) {
    const { stdout } = await host.try(["sh", "-c", script]);
    found[what] = stdout
      .split("\n")
      .filter((line) => !/^(fe80|multicast|local|broadcast)/.test(line))
      .join("\n");
  }
  return found;
}
