// What happens to the machine under a running daemon: addresses, routes, ports, clocks, sleep, disk, and the process itself. Each
// with what it loses, what it says and how it comes back. docs/faults.md has the table.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Program } from "../../src/demo/command.js";
import type { Host } from "../../src/demo/lab.js";
import { FaultyCalls, FaultyLibrary } from "../support/faulty-calls.js";
import { eventually, type Gateway } from "../support/gateway.js";
import { newKeyPair } from "../support/keys.js";
import { dropped, everythingIsAccountedFor, status } from "../support/ledger.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const CLOCK = fileURLToPath(new URL("../support/wrong-clock.cjs", import.meta.url));
const talking = { ...longhaul, env: { LOG_LEVEL: "info" } };
const clocked = { ...longhaul, env: { LOG_LEVEL: "info", NODE_OPTIONS: `--require=${CLOCK}` } };
const DAY_MS = 86_400_000;
const YEARS_12_MS = 12 * 365.25 * DAY_MS;
const STOPPED_MS = 30_000;
const tools = requireTools(["ip", "wg", "ping", "nft", "unshare", "g++"]);
const lost = { count: 3, waitS: 0.3 };

/** Makes them shake hands again at once, the gateway being the initiator. */
async function renewKeys({ host, listenPort }: Gateway): Promise<void> {
  await host.ip("link set wg0 down");
  await eventually("the port is closed", async () => !(await host.listensOnUdp(listenPort)));
  await host.ip("link set wg0 up");
  await eventually("the port is open", () => host.listensOnUdp(listenPort));
}

const linesOf = async (gateway: Gateway, text: string): Promise<number> =>
  (await gateway.log()).split("\n").filter((line) => line.includes(text)).length;

/** Those that hold ports now. */
const thieves: Program[] = [];

/** Holds a UDP port of both families until it is stopped, or the test ends. */
async function takePort(host: Host, port: number): Promise<Program> {
  const script = `const s = require("node:dgram").createSocket("udp6"); s.bind(${port}, () => console.log("mine"));`;
  const thief = host.start([process.execPath, "-e", script]);
  thieves.push(thief);
  await thief.waitForOutput(/mine/);
  return thief;
}

/** One that stands still from the beginning of this file to its end, so that nobody waits for it. */
describe("a daemon that is stopped", tools, () => {
  let pair: Pair;
  let stoppedAtMs: number;
  beforeAll(async () => {
    pair = await startPair({ programs: [talking, longhaul] });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
    for (const pid of pair.left.daemonPids) process.kill(pid, "SIGSTOP");
    stoppedAtMs = Date.now();
    expect(await ping(pair.right.host, pair.left.address(), lost)).toBe(0);
  });
  afterAll(() => pair?.lab.close());

  describe("addresses, routes, ports and filters", tools, () => {
    let pair: Pair;
    beforeAll(async () => {
      pair = await startPair({ programs: [talking, longhaul] });
      expect(await ping(pair.left.host, pair.right.address())).toBe(3);
    });
    afterAll(() => pair?.lab.close());

    // a test that failed is tried once more
    afterEach(async () => {
      for (const thief of thieves.splice(0)) await thief.stop("SIGKILL");
    });

    /** Packets that the host has given to the tunnel. */
    const packetsInto = async (host: Host): Promise<number> =>
      JSON.parse(await host.run(["ip", "-s", "-json", "link", "show", "wg0"]))[0].stats64.tx.packets;

    const works = async (): Promise<void> => expect(await ping(pair.left.host, pair.right.address())).toBe(3);
    const outboundDrops = async (reason: string): Promise<number> =>
      dropped((await status(pair.left)).ledger.outbound.drops, reason);

    test.each([
      ["its address is removed", "address del 192.0.2.1/24 dev eth0", "address add 192.0.2.1/24 dev eth0"],
      ["its route is gone", "route del 192.0.2.0/24 dev eth0", "route add 192.0.2.0/24 dev eth0 src 192.0.2.1"],
      ["the line is down", "link set eth0 down", "link set eth0 up"],
    ])("while %s packets are lost as unreachable, and it goes on afterwards", async (_, fault, mend) => {
      const { left, right } = pair;
      const before = await outboundDrops("send_unreachable");
      await left.host.ip(fault);
      expect(await ping(left.host, right.address(), lost)).toBe(0);
      expect((await outboundDrops("send_unreachable")) - before).toBe(3);
      await left.host.ip(mend);
      await works();
      await everythingIsAccountedFor(left, right);
    });

    test("another address in place of its own: it sends from that one, and the peer follows", async () => {
      const { left, right } = pair;
      await left.host.ip("address del 192.0.2.1/24 dev eth0", "address add 192.0.2.77/24 dev eth0");
      await works();
      expect((await right.peer()).endpoint).toBe("192.0.2.77:51820");
      await left.host.ip("address del 192.0.2.77/24 dev eth0", "address add 192.0.2.1/24 dev eth0");
      await works();
      expect((await right.peer()).endpoint).toBe("192.0.2.1:51820");
    });

    test("a firewall that forbids its datagrams: lost as forbidden, said so, and it goes on afterwards", async () => {
      const { left, right } = pair;
      const before = await outboundDrops("send_forbidden");
      await left.host.run(["nft", "-f", "-"], {
        input:
          "add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o udp sport 51820 drop\n",
      });
      expect(await ping(left.host, right.address(), lost)).toBe(0);
      await left.host.run(["nft", "delete table ip t"]);
      expect((await outboundDrops("send_forbidden")) - before).toBe(3);
      await works();
      await eventually("it is said", async () => (await linesOf(left, '"reason":"send_forbidden"')) > 0);
    });

    test("the endpoint's route led into the tunnel: nothing goes round in circles, it is said, and it goes on", async () => {
      const { left, right } = pair;
      const peer = right.keys.publicKey;
      await left.host.run(["wg", "set", "wg0", "peer", peer, "allowed-ips", "0.0.0.0/0"]);
      const [lostBefore, sentBefore] = [await outboundDrops("routing_loop"), await packetsInto(left.host)];
      await left.host.ip("route add 192.0.2.2/32 dev wg0");
      try {
        expect(await ping(left.host, right.address(), lost)).toBe(0);
        await sleep(500);
        // the three pings, what they became, and perhaps a keepalive with it
        expect((await outboundDrops("routing_loop")) - lostBefore).toBeGreaterThanOrEqual(3);
        expect((await packetsInto(left.host)) - sentBefore).toBeLessThan(30);
        const { stdout } = await left.host.try([longhaul.path, "why", "wg0"]);
        expect(stdout).toContain("refused as routing_loop");
      } finally {
        await left.host.ip("route del 192.0.2.2/32 dev wg0");
      }
      await works();
      await eventually("it is said", async () => (await linesOf(left, '"reason":"routing_loop"')) > 0);
      await everythingIsAccountedFor(left, right);
    });

    test("a port that is taken when it is set: refused, and the tunnel stays on its old one", async () => {
      const { left } = pair;
      const thief = await takePort(left.host, 51_999);
      const refused = await left.host.try(["wg", "set", "wg0", "listen-port", "51999"]);
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toMatch(/in use/i);
      expect(await left.host.run(["wg", "show", "wg0", "listen-port"])).toBe("51820\n");
      await works();
      await thief.stop("SIGKILL");
      await left.set("listen-port", "51999");
      await works();
      await left.set("listen-port", "51820");
      await works();
    });

    test("a port that is taken when the interface comes up: said once, and taken back when it is free", async () => {
      const { left, right } = pair;
      const said = await linesOf(left, "no UDP socket");
      await left.host.ip("link set wg0 down");
      await eventually("the port is closed", async () => !(await left.host.listensOnUdp(51_820)));
      const thief = await takePort(left.host, 51_820);
      await left.host.ip("link set wg0 up");
      await eventually("it is said", async () => (await linesOf(left, "no UDP socket")) === said + 1);
      expect(await ping(left.host, right.address(), lost)).toBe(0);
      const refused = await left.host.try(["wg", "set", "wg0", "listen-port", "51820"]);
      expect(refused.stderr).toMatch(/in use/i);
      await sleep(1_500); // so that it has tried again
      expect(await linesOf(left, "no UDP socket")).toBe(said + 1);
      await thief.stop("SIGKILL");
      await eventually("answered", async () => (await ping(left.host, right.address(), { count: 1, waitS: 1 })) === 1);
      await works();
      await everythingIsAccountedFor(left, right);
    });

    test("a port that stays taken: another one can be set meanwhile", async () => {
      const { left, right } = pair;
      await left.set("listen-port", "51820");
      const said = await linesOf(left, "no UDP socket");
      await left.host.ip("link set wg0 down");
      await eventually("the port is closed", async () => !(await left.host.listensOnUdp(51_820)));
      await takePort(left.host, 51_820);
      await left.host.ip("link set wg0 up");
      await eventually("it is said", async () => (await linesOf(left, "no UDP socket")) === said + 1);
      await left.set("listen-port", "51821");
      await works();
      expect((await right.peer()).endpoint).toBe("192.0.2.1:51821");
    });
  });

  describe("clocks and sleep", tools, () => {
    const library = new FaultyLibrary();
    let pair: Pair;
    let calls: FaultyCalls;
    beforeAll(async () => {
      pair = await startPair({
        programs: [library.in(clocked), longhaul],
        prepare: async (host) => {
          if (host.name === "left") calls = await FaultyCalls.prepare(host);
        },
      });
      expect(await ping(pair.left.host, pair.right.address())).toBe(3);
    });
    afterAll(async () => {
      await pair?.lab.close();
      library.remove();
    });

    const handshakes = async (): Promise<number> => (await status(pair.left)).peers[0]!.handshakes.responsesReceived;

    test.each([
      ["a day ahead", DAY_MS],
      ["a day back", -DAY_MS],
      ["to 1970", -Date.now()],
      ["to 2038", YEARS_12_MS],
      ["right again", 0],
    ])("the wall clock jumps %s: keys serve on, and the next handshake is answered", async (_, offsetMs) => {
      const { left, right } = pair;
      await left.host.writeFile("/run/clock-offset", String(offsetMs));
      const before = await handshakes();
      expect(await ping(left.host, right.address())).toBe(3);
      expect(await handshakes()).toBe(before);
      await renewKeys(left);
      expect(await ping(left.host, right.address())).toBe(3);
      expect(await handshakes()).toBe(before + 1);
    });

    test("asleep for a minute: a keepalive that came due is sent at once", async () => {
      const { left, right } = pair;
      await left.set("peer", right.keys.publicKey, "persistent-keepalive", "60");
      const sent = async (): Promise<number> => (await status(left)).peers[0]!.traffic.sentKeepalives;
      await eventually("the first is sent", async () => (await sent()) > 0);
      const before = await sent();
      calls.sleep(61_000);
      await eventually("the next is sent", async () => (await sent()) > before, 2_000);
      await left.set("peer", right.keys.publicKey, "persistent-keepalive", "0");
    });

    test.each([
      ["longer than keys serve", 200_000],
      ["longer than keys are kept", 1_200_000],
      ["for a month", 30 * DAY_MS],
    ])("asleep %s: the first packet makes new keys, and is not lost", async (_, ms) => {
      const { left, right } = pair;
      expect(await ping(left.host, right.address())).toBe(3);
      const before = await handshakes();
      calls.sleep(ms);
      expect(await ping(left.host, right.address())).toBe(3);
      expect(await handshakes()).toBe(before + 1);
      await everythingIsAccountedFor(left, right);
    });

    test("started on a machine that slept for 100 days: clocks are not mixed up", async () => {
      const { left, right } = pair;
      await left.kill("SIGTERM");
      const slept = {
        name: "slept",
        path: "/usr/bin/unshare",
        options: ["-T", "--boottime", "8640000", longhaul.path],
      };
      Object.assign(left, { program: slept });
      await left.restart();
      expect(await ping(left.host, right.address())).toBe(3);
      await left.set("peer", right.keys.publicKey, "persistent-keepalive", "1");
      const before = (await right.peer()).receivedBytes;
      await eventually("keepalives come", async () => (await right.peer()).receivedBytes > before + 32, 4_000);
    });
  });

  describe("disk and process", tools, () => {
    let pair: Pair;
    beforeAll(async () => {
      pair = await startPair({ programs: [talking, longhaul] });
      expect(await ping(pair.left.host, pair.right.address())).toBe(3);
    });
    afterAll(() => pair?.lab.close());
    // what a test that failed has left: it is tried once more
    beforeEach(async () => {
      const { left } = pair;
      await left.host.try(["umount", "/var/lib/longhaul"]);
      if (!left.host.processes().some((pid) => left.daemonPids.includes(pid))) await left.restart();
    });

    const fill =
      "mount -t tmpfs -o size=8k full /var/lib/longhaul && ! head -c 65536 /dev/zero >/var/lib/longhaul/zero";
    test.each([
      ["full", fill, "rm /var/lib/longhaul/zero"],
      ["read-only", "mount -t tmpfs -o ro sealed /var/lib/longhaul", "mount -o remount,rw /var/lib/longhaul"],
    ])(
      "the state directory is %s: the tunnel works, it is said once, and the state is kept again",
      async (_, spoil, mend) => {
        const { left, right } = pair;
        const kept = await linesOf(left, "are kept on disk again");
        const failed = await linesOf(left, "cannot keep handshake timestamps");
        await left.kill("SIGTERM");
        await left.host.run(["sh", "-c", `mkdir -p /var/lib/longhaul && ${spoil}`]);
        await left.restart();
        expect(await ping(left.host, right.address())).toBe(3);
        await renewKeys(left);
        expect(await ping(left.host, right.address())).toBe(3);
        expect(await linesOf(left, "cannot keep handshake timestamps")).toBe(failed + 1);
        await left.host.run(["sh", "-c", mend]);
        await renewKeys(left);
        expect(await ping(left.host, right.address())).toBe(3);
        await eventually("it is said", async () => (await linesOf(left, "are kept on disk again")) === kept + 1);
        expect(await left.host.run(["sh", "-c", "cat /var/lib/longhaul/timestamp-*"])).toMatch(/^[0-9]+ no handshake/);
        await left.kill("SIGTERM");
        await left.host.run(["umount", "/var/lib/longhaul"]);
        await left.restart();
      },
    );

    test("SIGKILL, and its state is lost: the next daemon is answered at once", async () => {
      const { left, right } = pair;
      await left.kill("SIGTERM"); // so that its timestamps are no further than the clock
      await left.host.run(["rm", "-rf", "/var/lib/longhaul"]);
      await left.restart();
      expect(await ping(left.host, right.address())).toBe(3);
      await left.kill("SIGKILL");
      await left.host.run(["rm", "-r", "/var/lib/longhaul"]);
      await left.restart();
      expect(await ping(left.host, right.address())).toBe(3);
    });

    test("SIGKILL twice, and its state is lost the second time: it is answered when its peer speaks first", async () => {
      const { left, right } = pair;
      await left.kill("SIGKILL");
      await left.restart();
      expect(await ping(left.host, right.address())).toBe(3); // with a timestamp from what was reserved ahead
      await left.kill("SIGKILL");
      await left.host.run(["rm", "-r", "/var/lib/longhaul"]);
      await left.restart();
      expect(await ping(left.host, right.address(), lost)).toBe(0);
      expect((await status(right)).ledger.inbound.drops.some(({ reason }) => reason === "timestamp_replayed")).toBe(
        true,
      );
      await right.kill("SIGTERM"); // so that it has to ask
      await right.restart();
      expect(await ping(right.host, left.address())).toBe(3);
      expect(await ping(left.host, right.address())).toBe(3);
    });

    test("SIGKILL in the middle of many peers' traffic leaves nothing that the next daemon trips over", async () => {
      const { left, right } = pair;
      await left.host.writeFile(
        "/run/more.conf",
        Array.from({ length: 50 }, () => `[Peer]\nPublicKey = ${newKeyPair().publicKey}\n`).join("\n"),
      );
      await left.host.run(["wg", "addconf", "wg0", "/run/more.conf"]);
      const load = left.host.start(["ping", "-n", "-q", "-f", "-c", "100000", right.address()], { input: "" });
      await sleep(200);
      await left.kill("SIGKILL");
      await left.restart();
      expect(await ping(left.host, right.address())).toBe(3);
      await load.stop("SIGKILL");
      await everythingIsAccountedFor(left, right);
    });
  });

  test("SIGSTOP for 30 s: afterwards everything passes again, and what was lost is accounted for", async () => {
    const { left, right } = pair;
    await sleep(Math.max(0, STOPPED_MS - (Date.now() - stoppedAtMs)));
    for (const pid of left.daemonPids) process.kill(pid, "SIGCONT");
    expect(await ping(left.host, right.address())).toBe(3);
    expect(await ping(right.host, left.address())).toBe(3);
    await everythingIsAccountedFor(left, right);
  });
});
