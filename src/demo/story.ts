// The demo itself: two offices joined, a file moved, a third office added to the running two, and everything taken down.
import { randomBytes } from "node:crypto";
import { hasProgram, runCommand } from "./command.js";
import { LONGHAUL, RunningGateway } from "./daemon.js";
import type { Host, Lab } from "./lab.js";
import { buildOffice, CONFIG_PATH, configFile, INTERFACE, type Office, officePlans } from "./offices.js";
import { Reachability } from "./reach.js";
import { formatShow } from "./show.js";
import type { Note, Steps } from "./steps.js";
import { transferFile } from "./transfer.js";

const FILE_BYTES = 64 << 20;
const FILE_PATH = "/run/drawings.tar";
/** Requests sent from Berlin to Lisbon while the third office joins. */
const WATCHED_REQUESTS = 10;

/** What stands once the story is told. */
export interface Scene {
  readonly offices: readonly Office[];
  readonly gateways: readonly RunningGateway[];
}

/** Tells the story. Errors: throws at the first step that does not do what it says. */
export async function tell(steps: Steps, lab: Lab): Promise<Scene> {
  const reachability = await Reachability.detect();
  const offices = await steps.step("Build three offices and an internet between them", (note) => build(lab, note));
  const [berlin, lisbon, oslo] = offices as [Office, Office, Office];
  await steps.step("Without a tunnel the offices do not reach each other", async () => {
    const { received } = await reachability
      .ask(berlin.host, lisbon.host, lisbon.lanHost, 1)
      .catch(() => ({ received: 0 }));
    if (received > 0) throw new Error("Berlin reaches Lisbon before there is a tunnel: the demo would prove nothing");
  });
  const gateways = await steps.step("Start longhaul on the gateways of Berlin and Lisbon", async (note) => {
    note(configFile(berlin, [lisbon]).replace(berlin.privateKey, "(hidden here)").trimEnd());
    return [await RunningGateway.up(berlin, [lisbon]), await RunningGateway.up(lisbon, [berlin])];
  });
  await steps.step(`Berlin and Lisbon reach each other, LAN to LAN, by ${reachability.method}`, async (note) => {
    await expectReach(reachability, berlin, lisbon, note);
    await expectReach(reachability, lisbon, berlin, note);
  });
  await steps.step("Move a file from a host in Berlin to one in Lisbon over TCP", (note) =>
    moveFile(berlin, lisbon, note),
  );
  await steps.step("Add the office in Oslo while the other two keep running", async (note) => {
    gateways.push(await join(reachability, gateways, offices, oslo, note));
  });
  await steps.step("All three offices reach each other, six ways", async (note) => {
    for (const from of offices) {
      for (const to of offices) if (from !== to) await expectReach(reachability, from, to, note);
    }
  });
  const hasWg = await hasProgram("wg");
  await steps.step(
    hasWg ? "wg show, in Berlin" : "What wg show would say in Berlin (wg is not installed here)",
    (note) => show(gateways[0]!, hasWg, note),
  );
  return { offices, gateways };
}

/** Ends every daemon in order and shows that nothing of it stays. */
export async function takeDown(steps: Steps, lab: Lab, scene: Scene): Promise<void> {
  await steps.step("Take everything down", async () => {
    for (const gateway of scene.gateways) await gateway.down();
    await lab.close();
  });
}

async function build(lab: Lab, note: Note): Promise<Office[]> {
  const internet = await lab.addHost("internet");
  await internet.enableForwarding();
  const offices: Office[] = [];
  const keys = await Promise.all(officePlans.map(newKeys));
  for (const [i, plan] of officePlans.entries()) {
    const office = await buildOffice(lab, internet, plan, keys[i]!);
    note(`${office.name}: LAN ${office.lan}, gateway at ${office.publicAddress} on the internet`);
    offices.push(office);
  }
  return offices;
}

/** As an admin makes them: `longhaul genkey | tee private | longhaul pubkey`. */
async function newKeys(): Promise<{ privateKey: string; publicKey: string }> {
  const privateKey = (await runCommand([LONGHAUL, "genkey"])).trim();
  const publicKey = (await runCommand([LONGHAUL, "pubkey"], { input: `${privateKey}\n` })).trim();
  return { privateKey, publicKey };
}

async function expectReach(reachability: Reachability, from: Office, to: Office, note: Note, count = 3): Promise<void> {
  const { sent, received, milliseconds } = await reachability.ask(from.host, to.host, to.lanHost, count);
  const line = `${from.name} ${from.lanHost} → ${to.name} ${to.lanHost}: ${received} of ${sent} answered`;
  note(received === 0 ? line : `${line}, ${milliseconds.toFixed(2)} ms`);
  if (received !== sent) throw new Error(`${line}; expected all of them`);
}

async function moveFile(from: Office, to: Office, note: Note): Promise<void> {
  await from.host.writeFile(FILE_PATH, randomBytes(FILE_BYTES));
  const moved = await transferFile(from.host, to.host, to.lanHost, FILE_PATH);
  if (moved.bytes !== FILE_BYTES) throw new Error(`${moved.bytes} of ${FILE_BYTES} bytes arrived`);
  note(`${moved.bytes >> 20} MiB at ${(moved.bitsPerSecond / 1e6).toFixed(0)} Mbit/s`);
  note(`sha256 ${moved.sentSha256} when sent`);
  note(`       ${moved.receivedSha256} when received`);
}

/** Brings up the new gateway and tells the running ones of it, with traffic between them all the while. */
async function join(
  reachability: Reachability,
  running: readonly RunningGateway[],
  offices: readonly Office[],
  newcomer: Office,
  note: Note,
): Promise<RunningGateway> {
  const [first, second] = offices as [Office, Office];
  const watching = expectReach(reachability, first, second, note, WATCHED_REQUESTS);
  watching.catch(() => {}); // awaited below, when the newcomer is up
  const gateway = await RunningGateway.up(
    newcomer,
    offices.filter((office) => office !== newcomer),
  );
  for (const known of running) await known.addPeer(newcomer);
  await watching;
  for (const known of running) {
    if (!known.isRunning()) throw new Error(`the daemon in ${known.office.name} did not keep running`);
    note(`${known.office.name}: still process ${known.pid}, now ${(await known.snapshot()).peers.length} peers`);
  }
  return gateway;
}

async function show(gateway: RunningGateway, hasWg: boolean, note: Note): Promise<void> {
  const { office } = gateway;
  const device = await gateway.snapshot();
  const own = formatShow(INTERFACE, office.publicKey, device, Date.now());
  device.privateKey?.fill(0);
  note(hasWg ? (await office.gateway.run(["wg", "show"])).trimEnd() : own);
  const silent = device.peers.filter((peer) => peer.lastHandshakeMs === 0 || peer.receivedBytes === 0);
  if (device.peers.length !== 2 || silent.length > 0) throw new Error("a peer is missing or has never answered");
}

/** How to look at a scene that stays. */
export function tour(steps: Steps, lab: Lab, scene: Scene, inUserNamespace: boolean): void {
  const user = inUserNamespace ? "--user --preserve-credentials " : "";
  const enter = (host: Host, command: string): string => `  nsenter -t ${host.pid} ${user}-n -m -r ${command}`;
  const [berlin, lisbon] = scene.offices as [Office, Office];
  steps.say(`
It stays up. Each machine is a pair of namespaces, entered by the pid of the process that holds it.
A host in Berlin pings one in Lisbon:
${enter(berlin.host, `ping ${lisbon.lanHost}`)}
Berlin's gateway, its tunnel and its file:
${enter(berlin.gateway, `ip address show ${INTERFACE}`)}
${enter(berlin.gateway, `cat ${CONFIG_PATH}`)}
${enter(berlin.gateway, "wg show")}        # where wireguard-tools are installed
A shell on it:
${enter(berlin.gateway, "bash")}
Take everything down:
  kill ${lab.guardPid}`);
}
