// Where the daemons under test are. LONGHAUL_BIN and WIREGUARD_GO point elsewhere, for instance at a released version.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A WireGuard daemon that is started as `PROGRAM INTERFACE`. */
export interface DaemonProgram {
  readonly name: string;
  readonly path: string;
  /** Options before the interface name. */
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The daemon of this repository. */
export const longhaul: DaemonProgram = {
  name: "longhaul",
  path: process.env["LONGHAUL_BIN"] ?? fileURLToPath(new URL("../../bin/longhaul", import.meta.url)),
};

/** The implementation that interop tests talk to. */
export const wireguardGo: DaemonProgram = { name: "wireguard-go", path: wireguardGoPath() };

/** Where wireguard-go is, or would be: WIREGUARD_GO, what .ci/get-peers.sh installs, or the system's. */
export function wireguardGoPath(): string {
  const places = ["/opt/peers/wireguard-go", "/usr/bin/wireguard-go", "/usr/local/bin/wireguard-go"];
  return process.env["WIREGUARD_GO"] ?? places.find((path) => existsSync(path)) ?? places[0]!;
}
