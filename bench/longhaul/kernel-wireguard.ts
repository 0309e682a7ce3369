// The kernel's own WireGuard, where the kernel has it. Its work is done by kernel threads, whose time nobody accounts.
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasProgram, tryCommand } from "../../src/demo/command.js";
import { INTERFACE } from "../../test/support/gateway.js";
import { startPair } from "../../test/support/site.js";
import { GET_PEERS, type Tunnel, versionLine } from "../macro/link.js";

/** @param directory  for a start script, temporary */
export function kernelWireguardTunnel(directory: string): Tunnel {
  const name = "wireguard-kernel";
  return {
    name,
    async missing() {
      if (!(await hasProgram("wg"))) return `wg is not there: apt install wireguard-tools, or ${GET_PEERS}`;
      const probe = await tryCommand(["unshare", "--net", "ip", "link", "add", "wg0", "type", "wireguard"]);
      return probe.status === 0 ? undefined : "this kernel has no wireguard module (modprobe wireguard)";
    },
    version: () => versionLine("uname", "-r"),
    async start(add, onLab) {
      const path = join(directory, `start-${name}`);
      await writeFile(path, '#!/bin/sh\nexec ip link add "$1" type wireguard\n');
      await chmod(path, 0o700);
      const program = { name, path };
      const { lab, left, right } = await startPair({ programs: [program, program], ...(onLab && { lab: onLab }) });
      add(lab);
      return { lab, left: left.host, right: right.host, device: INTERFACE, target: right.address(), daemonPids: [] };
    },
  };
}
