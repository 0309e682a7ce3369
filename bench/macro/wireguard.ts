// longhaul, wireguard-go and no tunnel at all. The WireGuards are configured by wg(8), exactly alike.
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasProgram } from "../../src/demo/command.js";
import type { Lab } from "../../src/demo/lab.js";
import { INTERFACE } from "../../test/support/gateway.js";
import { type DaemonProgram, wireguardGoPath } from "../../test/support/programs.js";
import { startPair } from "../../test/support/site.js";
import { describeCommit } from "../support/machine.js";
import { GET_PEERS, type Link, OUTSIDE, startHosts, type Tunnel, versionLine } from "./link.js";

/** The longhaul that was built in `tree`, started with `options`. @param directory  for a start script, temporary */
export async function longhaulTunnel(
  name: string,
  tree: string,
  options: readonly string[],
  directory: string,
): Promise<Tunnel> {
  const path = join(directory, `start-${name}`);
  await writeFile(path, `#!/bin/sh\nexec ${[join(tree, "bin/longhaul"), ...options].map(quoted).join(" ")} "$@"\n`);
  await chmod(path, 0o700);
  return {
    ...wireguard({ name, path }),
    missing: missingWg,
    version: async () => {
      const { hash, dirty } = await describeCommit(tree);
      return `${hash}${dirty ? " and changes" : ""}${options.length === 0 ? "" : ` ${options.join(" ")}`}`;
    },
  };
}

/** The newest wireguard-go that is here. */
export function wireguardGoTunnel(): Tunnel {
  const path = wireguardGoPath();
  return {
    ...wireguard({ name: "wireguard-go", path }),
    missing: async () => ((await hasProgram(path)) ? missingWg() : `${path} is not there: ${GET_PEERS}`),
    version: () => versionLine(path, "--version"),
  };
}

/** The bare cable: what the tools and the kernel can do here at most. */
export const noTunnel: Tunnel = {
  name: "none",
  missing: async () => undefined,
  version: async () => "veth",
  async start(add: (lab: Lab) => void, lab?: Lab): Promise<Link> {
    return { ...(await startHosts(add, lab)), device: "eth0", target: OUTSIDE.right, daemonPids: [] };
  },
};

function wireguard(program: DaemonProgram): Pick<Tunnel, "name" | "start"> {
  return {
    name: program.name,
    async start(add, onLab) {
      const { lab, left, right } = await startPair({ programs: [program, program], ...(onLab && { lab: onLab }) });
      add(lab);
      const daemonPids = [...left.daemonPids, ...right.daemonPids];
      if (daemonPids.length === 0) throw new Error(`${program.name} has ended: ${await left.log()}`);
      return { lab, left: left.host, right: right.host, device: INTERFACE, target: right.address(), daemonPids };
    },
  };
}

async function missingWg(): Promise<string | undefined> {
  return (await hasProgram("wg")) ? undefined : `wg is not there: apt install wireguard-tools, or ${GET_PEERS}`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
