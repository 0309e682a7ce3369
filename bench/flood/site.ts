// Two gateways with a tunnel between them, and on cables of their own at the right one a host that floods it and a host with peers
// that have never shaken hands.
import { join } from "node:path";
import { type Host, Lab } from "../../src/demo/lab.js";
import { INTERFACE } from "../../test/support/gateway.js";
import { type KeyPair, newKeyPair } from "../../test/support/keys.js";
import type { DaemonProgram } from "../../test/support/programs.js";
import { introduce, startStrangers } from "../../test/support/site.js";
import type { Link } from "../macro/link.js";
import { root } from "../support/root.js";
import type { FloodMaterial, FloodName } from "./datagrams.js";
import type { NewcomersOrder, NewcomersReport } from "./newcomers-main.js";
import type { FloodOrder } from "./sender-main.js";

export interface FloodSite {
  /** The established peers; the right one is flooded. */
  readonly link: Link;
  /** The daemon that is flooded. */
  readonly pid: number;
  readonly flooder: Host;
  readonly newcomers: Host;
  readonly keys: readonly KeyPair[];
  readonly material: FloodMaterial;
  /** Where it listens. */
  readonly port: number;
}

export interface FloodReport {
  readonly sent: number;
  readonly seconds: number;
}

/** A running flood, or running handshakes. */
export interface Started<Report> {
  /** Lets it go. */
  go(): void;
  readonly report: Promise<Report>;
}

const FLOODED = { 4: [203, 0, 113, 1], 6: [0x20, 1, 0x0d, 0xb8, 0, 0xf, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] } as const;
const NEWCOMERS_GATEWAY = "198.51.100.1";
const NOBODY_PORT = 9;
const CAPTURE_MS = 10_000;
const START_MS = 20_000;

/** @param newcomers  peers that the right gateway knows and that nobody has heard of */
export async function startFloodSite(
  program: DaemonProgram,
  newcomers: number,
  add: (lab: Lab) => void,
): Promise<FloodSite> {
  const lab = new Lab();
  add(lab);
  const pair = await startStrangers({ programs: [program, program], lab });
  const { left, right } = pair;
  const [flooder, newcomersHost] = [await lab.addHost("flooder"), await lab.addHost("newcomers")];
  await joinFlooder(lab, right.host, flooder);
  await lab.connect(
    { host: right.host, name: "eth2", addresses: [`${NEWCOMERS_GATEWAY}/24`] },
    { host: newcomersHost, name: "eth0", addresses: ["198.51.100.2/24"] },
  );
  const keys = Array.from({ length: newcomers }, newKeyPair);
  await right.host.writeFile("/run/peers.conf", keys.map((key) => `[Peer]\nPublicKey = ${key.publicKey}\n`).join("\n"));
  await right.host.run(["wg", "addconf", INTERFACE, "/run/peers.conf"]);
  const initiation = startCapture(right.host, 1);
  await initiation.ready;
  await introduce(pair, {});
  const link: Link = {
    lab,
    left: left.host,
    right: right.host,
    device: INTERFACE,
    target: right.address(),
    daemonPids: [...left.daemonPids, ...right.daemonPids],
  };
  await left.host.try(["ping", "-n", "-c", "1", "-W", "5", link.target]);
  const data = startCapture(right.host, 4);
  await data.ready;
  await left.host.run(["ping", "-n", "-c", "2", "-i", "0.1", "-W", "5", link.target]);
  return {
    link,
    pid: right.daemonPids[0]!,
    flooder,
    newcomers: newcomersHost,
    keys,
    material: {
      publicKey: right.keys.publicKey,
      initiation: (await initiation.datagram).toString("hex"),
      receiverIndex: (await data.datagram).readUInt32LE(4),
    },
    port: right.listenPort,
  };
}

/** Every address of 198.18.0.0/15 and 2001:db8:1::/48 is the flooder's, and what is sent back to them goes there. */
async function joinFlooder(lab: Lab, right: Host, flooder: Host): Promise<void> {
  await lab.connect(
    { host: right, name: "eth1", addresses: ["203.0.113.1/24", "2001:db8:f::1/64"] },
    { host: flooder, name: "eth0", addresses: ["203.0.113.2/24", "2001:db8:f::2/64"] },
  );
  await right.ip("route add 198.18.0.0/15 via 203.0.113.2", "route add 2001:db8:1::/48 via 2001:db8:f::2");
  await flooder.ip("route add local 198.18.0.0/15 dev lo", "route add local 2001:db8:1::/48 dev lo");
  await flooder.sysctl("ipv6/ip_nonlocal_bind", 1);
}

/** Waits for the first message of a type from the left gateway. */
function startCapture(host: Host, type: number): { ready: Promise<unknown>; datagram: Promise<Buffer> } {
  const filter = `udp dst port 51820 and src host 192.0.2.1 and udp[8] = ${type}`;
  const tcpdump = host.start(["tcpdump", "-n", "-i", "eth0", "-c", "1", "-x", "-l", filter], { input: "" });
  const listening = async (): Promise<void> => {
    for (let i = 0; i < CAPTURE_MS / 10 && !/listening on/.test(tcpdump.stderr); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const datagram = async (): Promise<Buffer> => {
    await tcpdump.exited;
    const hex = [...tcpdump.stdout.matchAll(/^\s+0x[0-9a-f]+:\s+([0-9a-f ]+)$/gm)].map(([, words]) => words).join("");
    const packet = Buffer.from(hex.replaceAll(" ", ""), "hex");
    if (packet.length < IP_AND_UDP_BYTES + 16) throw new Error(`nothing to flood with was seen: ${tcpdump.stderr}`);
    return packet.subarray(IP_AND_UDP_BYTES);
  };
  return { ready: listening(), datagram: datagram() };
}

const IP_AND_UDP_BYTES = 28;

/** Starts the flooder; it waits until it is told to go. */
export async function startFlood(
  site: FloodSite,
  flood: FloodName,
  rate: number,
  seconds: number,
): Promise<Started<FloodReport>> {
  const family = flood === "initiations6" ? 6 : 4;
  const port = flood === "elsewhere" ? NOBODY_PORT : site.port;
  const order: FloodOrder = { flood, rate, seconds, family, target: FLOODED[family], port, material: site.material };
  return startProgram(site.flooder, "sender-main.js", order, seconds);
}

/** Starts peers that shake hands for the first time; they wait until they are told to go. */
export async function startNewcomers(
  site: FloodSite,
  keys: readonly KeyPair[],
  rate: number,
  seconds: number,
): Promise<Started<NewcomersReport>> {
  const order: NewcomersOrder = {
    privateKeys: keys.map((key) => key.privateKey),
    publicKey: site.material.publicKey,
    address: NEWCOMERS_GATEWAY,
    port: site.port,
    rate,
    seconds,
  };
  return startProgram(site.newcomers, "newcomers-main.js", order, seconds);
}

async function startProgram<Report>(
  host: Host,
  name: string,
  order: object,
  seconds: number,
): Promise<Started<Report>> {
  const path = join(root, "dist-bench/bench/flood", name);
  const program = host.start([process.execPath, path, JSON.stringify(order)]);
  await program.waitForOutput(/^ready$/m, START_MS);
  const report = program
    .waitForOutput(/^(\{.*\})$/m, START_MS + seconds * 2_000)
    .then(([, json]) => JSON.parse(json!) as Report);
  report.catch(() => {}); // whoever awaits it is told
  return { go: () => void program.child.stdin!.end("go\n"), report };
}
