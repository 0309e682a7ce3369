// `ssh -w`: OpenSSH's tunnel, by a server of our own with temporary keys. Ciphers and MTU are its own choice.
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasProgram, type Program, runCommand } from "../../src/demo/command.js";
import type { Host } from "../../src/demo/lab.js";
import { eventually } from "../../test/support/gateway.js";
import { GET_PEERS, INSIDE, type Link, OUTSIDE, startHosts, type Tunnel, versionLine } from "./link.js";

const DEVICE = "tun0";
const PORT = 2_222;
/** sshd starts itself anew for every connection and wants to know where it is. */
const SSHD = "/usr/sbin/sshd";

/** @param directory  temporary, for keys */
export function sshTunnel(directory: string): Tunnel {
  return {
    name: "ssh",
    async missing() {
      const needs = { ssh: "openssh-client", "ssh-keygen": "openssh-client", [SSHD]: "openssh-server" };
      for (const [program, name] of Object.entries(needs)) {
        if (!(await hasProgram(program))) return `${program} is not there: apt install ${name}, or ${GET_PEERS}`;
      }
      return undefined;
    },
    version: () => versionLine("ssh", "-V"),
    async start(add, onLab): Promise<Link> {
      const { lab, left, right } = await startHosts(add, onLab);
      const keys = await mkdtemp(join(directory, "ssh-"));
      for (const name of ["host", "user"]) {
        await runCommand(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", join(keys, name)]);
      }
      await startServer(right, keys);
      const client = startClient(left, keys);
      await waitForDevice(left, client);
      await waitForDevice(right, client);
      await bringUp(left, INSIDE.left, INSIDE.right);
      await bringUp(right, INSIDE.right, INSIDE.left);
      const daemonPids = [client.child.pid!, ...right.processes()];
      return { lab, left, right, device: DEVICE, target: INSIDE.right, daemonPids };
    },
  };
}

async function startServer(host: Host, keys: string): Promise<void> {
  const config = join(keys, "sshd_config");
  const lines = [
    `ListenAddress ${OUTSIDE.right}`,
    `Port ${PORT}`,
    `HostKey ${join(keys, "host")}`,
    `AuthorizedKeysFile ${join(keys, "user.pub")}`,
    "AuthenticationMethods publickey",
    "PermitRootLogin prohibit-password",
    "PermitTunnel point-to-point",
    "StrictModes no",
    "UsePAM no",
    "PidFile none",
  ];
  await writeFile(config, `${lines.join("\n")}\n`);
  await host.run(["mkdir", "-p", "/run/sshd"]);
  const server = host.start([SSHD, "-D", "-e", "-f", config], { input: "" });
  await eventually("sshd listens", () => {
    if (server.child.exitCode !== null) throw new Error(`sshd: ${server.stderr.trim()}`);
    return server.stderr.includes("listening on");
  });
}

function startClient(host: Host, keys: string): Program {
  const settings = {
    IdentityFile: join(keys, "user"),
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    UserKnownHostsFile: "/dev/null",
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "no",
    BatchMode: "yes",
    ExitOnForwardFailure: "yes",
    Tunnel: "point-to-point",
  } as const;
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const words = ["ssh", "-F", "none", "-N", "-p", String(PORT), "-w", "0:0", ...options, `root@${OUTSIDE.right}`];
  return host.start(words, { input: "" });
}

async function waitForDevice(host: Host, client: Program): Promise<void> {
  await eventually(`ssh makes ${DEVICE}`, async () => {
    if (client.child.exitCode !== null) throw new Error(`ssh: ${client.stderr.trim()}`);
    return (await host.try(["ip", "link", "show", DEVICE])).status === 0;
  });
}

async function bringUp(host: Host, own: string, other: string): Promise<void> {
  await host.ip(`address add ${own} peer ${other} dev ${DEVICE}`, `link set ${DEVICE} txqueuelen 1000 up`);
}
