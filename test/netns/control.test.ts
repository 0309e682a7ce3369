// The UAPI socket under wg(8) and under clients that misbehave, with traffic going on.
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatShow } from "../../src/demo/show.js";
import { getDevice } from "../../src/uapi/client.js";
import { eventually } from "../support/gateway.js";
import { newKeyPair, newPresharedKey } from "../support/keys.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";
import { askUapi, dialUapi, socketPath } from "../support/uapi-socket.js";

const programs = [longhaul, longhaul] as const;

/** Interface and peers, these in an order that does not hang on two that never shook hands. */
function sections(shown: string): string {
  const [first, ...peers] = shown.trim().split("\n\n");
  return [first, peers[0], ...peers.slice(1).sort()].join("\n\n");
}

describe("wg(8)", requireTools(["ip", "wg", "ping", "nft"]), () => {
  let pair: Pair;
  let mate: { publicKey: string; section: string };
  beforeAll(async () => {
    pair = await startPair({ programs });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
    const { publicKey } = pair.right.keys;
    const section = `[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = 10.9.0.2/32, fd09::2/128\nEndpoint = 192.0.2.2:51820\n`;
    mate = { publicKey, section };
  });
  afterAll(() => pair?.lab.close());

  const conf = async (verb: string, text: string): Promise<void> => {
    await pair.left.host.writeFile("/run/test.conf", text);
    await pair.left.host.run(["wg", verb, "wg0", "/run/test.conf"], { timeoutMs: 60_000 });
  };
  const wg = (...words: string[]): Promise<string> => pair.left.host.run(["wg", ...words]);
  const own = (): string => `[Interface]\nPrivateKey = ${pair.left.keys.privateKey}\nListenPort = 51820\n`;
  const tunnelWorks = async (): Promise<void> => expect(await ping(pair.left.host, pair.right.address())).toBe(3);

  test("show names interface, peer, endpoint, handshake and transfer", async () => {
    const text = await wg("show");
    expect(text).toContain("interface: wg0");
    expect(text).toContain(`public key: ${pair.left.keys.publicKey}`);
    expect(text).toContain("private key: (hidden)");
    expect(text).toContain("listening port: 51820");
    expect(text).toContain(`peer: ${mate.publicKey}`);
    expect(text).toContain("endpoint: 192.0.2.2:51820");
    expect(text).toMatch(/latest handshake: .*(second|Now|minute)/);
    expect(text).toMatch(/transfer: .* received, .* sent/);
  });

  test("what the demo prints where wg is not installed is what wg prints", async () => {
    const { host, keys } = pair.left;
    const secret = newPresharedKey();
    await host.writeFile("/run/secret", secret);
    await pair.left.set("fwmark", "0x51", "peer", newKeyPair().publicKey, "preshared-key", "/run/secret");
    await pair.left.set(
      "peer",
      newKeyPair().publicKey,
      "allowed-ips",
      "10.1.0.0/16,fd01::/64",
      "persistent-keepalive",
      "9",
    );
    await eventually("both say the same", async () => {
      const theirs = await wg("show");
      const device = await getDevice(socketPath(host));
      const ours = formatShow("wg0", keys.publicKey, device, Date.now());
      return sections(ours) === sections(theirs);
    });
  });

  test("showconf is a file that setconf takes, with nothing lost", async () => {
    await pair.left.set("fwmark", "0x51", "peer", mate.publicKey, "persistent-keepalive", "25");
    const before = await wg("showconf", "wg0");
    expect(before).toContain(`PrivateKey = ${pair.left.keys.privateKey}`);
    expect(before).toMatch(/FwMark = 0x51/);
    expect(before).toContain("PersistentKeepalive = 25");
    await conf("setconf", before);
    expect(await wg("showconf", "wg0")).toBe(before);
    await tunnelWorks();
  });

  test("setconf replaces everything", async () => {
    const other = newKeyPair().publicKey;
    await pair.left.set("peer", other, "allowed-ips", "10.1.0.0/16");
    await conf("setconf", own() + mate.section);
    expect((await pair.left.peers()).map((peer) => peer.publicKey)).toEqual([mate.publicKey]);
    expect(await wg("show", "wg0", "fwmark")).toBe("off\n");
    await tunnelWorks();
  });

  test("addconf adds and leaves the rest", async () => {
    const other = newKeyPair().publicKey;
    const secret = newPresharedKey();
    await conf(
      "addconf",
      `[Peer]\nPublicKey = ${other}\nPresharedKey = ${secret}\nAllowedIPs = 10.2.0.0/16, fd02::/64\n`,
    );
    expect((await pair.left.peer(other)).allowedIps.split(",").sort()).toEqual(["10.2.0.0/16", "fd02::/64"]);
    expect((await pair.left.peer(other)).presharedKey).toBe(secret);
    expect((await pair.left.peer(mate.publicKey)).allowedIps).toContain("10.9.0.2/32");
    await tunnelWorks();
  });

  test("syncconf applies the difference and keeps the session of a peer that stays", async () => {
    await tunnelWorks();
    const before = await pair.left.peer(mate.publicKey);
    const newcomer = newKeyPair().publicKey;
    await conf("syncconf", `${own()}${mate.section}[Peer]\nPublicKey = ${newcomer}\nAllowedIPs = 10.3.0.0/16\n`);
    const keys = (await pair.left.peers()).map((peer) => peer.publicKey);
    expect(keys.sort()).toEqual([mate.publicKey, newcomer].sort());
    const after = await pair.left.peer(mate.publicKey);
    expect(after.latestHandshake).toBe(before.latestHandshake);
    expect(after.sentBytes).toBeGreaterThanOrEqual(before.sentBytes);
    await conf("syncconf", own() + mate.section);
    await tunnelWorks();
    expect((await pair.left.peer(mate.publicKey)).latestHandshake).toBe(before.latestHandshake);
  });

  test("set: keys, keepalive, allowed-ips that come and go, removal", async () => {
    const other = newKeyPair().publicKey;
    await pair.left.set("peer", other, "allowed-ips", "10.4.0.0/16,10.5.0.0/16", "persistent-keepalive", "10");
    expect((await pair.left.peer(other)).persistentKeepalive).toBe("10");
    await pair.left.set(
      "peer",
      other,
      "allowed-ips",
      "10.5.0.0/16",
      "persistent-keepalive",
      "off",
      "endpoint",
      "[2001:db8::7]:7",
    );
    expect(await pair.left.peer(other)).toMatchObject({
      allowedIps: "10.5.0.0/16",
      persistentKeepalive: "off",
      endpoint: "[2001:db8::7]:7",
    });
    await pair.left.set("peer", other, "remove");
    expect((await pair.left.peers()).map((peer) => peer.publicKey)).not.toContain(other);
    await tunnelWorks();
  });

  test("fwmark is on every datagram", async () => {
    const { host } = pair.left;
    await host.run(["nft", "-f", "-"], {
      input: [
        "add table inet marks",
        "add chain inet marks out { type filter hook output priority 0; }",
        "add rule inet marks out udp sport 51820 meta mark 0x1234 counter",
      ].join("\n"),
    });
    await pair.left.set("fwmark", "0x1234");
    await tunnelWorks();
    const rules = await host.run(["nft", "list", "table", "inet", "marks"]);
    expect(Number(rules.match(/counter packets (\d+)/)![1])).toBeGreaterThanOrEqual(3);
    await pair.left.set("fwmark", "off");
    await tunnelWorks();
  });

  test("a port that is taken is refused, and the tunnel stays on the old one", async () => {
    const { host } = pair.left;
    const script = 'const s = require("node:dgram").createSocket("udp4"); s.bind(40001, () => console.log("bound"));';
    const squatter = host.start([process.execPath, "-e", script], { input: "" });
    await squatter.waitForOutput(/bound/);
    const refused = await host.try(["wg", "set", "wg0", "listen-port", "40001"]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain("Address already in use");
    expect(await wg("show", "wg0", "listen-port")).toBe("51820\n");
    await tunnelWorks();
    await squatter.stop("SIGKILL");
  });

  test("65,000 allowed-ips in one setconf", async () => {
    const prefixes = Array.from(
      { length: 65_000 },
      (_, i) => `10.${64 + (i >> 14)}.${(i >> 6) & 255}.${(i & 63) << 2}/30`,
    );
    const lines = [];
    for (let i = 0; i < prefixes.length; i += 100) lines.push(`AllowedIPs = ${prefixes.slice(i, i + 100).join(", ")}`);
    const startedMs = Date.now();
    await conf("setconf", `${own()}${mate.section}${lines.join("\n")}\n`);
    expect(Date.now() - startedMs).toBeLessThan(20_000);
    expect((await pair.left.peer(mate.publicKey)).allowedIps.split(",")).toHaveLength(65_002);
    await pair.right.host.ip(`address add ${prefixes[64_999]!.replace("/30", "/32")} dev lo`);
    await pair.left.host.ip(`route add 10.64.0.0/14 dev wg0`);
    expect(await ping(pair.left.host, prefixes[64_999]!.split("/")[0]!)).toBe(3);
    await conf("setconf", own() + mate.section);
    expect((await pair.left.peer(mate.publicKey)).allowedIps.split(",")).toHaveLength(2);
    await tunnelWorks();
  });

  test("readers that do not read, and 1,000 that connect and close, do no harm", async () => {
    const { host, daemonPids } = pair.left;
    const descriptors = (): number => readdirSync(`/proc/${daemonPids[0]}/fd`).length;
    const before = descriptors();
    for (let i = 0; i < 20; i++) await host.run(["sh", "-c", "wg show | head -0; true"]);
    for (let i = 0; i < 1_000; i++) (await dialUapi(host)).destroy();
    for (let i = 0; i < 100; i++) {
      const socket = await dialUapi(host);
      socket.write(["get=1\n\n", "get=1\n", "set=1\nprivate_key=00", "\n\n\n", "nonsense\n\n"][i % 5]!);
      socket.destroy();
    }
    await eventually("every connection is given up", () => descriptors() <= before);
    expect(host.processes()).toEqual(expect.arrayContaining([...daemonPids]));
    await tunnelWorks();
  });

  test.each([
    ["listen_port=99999", -22],
    ["private_key=zz", -22],
    [`public_key=${"ab".repeat(32)}\nallowed_ip=10.0.0.0/33`, -22],
    [`public_key=${"ab".repeat(32)}\nendpoint=nowhere`, -22],
    ["no_such_key=1", -22],
  ])("a malformed set is refused and changes nothing: %s", async (lines, errno) => {
    const before = await wg("showconf", "wg0");
    expect(await askUapi(pair.left.host, `set=1\nfwmark=7\n${lines}\n\n`)).toBe(`errno=${errno}\n\n`);
    expect(await wg("showconf", "wg0")).toBe(before);
    await tunnelWorks();
  });

  test("several operations on one connection", async () => {
    const socket = await dialUapi(pair.left.host);
    let answers = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      answers += text;
    });
    socket.write("set=1\nfwmark=9\n\nget=1\n\nset=1\nfwmark=0\n\n");
    while ((answers.match(/errno=/g) ?? []).length < 3) await new Promise((resolve) => socket.once("data", resolve));
    socket.destroy();
    expect(answers).toContain("fwmark=9\n");
    expect(answers.match(/errno=-?\d+/g)).toEqual(["errno=0", "errno=0", "errno=0"]);
  });
});
