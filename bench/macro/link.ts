// Two hosts that reach each other through the tunnel under measurement, or straight over the cable.
import { tryCommand } from "../../src/demo/command.js";
import { type Host, Lab } from "../../src/demo/lab.js";

/** One tunnel, up, in namespaces of its own. An idle one costs its neighbours nothing. */
export interface Link {
  readonly lab: Lab;
  readonly left: Host;
  readonly right: Host;
  /** Interface that the traffic goes through, the same name at both ends. */
  readonly device: string;
  /** Address of the right host inside the tunnel. */
  readonly target: string;
  /** Processes that carry the traffic, both ends; none without a tunnel. */
  readonly daemonPids: readonly number[];
}

/** A tunnel that can be measured. */
export interface Tunnel {
  readonly name: string;
  /** @returns why it cannot run here and how to get it, or undefined. */
  missing(): Promise<string | undefined>;
  version(): Promise<string>;
  /**
   * Starts both ends anew. `add` is told of the lab at once, so that it goes whatever happens.
   * @param lab  empty, whose cables are to be used; left out, a new one with cables that do nothing to packets
   */
  start(add: (lab: Lab) => void, lab?: Lab): Promise<Link>;
}

export const OUTSIDE = { left: "192.0.2.1", right: "192.0.2.2" } as const;
export const INSIDE = { left: "10.9.0.1", right: "10.9.0.2" } as const;
export const GET_PEERS = "run .ci/get-peers.sh";

/** Two hosts on one cable `eth0`, MTU 1,500. */
export async function startHosts(
  add: (lab: Lab) => void,
  lab: Lab = new Lab(),
): Promise<{ lab: Lab; left: Host; right: Host }> {
  add(lab);
  const [left, right] = [await lab.addHost("left"), await lab.addHost("right")];
  await lab.connect(
    { host: left, name: "eth0", addresses: [`${OUTSIDE.left}/24`] },
    { host: right, name: "eth0", addresses: [`${OUTSIDE.right}/24`] },
  );
  return { lab, left, right };
}

/** Waits until a ping through the link is answered. Errors: throws when none is within ten seconds. */
export async function waitUntilUp(link: Link): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const { status } = await link.left.try(["ping", "-n", "-c", "1", "-W", "0.5", link.target]);
    if (status === 0) return;
  }
  throw new Error(`nothing comes through ${link.device}`);
}

/** Waits until what the last load left in queues has gone: pings come back in time. Gives up after ten attempts. */
export async function waitUntilQuiet(link: Link): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const { stdout } = await link.left.try(["ping", "-n", "-q", "-c", "3", "-i", "0.05", "-W", "0.5", link.target]);
    if (/ 0% packet loss/.test(stdout) && Number(stdout.match(/= [\d.]+\/[\d.]+\/([\d.]+)\//)?.[1]) < 500) return;
  }
}

/** @returns first line of what a program says of its version, on either output. */
export async function versionLine(...argv: string[]): Promise<string> {
  const { stdout, stderr } = await tryCommand(argv);
  return `${stdout}\n${stderr}`.trim().split("\n")[0]!;
}
