// A gateway with three peers, for those who watch: Lisbon behind a relay that can lose datagrams, Berlin on a cable of its own, and
// Oslo, where nobody is. The watched gateway runs as a service from a file with names and metrics.
import type { Program } from "../../src/demo/command.js";
import { type Host, Lab } from "../../src/demo/lab.js";
import { eventually, Gateway } from "./gateway.js";
import { type KeyPair, newKeyPair } from "./keys.js";
import { longhaul } from "./programs.js";
import { Wire } from "./wire.js";

export const METRICS_PORT = 9_586;
const RELAY_PORT = 4_000;
const FILE = "/run/wg0.conf";

export interface WatchedSite {
  readonly lab: Lab;
  /** The watched gateway: interface wg0, 10.9.0.1. */
  readonly hub: Host;
  /** 10.9.0.2, behind the relay, whose side "left" is the hub; its metrics are on all its addresses. */
  readonly lisbon: Gateway;
  /** 10.9.0.3. */
  readonly berlin: Gateway;
  readonly wire: Wire;
  readonly keys: { readonly hub: KeyPair; readonly oslo: KeyPair };
}

export async function startWatchedSite(): Promise<WatchedSite> {
  const lab = new Lab();
  try {
    return await build(lab);
  } catch (error) {
    await lab.close();
    throw error;
  }
}

async function build(lab: Lab): Promise<WatchedSite> {
  const [hub, relay, far, near] = [
    await lab.addHost("hub"),
    await lab.addHost("relay"),
    await lab.addHost("lisbon"),
    await lab.addHost("berlin"),
  ];
  const join = (left: Host, leftName: string, right: Host, rightName: string, net: string): Promise<void> =>
    lab.connect(
      { host: left, name: leftName, addresses: [`${net}.1/24`] },
      { host: right, name: rightName, addresses: [`${net}.2/24`] },
    );
  await join(hub, "eth0", relay, "left", "192.0.2");
  await join(far, "eth0", relay, "right", "198.51.100");
  await join(hub, "eth1", near, "eth0", "203.0.113");
  const metered = { ...longhaul, options: ["--metrics", `0.0.0.0:${METRICS_PORT}`] };
  const lisbon = await Gateway.start(far, { program: metered, addresses: ["10.9.0.2/24"] });
  const berlin = await Gateway.start(near, { program: longhaul, addresses: ["10.9.0.3/24"] });
  const keys = { hub: newKeyPair(), oslo: newKeyPair() };
  const wire = await Wire.start(relay, {
    left: { address: "192.0.2.2", port: RELAY_PORT, gateway: { address: "192.0.2.1", port: 51_820 } },
    right: { address: "198.51.100.2", port: RELAY_PORT, gateway: { address: "198.51.100.1", port: 51_820 } },
  });
  for (const gateway of [lisbon, berlin]) {
    await gateway.addPeer({ publicKey: keys.hub.publicKey, allowedIps: ["10.9.0.1/32"] });
  }
  await hub.writeFile(FILE, file(keys, lisbon, berlin));
  await hub.run([longhaul.path, "up", FILE], { timeoutMs: 60_000 });
  return { lab, hub, lisbon, berlin, wire, keys };
}

function file(keys: WatchedSite["keys"], lisbon: Gateway, berlin: Gateway): string {
  const peer = (name: string, publicKey: string, number: number, endpoint: string): string => `
[Peer]
# friendly_name = ${name}
PublicKey = ${publicKey}
AllowedIPs = 10.9.0.${number}/32, 192.168.${number}.0/24
Endpoint = ${endpoint}
PersistentKeepalive = 5
`;
  return `[Interface]
PrivateKey = ${keys.hub.privateKey}
Address = 10.9.0.1/24
ListenPort = 51820
${peer("Lisbon", lisbon.keys.publicKey, 2, `192.0.2.2:${RELAY_PORT}`)}
${peer("Berlin", berlin.keys.publicKey, 3, "203.0.113.2:51820")}
${peer("Oslo", keys.oslo.publicKey, 4, "203.0.113.77:51820")}
[Daemon]
Metrics = 0.0.0.0:${METRICS_PORT}
`;
}

/** Small packets both ways, several hundred a second, until it is stopped. */
export function startChatter(from: Host, address: string): Program {
  return from.start(["ping", "-n", "-q", "-i", "0.004", "-s", "600", address], { input: "" });
}

const READ = `
require("node:http").get({ host: "127.0.0.1", port: ${METRICS_PORT}, path: process.argv[1], agent: false }, (response) => response.pipe(process.stdout));`;

/** @returns what the host's own daemon answers */
export function readMetrics(host: Host, path = "/metrics"): Promise<string> {
  return host.run([process.execPath, "-e", READ, path]);
}

/** Waits until the hub has shaken hands with both that are there. */
export async function untilJoined(site: WatchedSite): Promise<void> {
  await eventually(
    "two peers are up",
    async () =>
      ((await readMetrics(site.hub)).match(/^wireguard_latest_handshake_seconds\{.*} [1-9]/gm) ?? []).length === 2,
    30_000,
  );
}
