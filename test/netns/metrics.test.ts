// A daemon's metrics and status as somebody on its host reads them, with traffic through the tunnel and another program on the port.
import { afterEach, describe, expect, test } from "vitest";
import { type Host, Lab } from "../../src/demo/lab.js";
import type { StatusDocument } from "../../src/metrics/status.js";
import { eventually } from "../support/gateway.js";
import { newKeyPair } from "../support/keys.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const metered = { ...longhaul, options: ["--metrics", "127.0.0.1:9586", "--metrics", "unix:/run/metrics.sock"] };
const ask = `
const { request } = require("node:http");
const [where, path, headers] = JSON.parse(process.argv[1]);
request({ host: "127.0.0.1", ...where, path, headers, agent: false }, (response) => {
  process.stdout.write(response.statusCode + "\\n");
  response.pipe(process.stdout);
}).on("error", (error) => { process.stdout.write(error.code); }).end();`;

interface Answer {
  readonly status: string;
  readonly text: string;
}

async function read(host: Host, path: string, headers = {}, where: object = { port: 9_586 }): Promise<Answer> {
  const out = await host.run([process.execPath, "-e", ask, JSON.stringify([where, path, headers])]);
  const [status, ...lines] = out.split("\n");
  return { status: status!, text: lines.join("\n") };
}

describe("metrics", requireTools(["ip", "wg", "ping"]), () => {
  let pair: Pair | undefined;
  afterEach(async () => {
    await pair?.lab.close();
    pair = undefined;
  });

  test("show what went through the tunnel, the same on every way to them, and account for all of it", async () => {
    pair = await startPair({ programs: [metered, longhaul] });
    const { left, right } = pair;
    expect(await ping(left.host, right.address())).toBe(3);
    await left.host.try(["ping", "-c1", "-W1", "10.9.0.77"]); //  nobody has it: no_route
    const { text } = await read(left.host, "/metrics");
    const of = (name: string): number => Number(new RegExp(`^${name}(?:{[^}]*})? (.*)$`, "m").exec(text)?.[1]);
    const wg = await left.peer();
    expect(text).toContain(`public_key="${wg.publicKey}",allowed_ips="10.9.0.2/32,fd09::2/128"} ${wg.sentBytes}\n`);
    expect(of("wireguard_received_bytes_total")).toBe(wg.receivedBytes);
    expect(Math.floor(of("wireguard_latest_handshake_seconds"))).toBe(wg.latestHandshake);
    expect(of("longhaul_peer_received_packets_total")).toBe(3);
    expect(of("longhaul_path_received_packets_total")).toBeGreaterThanOrEqual(3);
    expect(of("longhaul_path_lost_packets_total")).toBe(0);
    expect(text).toMatch(/^longhaul_dropped_packets_total\{.*reason="no_route"} [1-9]/m);
    expect(text.match(/^longhaul_unaccounted_packets\{.*} 0$/gm)).toHaveLength(2);
    expect(of("longhaul_ready")).toBe(1);
    for (const where of [
      { port: 9_586 },
      { socketPath: "/run/metrics.sock" },
      { socketPath: "/run/longhaul/wg0.sock" },
    ]) {
      const status = JSON.parse((await read(left.host, "/status.json", {}, where)).text) as StatusDocument;
      expect(status.peers[0]).toMatchObject({ publicKey: wg.publicKey, sentBytes: wg.sentBytes });
    }
    expect((await read(left.host, "/metrics", { host: "evil.example" })).status).toBe("421");
    expect(text).not.toContain(left.keys.privateKey);
    const outside = await read(right.host, "/metrics", {}, { host: "192.0.2.1", port: 9_586 });
    expect(outside.status).toBe("ECONNREFUSED");
    await left.host.ip("link set wg0 down");
    await eventually("it is not ready, and says why", async () => {
      const ready = await read(left.host, "/readyz");
      return ready.status === "503" && ready.text.includes("ip link set wg0 up");
    });
  });

  test("a port that is taken does not keep the tunnel from coming up; without being asked, nothing listens", async () => {
    pair = await startPair({ programs: [longhaul, longhaul] });
    const { left, right } = pair;
    expect((await read(left.host, "/metrics")).status).toBe("ECONNREFUSED");
    const squat = 'require("node:net").createServer().listen(9586, "127.0.0.1", () => console.log("taken"))';
    const squatter = right.host.start([process.execPath, "-e", squat], { input: "" });
    await squatter.waitForOutput(/taken/);
    await right.kill("SIGTERM");
    const again = { ...longhaul, options: ["--metrics", "127.0.0.1:9586"] };
    Object.assign(right, { program: again });
    await right.restart();
    expect(await ping(left.host, right.address())).toBe(3);
    expect(await right.log()).toContain("EADDRINUSE");
    await squatter.stop("SIGKILL");
  });

  test("a service has names from its file, and a reload changes names and addresses", async () => {
    const lab = new Lab();
    try {
      const host = await lab.addHost("gateway");
      const file = (name: string, address: string): string =>
        `[Interface]\nPrivateKey = ${own.privateKey}\n[Peer]\n# friendly_name = ${name}\nPublicKey = ${peer.publicKey}\n` +
        `AllowedIPs = 10.8.0.2/32\n[Daemon]\nMetrics = ${address}\n`;
      const [own, peer] = [newKeyPair(), newKeyPair()];
      await host.writeFile("/run/hq.conf", file("Lisbon", "127.0.0.1:9586"));
      await host.run([longhaul.path, "up", "/run/hq.conf"], { timeoutMs: 60_000 });
      const metrics = await read(host, "/metrics");
      expect(metrics.status).toBe("200");
      expect(metrics.text).toContain('friendly_name="Lisbon",allowed_ips="10.8.0.2/32"} 0\n');
      expect((await read(host, "/")).text).toContain("<title>longhaul</title>");
      await host.writeFile("/run/hq.conf", file("Porto", "127.0.0.1:9587"));
      await host.run([longhaul.path, "reload", "/run/hq.conf"], { timeoutMs: 60_000 });
      expect((await read(host, "/metrics")).status).toBe("ECONNREFUSED");
      const moved = await read(host, "/status.json", {}, { port: 9_587 });
      expect(JSON.parse(moved.text)).toMatchObject({ interface: { name: "hq" }, peers: [{ name: "Porto" }] });
      await host.run([longhaul.path, "down", "hq"], { timeoutMs: 60_000 });
    } finally {
      await lab.close();
    }
  });
});
