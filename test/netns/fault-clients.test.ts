// Clients that misuse the sockets of a real daemon: that never read, never finish, come by the hundred, or take the last descriptor.
// The tunnel goes on, others are served, and memory stays bounded. docs/faults.md has the table.
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Program } from "../../src/demo/command.js";
import { eventually } from "../support/gateway.js";
import { newKeyPair } from "../support/keys.js";
import { everythingIsAccountedFor, status } from "../support/ledger.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";
import { dialUapi } from "../support/uapi-socket.js";
import { METRICS_PORT, readMetrics } from "../support/watched-site.js";

const served = {
  ...longhaul,
  options: ["--metrics", `127.0.0.1:${METRICS_PORT}`],
  env: { LOG_LEVEL: "info" },
};
/** Enough peers for an answer that no socket buffer takes whole. */
const PEERS = 2_000;
/** Connections that a socket of the daemon keeps. */
const CLIENTS_MAX = 64;
/** A descriptor or two more than the daemon has, which the next client takes. */
const SPARE = 3;

/** Connects so many times to the metrics and asks, or asks nothing, and never reads. */
const HTTP_CLIENTS = `
const net = require("node:net");
const [count, request] = [Number(process.argv[1]), process.argv[2]];
let open = 0;
for (let i = 0; i < count; i++) {
  const socket = net.connect(${METRICS_PORT}, "127.0.0.1", () => {
    socket.pause();
    if (request !== "") socket.write(request);
    if (++open === count) console.log("open");
  });
  socket.on("error", () => {});
}
setInterval(() => {}, 1e6);
`;
const SCRAPE = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

describe("clients", requireTools(["ip", "wg", "ping", "prlimit"]), () => {
  let pair: Pair;
  let pid: number;
  const sockets: Socket[] = [];
  const programs: Program[] = [];
  beforeAll(async () => {
    pair = await startPair({ programs: [served, longhaul] });
    pid = pair.left.daemonPids[0]!;
    const peers = Array.from({ length: PEERS }, () => `[Peer]\nPublicKey = ${newKeyPair().publicKey}\n`);
    await pair.left.host.writeFile("/run/peers.conf", peers.join("\n"));
    await pair.left.host.run(["wg", "addconf", "wg0", "/run/peers.conf"]);
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const program of programs.splice(0)) await program.stop("SIGKILL");
    await eventually("their descriptors are free again", () => openFds() <= fdsBefore + 1);
    await everythingIsAccountedFor(pair.left);
  });
  afterAll(() => pair?.lab.close());

  let fdsBefore = Number.POSITIVE_INFINITY;
  const openFds = (): number => readdirSync(`/proc/${pid}/fd`).length;
  const rssBytes = (): number =>
    Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1_024;
  const tunnelWorks = async (): Promise<void> =>
    expect(await ping(pair.left.host, pair.right.address(), { count: 20, intervalS: 0.02 })).toBe(20);
  const wgIsServed = async (): Promise<void> => {
    expect((await pair.left.host.run(["wg", "show", "wg0", "peers"])).trim().split("\n")).toHaveLength(PEERS + 1);
  };
  const linesOf = async (text: string): Promise<number> =>
    (await pair.left.log()).split("\n").filter((line) => line.includes(text)).length;

  async function connectUapi(count: number, bytes: string | Buffer): Promise<void> {
    for (let i = 0; i < count; i++) {
      const socket = await dialUapi(pair.left.host);
      socket.on("error", () => {}).pause();
      socket.write(bytes);
      sockets.push(socket);
    }
  }

  async function connectHttp(count: number, request: string): Promise<void> {
    const program = pair.left.host.start([process.execPath, "-e", HTTP_CLIENTS, String(count), request]);
    programs.push(program);
    await program.waitForOutput(/open/);
  }

  /** Memory and descriptors do not grow by more, and the tunnel and other clients notice nothing, while `work` does what it does. */
  async function harmless(growthBytesMax: number, work: () => Promise<void>): Promise<void> {
    fdsBefore = openFds();
    await wgIsServed();
    await readMetrics(pair.left.host);
    const before = rssBytes();
    await work();
    await tunnelWorks();
    await wgIsServed();
    await eventually("a scraper is served", async () => {
      return (await readMetrics(pair.left.host)).includes("wireguard_sent_bytes_total{");
    });
    // those that came before the scraper have been accepted before it
    expect(openFds() - fdsBefore).toBeLessThanOrEqual(CLIENTS_MAX);
    expect(rssBytes() - before).toBeLessThan(growthBytesMax);
  }

  test("a UAPI client that asks for ever and never reads", async () => {
    const asked = "get=1\n\n".repeat(100_000);
    await harmless(64e6, () => connectUapi(4, asked));
    expect(sockets.every((socket) => socket.bytesRead < 1_000_000)).toBe(true);
  });

  test("UAPI clients with half a line, half a set, and a line without an end", async () => {
    await harmless(32e6, async () => {
      await connectUapi(10, "ge");
      await connectUapi(10, `set=1\nlisten_port=51999\npublic_key=`);
      await connectUapi(1, Buffer.alloc(8_000_000, "x"));
    });
    expect(await pair.left.host.run(["wg", "show", "wg0", "listen-port"])).toBe("51820\n");
  });

  test("UAPI clients by the hundred: 64 stay, and whoever comes is served", async () => {
    await harmless(32e6, () => connectUapi(200, "get="));
    for (const socket of sockets) socket.resume();
    await eventually(
      "the others are dropped",
      () => sockets.filter((one) => one.destroyed).length >= 200 - CLIENTS_MAX,
    );
    // each connection of wg(8) took a place meanwhile
    expect(sockets.filter((one) => !one.destroyed).length).toBeGreaterThanOrEqual(CLIENTS_MAX - 4);
  });

  test.each([
    ["ask and never read", SCRAPE.repeat(4)],
    ["ask half a question", "GET /metrics HTTP/1.1\r\nHo"],
    ["ask nothing", ""],
  ])("a hundred HTTP clients that %s: a scraper is served all the same", async (_, request) => {
    await harmless(96e6, () => connectHttp(100, request));
  });

  test("no descriptor is left: the tunnel goes on, the loop does not spin, and when they are free all is as before", async () => {
    const { left } = pair;
    await wgIsServed();
    fdsBefore = openFds();
    const limit = Math.max(...readdirSync(`/proc/${pid}/fd`).map(Number)) + 1 + SPARE;
    await left.host.run(["prlimit", "--pid", String(pid), `--nofile=${limit}:`]);
    const before = await status(left);
    await connectUapi(30, "");
    await connectHttp(20, SCRAPE);
    await tunnelWorks();
    expect(await linesOf("EMFILE")).toBeLessThan(100);
    expect(left.host.processes()).toContain(pid);
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const program of programs.splice(0)) await program.stop("SIGKILL");
    await eventually("wg is answered", async () => (await left.host.try(["wg", "show", "wg0", "peers"])).status === 0);
    await eventually("the scraper is answered", () =>
      readMetrics(left.host).then(
        () => true,
        () => false,
      ),
    );
    const { loop } = await status(left);
    expect(loop.absences - before.loop.absences).toBeLessThan(20_000);
    await tunnelWorks();
  });
});
