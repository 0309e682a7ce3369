// What a test needs of the machine. A user's machine may lack it: the suite is skipped, loudly. CI may not.
import { spawnSync } from "node:child_process";
import { accessSync, appendFileSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { wireguardGoPath } from "./programs.js";

/** Debian package of each tool that is not part of a minimal system. */
const packageOf: Readonly<Record<string, string>> = {
  wg: "wireguard-tools",
  "wg-quick": "wireguard-tools",
  ping: "iputils-ping",
  iperf3: "iperf3",
  tcpdump: "tcpdump",
  nft: "nftables",
  ip: "iproute2",
  script: "bsdutils",
  lowdown: "lowdown",
  lintian: "lintian",
  mandoc: "mandoc",
  fish: "fish",
  zsh: "zsh",
  debootstrap: "debootstrap",
  "systemd-analyze": "systemd",
  chromium: "chromium",
  promtool: "prometheus",
  "g++": "g++",
  unshare: "util-linux",
  prlimit: "util-linux",
};

/**
 * Checks once, when a test file is read, that namespaces, TUN devices and `tools` are there. `wireguard-go` stands for
 * the peer that interop tests talk to.
 * @returns options for `describe`: `{ skip: true }` when something is missing and this is not CI.
 *   Errors: throws where CI is set, naming what is missing.
 */
export function requireTools(tools: readonly string[]): { skip: boolean } {
  const missing = [...missingPrivileges(), ...tools.map(missingTool)].filter((what) => what !== undefined);
  if (missing.length === 0) return { skip: false };
  const message = `needs ${missing.join("; ")}`;
  if (runsInCi()) throw new Error(`${message}. CI skips nothing: run .ci/run, or .ci/get-peers.sh for the tools.`);
  process.stderr.write(`\n*** SKIPPED: this suite ${message}\n`);
  const log = process.env["LONGHAUL_SKIP_LOG"];
  if (log !== undefined) appendFileSync(log, `${message}\n`);
  return { skip: true };
}

function runsInCi(): boolean {
  return !["", "0", "false"].includes(process.env["CI"] ?? "");
}

function missingTool(name: string): string | undefined {
  if (name === "wireguard-go") {
    return existsSync(wireguardGoPath()) ? undefined : "wireguard-go (.ci/get-peers.sh installs it)";
  }
  const path = `${process.env["PATH"] ?? ""}${delimiter}/usr/sbin${delimiter}/sbin`;
  if (path.split(delimiter).some((directory) => isExecutable(join(directory, name)))) return undefined;
  return `${name} (apt install ${packageOf[name] ?? name})`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

let privileges: string[] | undefined;

function missingPrivileges(): string[] {
  privileges ??= [
    ...(spawnSync("unshare", ["--mount", "--net", "true"]).status === 0 ? [] : ["root, to make network namespaces"]),
    ...(canOpenTun() ? [] : ["/dev/net/tun (modprobe tun, as root)"]),
  ];
  return privileges;
}

function canOpenTun(): boolean {
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
