// What is soaked: a hub that runs as a service from its file, and three gateways around it. A roams, B changes its port, and C is
// somebody else every time. All of them are longhaul.

import { join } from "node:path";
import type { Host } from "../../src/demo/lab.js";
import { Lab } from "../../src/demo/lab.js";
import { Gateway } from "../../test/support/gateway.js";
import { type KeyPair, newKeyPair } from "../../test/support/keys.js";
import type { DaemonProgram } from "../../test/support/programs.js";
import { root } from "../support/root.js";

const PROGRAM = join(root, "bin/longhaul");
/**
 * A heap that is small enough to be collected every few minutes: with the usual one an hour passes without a collection of what is
 * old, and nobody could tell a leak from garbage. What leaks ends a daemon here.
 */
const SMALL_HEAP = { NODE_OPTIONS: "--max-old-space-size=18" };
const FILE = "/run/wg0.conf";
export const HUB_ADDRESS = "10.9.0.1";
const SPOKES = ["a", "b", "c"] as const;
export type Spoke = (typeof SPOKES)[number];

/** A daemon under watch. */
export interface Watched {
  readonly name: string;
  readonly host: Host;
  readonly pid: number;
}

export interface SoakSite {
  readonly lab: Lab;
  readonly hub: Host;
  readonly spokes: Readonly<Record<Spoke, Gateway>>;
  readonly daemons: readonly Watched[];
  /** Puts the hub's file on disk, with the keys that the spokes have now; `keepaliveS` makes it another file. */
  writeFile(keepaliveS: number): Promise<void>;
  /** C's key is another one from now on; the hub does not know yet. */
  renameC(): Promise<void>;
}

/** @param add  told of the lab at once, so that it goes whatever happens */
export async function startSoakSite(add: (lab: Lab) => void): Promise<SoakSite> {
  const lab = new Lab();
  add(lab);
  const hub = await lab.addHost("hub");
  const keys = newKeyPair();
  const program: DaemonProgram = { name: "longhaul", path: PROGRAM, options: ["--metrics", "off"], env: SMALL_HEAP };
  const gateways: Partial<Record<Spoke, Gateway>> = {};
  for (const [i, name] of SPOKES.entries()) {
    const host = await lab.addHost(name);
    await lab.connect(
      { host: hub, name: `eth${i}`, addresses: [`192.0.${i + 2}.1/24`] },
      { host, name: "eth0", addresses: [`192.0.${i + 2}.2/24`] },
    );
    const gateway = await Gateway.start(host, { program, addresses: [`10.9.0.${i + 2}/24`] });
    await gateway.addPeer({
      publicKey: keys.publicKey,
      allowedIps: ["10.9.0.0/24"],
      endpoint: `192.0.${i + 2}.1:51820`,
      persistentKeepaliveS: 5,
    });
    gateways[name] = gateway;
  }
  const spokes = gateways as Record<Spoke, Gateway>;
  let cKeys: KeyPair = spokes.c.keys;
  const writeFile = (keepaliveS: number): Promise<void> =>
    hub.writeFile(FILE, hubFile(keys, [spokes.a.keys, spokes.b.keys, cKeys], keepaliveS));
  await writeFile(25);
  await hub.enableForwarding();
  const before = new Set(hub.processes());
  await hub.run([PROGRAM, "up", FILE], { timeoutMs: 60_000, env: SMALL_HEAP });
  const [pid] = hub.processes().filter((one) => !before.has(one));
  const spokeDaemons = SPOKES.map((name) => ({ name, host: spokes[name].host, pid: spokes[name].daemonPids[0]! }));
  return {
    lab,
    hub,
    spokes,
    daemons: [{ name: "hub", host: hub, pid: pid! }, ...spokeDaemons],
    writeFile,
    renameC: async () => {
      cKeys = newKeyPair();
      await spokes.c.host.writeFile("/run/secret", cKeys.privateKey);
      await spokes.c.set("private-key", "/run/secret");
    },
  };
}

function hubFile(keys: KeyPair, peers: readonly KeyPair[], keepaliveS: number): string {
  const sections = peers.map(
    ({ publicKey }, i) =>
      `[Peer]\n# friendly_name = ${SPOKES[i]}\nPublicKey = ${publicKey}\nAllowedIPs = 10.9.0.${i + 2}/32\n` +
      `PersistentKeepalive = ${keepaliveS}\n`,
  );
  const own = `[Interface]\nPrivateKey = ${keys.privateKey}\nAddress = ${HUB_ADDRESS}/24\nListenPort = 51820\n`;
  return `${own}\n${sections.join("\n")}\n[Daemon]\nMetrics = off\n`;
}
