// Every tunnel that can be measured, in the order of the tables.
import { root } from "../support/root.js";
import type { Tunnel } from "./link.js";
import { openvpnTunnel } from "./openvpn.js";
import { sshTunnel } from "./ssh.js";
import { longhaulTunnel, noTunnel, wireguardGoTunnel } from "./wireguard.js";

export const tunnelNames = ["longhaul", "wireguard-go", "openvpn", "ssh", "none"] as const;

/** @param aead  for longhaul. @param directory  temporary, for what the tunnels need on disk */
export async function makeTunnels(
  names: readonly string[],
  aead: string | undefined,
  directory: string,
): Promise<Tunnel[]> {
  const all = [
    await longhaulTunnel("longhaul", root, aead === undefined ? [] : ["--aead", aead], directory),
    wireguardGoTunnel(),
    openvpnTunnel(directory),
    sshTunnel(directory),
    noTunnel,
  ];
  return all.filter((tunnel) => names.includes(tunnel.name));
}
