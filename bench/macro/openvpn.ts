// OpenVPN over UDP, one peer at each end, TLS with certificates made on the spot and pinned by fingerprint. Data cipher
// and MTU are its own choice (AES-256-GCM where the processor has it, 1,500); the queues are long, as its users set them.
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { hasProgram, type Program, runCommand } from "../../src/demo/command.js";
import type { Host } from "../../src/demo/lab.js";
import { GET_PEERS, INSIDE, type Link, OUTSIDE, startHosts, type Tunnel, versionLine } from "./link.js";

const DEVICE = "tun0";
const PORT = "1194";
const QUEUE_PACKETS = "1000";
const SOCKET_BUFFER_BYTES = String(7 << 20);
const START_MS = 20_000;

type Side = "left" | "right";

interface Certificate {
  readonly path: string;
  readonly keyPath: string;
  readonly fingerprint: string;
}

/** @param directory  temporary, for keys */
export function openvpnTunnel(directory: string): Tunnel {
  return {
    name: "openvpn",
    async missing() {
      for (const program of ["openvpn", "openssl"]) {
        if (!(await hasProgram(program))) return `${program} is not there: apt install ${program}, or ${GET_PEERS}`;
      }
      return undefined;
    },
    version: () => versionLine("openvpn", "--version"),
    async start(add, onLab): Promise<Link> {
      const { lab, left, right } = await startHosts(add, onLab);
      const keys = await mkdtemp(join(directory, "openvpn-"));
      const certificates = { left: await makeCertificate(keys, "left"), right: await makeCertificate(keys, "right") };
      const programs = [start(right, "right", certificates), start(left, "left", certificates)];
      for (const program of programs) await program.waitForOutput(/Initialization Sequence Completed/, START_MS);
      const daemonPids = programs.map((program) => program.child.pid!);
      return { lab, left, right, device: DEVICE, target: INSIDE.right, daemonPids };
    },
  };
}

function start(host: Host, side: Side, certificates: Readonly<Record<Side, Certificate>>): Program {
  const other = side === "left" ? "right" : "left";
  const role = side === "left" ? ["--tls-client"] : ["--tls-server", "--dh", "none"];
  const words = [
    ...["--dev", DEVICE, "--proto", "udp4", "--lport", PORT, "--remote", OUTSIDE[other], PORT],
    ...["--ifconfig", INSIDE[side], INSIDE[other], "--cert", certificates[side].path, "--key"],
    ...[certificates[side].keyPath, "--peer-fingerprint", certificates[other].fingerprint, ...role],
    ...["--txqueuelen", QUEUE_PACKETS, "--sndbuf", SOCKET_BUFFER_BYTES, "--rcvbuf", SOCKET_BUFFER_BYTES],
    ...["--fast-io", "--verb", "1"],
  ];
  return host.start(["openvpn", ...words], { input: "" });
}

async function makeCertificate(directory: string, side: Side): Promise<Certificate> {
  const [path, keyPath] = [join(directory, `${side}.crt`), join(directory, `${side}.key`)];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const names = ["-subj", `/CN=${side}`, "-keyout", keyPath, "-out", path];
  await runCommand(["openssl", "req", "-x509", "-batch", ...kind, ...names]);
  return { path, keyPath, fingerprint: new X509Certificate(await readFile(path)).fingerprint256 };
}
