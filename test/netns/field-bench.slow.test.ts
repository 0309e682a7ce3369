// `longhaul bench` between two offices, each time with another limit planted: it must name that one first.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { EmulatedLab } from "../../bench/longhaul/emulated-lab.js";
import { type DirectionSetting, linkSetting } from "../../bench/longhaul/setting.js";
import { root } from "../../bench/support/root.js";
import type { Survey } from "../../src/field/survey.js";
import type { Finding } from "../../src/field/verdict.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";

const LINE: Partial<DirectionSetting> = { rateMbps: 200, delayMs: 20, queueMs: 60 };
const labs: EmulatedLab[] = [];

async function offices(setting: Partial<DirectionSetting> = {}): Promise<Pair> {
  const lab = new EmulatedLab(linkSetting({ ...LINE, ...setting }), 1);
  labs.push(lab);
  const pair = await startPair({ programs: [longhaul, longhaul], lab });
  for (const { host } of [pair.left, pair.right]) {
    for (const knob of ["tcp_rmem", "tcp_wmem"]) await host.sysctl(`ipv4/${knob}`, "4096 131072 67108864");
  }
  return pair;
}

type Answer = Survey & { readonly findings: readonly Finding[] };

async function bench({ left, right }: Pair, ...words: string[]): Promise<Answer> {
  const server = right.host.start([longhaul.path, "bench", "--serve"], { input: "" });
  try {
    await expect.poll(() => server.stderr, { timeout: 10_000 }).toContain("serves at 10.9.0.2");
    const argv = [longhaul.path, "bench", "10.9.0.2", "--json", "--seconds", "2", "--streams", "4", ...words];
    return JSON.parse(await left.host.run(argv, { timeoutMs: 180_000 })) as Answer;
  } finally {
    await server.stop("SIGTERM");
  }
}

/** The daemon's UDP sockets get the smallest receive buffer that there is. */
async function shrinkSocketBuffer(pid: number): Promise<void> {
  const program = `
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
process = os.pidfd_open(${pid})
for fd in os.listdir("/proc/${pid}/fd"):
    if not os.readlink("/proc/${pid}/fd/" + fd).startswith("socket:"): continue
    copy = libc.syscall(438, process, int(fd), 0)
    taken = socket.socket(fileno=copy)
    if taken.type == socket.SOCK_DGRAM: taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
`;
  await promisify(execFile)("python3", ["-c", program]);
}

describe("longhaul bench", requireTools(["ip", "wg", "ping", "iperf3"]), () => {
  beforeAll(() =>
    promisify(execFile)(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.bench.json"],
      {
        cwd: root,
      },
    ),
  );
  afterEach(async () => {
    for (const lab of labs.splice(0)) await lab.close();
  });

  test("nothing planted: the line", async () => {
    const pair = await offices();
    const answer = await bench(pair);
    expect(answer.findings[0]).toMatchObject({ limit: "line" });
    expect(answer.roundTripMs).toBeGreaterThanOrEqual(40);
    expect(answer.forward!.manyStreams).toBeGreaterThan(50e6);
    expect(answer.far).not.toBeNull();
  });

  test("small TCP buffers at the receiver", async () => {
    const pair = await offices();
    await pair.right.host.sysctl("ipv4/tcp_rmem", "4096 65536 262144");
    const [first] = (await bench(pair)).findings;
    expect(first).toMatchObject({ limit: "tcp-receive-buffer", host: expect.stringContaining("(there)") });
    expect(first!.command).toMatch(/^sysctl -w net\.ipv4\.tcp_rmem="4096 131072 \d+"$/);
  });

  test("small TCP buffers at the sender", async () => {
    const pair = await offices();
    await pair.left.host.sysctl("ipv4/tcp_wmem", "4096 16384 131072");
    const [first] = (await bench(pair)).findings;
    expect(first).toMatchObject({ limit: "tcp-send-buffer", host: expect.stringContaining("(here)") });
  });

  test("a small socket buffer", async () => {
    const pair = await offices();
    await shrinkSocketBuffer(pair.right.daemonPids[0]!);
    const [first] = (await bench(pair)).findings;
    expect(first).toMatchObject({ limit: "socket-buffer", host: expect.stringContaining("(there)") });
    expect(first!.command).toContain("net.core.rmem_max");
  });

  test("a processor that others take", async () => {
    const pair = await offices({ rateMbps: 5_000, delayMs: 2 }); // more than a third of a core can do
    const spin = ["taskset", "-c", "0", "sh", "-c", "while :; do :; done"];
    for (let i = 0; i < 2; i++) pair.right.host.start(spin, { input: "" });
    await pair.right.host.run(["taskset", "-a", "-c", "-p", "0", String(pair.right.daemonPids[0])]);
    const { findings } = await bench(pair);
    expect(findings[0]).toMatchObject({ limit: "daemon-starved" });
    // Both offices are on this machine's processors: the other may be short of them too.
    const there = findings.find(({ limit, host }) => limit === "daemon-starved" && host.endsWith("(there)"));
    expect(there?.command).toContain("CPUWeight");
  });

  test("1 % loss on the path", async () => {
    const [first] = (await bench(await offices({ lossPercent: 1 }))).findings;
    expect(first).toMatchObject({ limit: "path-loss" });
    expect(first!.sentence).toContain("outside both hosts");
  });

  test("a path that swallows long packets", async () => {
    const [first] = (await bench(await offices({ mtu: 1_400 }))).findings;
    expect(first).toMatchObject({ limit: "mtu-black-hole", host: "both hosts" });
    const mtu = Number(/mtu (\d+)$/.exec(first!.command!)?.[1]);
    expect(mtu).toBeGreaterThan(1_300); // 1,400 less 60 for WireGuard over IPv4, less padding
    expect(mtu).toBeLessThanOrEqual(1_340);
  });
});
