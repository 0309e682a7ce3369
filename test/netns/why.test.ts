// longhaul why against faults that are really there, one gateway with a faulty peer for each, which docs/why.md lists; and
// longhaul show of the same gateway.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab.js";
import { type Answer, FaultLab, nobody, right } from "../support/fault-lab.js";
import { eventually } from "../support/gateway.js";
import { newKeyPair } from "../support/keys.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { MessageType } from "../support/wire.js";

const PATIENCE_MS = 20_000;
/** Sends many datagrams: enough for a socket's 8 MiB, or a queue of 1,000 packets. */
const BLAST = `
const { createSocket } = require("node:dgram");
const [, address, port, count] = process.argv;
const socket = createSocket("udp4");
let left = Number(count);
const send = () => {
  if (left-- > 0) socket.send(Buffer.alloc(1300), Number(port), address, send);
  else if (left === -64) socket.close();
};
for (let i = 0; i < 64; i++) send();`;

const wordsOf = (pid: number): string[] => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");

describe("longhaul why", requireTools(["ip", "wg", "ping", "nft", "script"]), () => {
  const faults = new FaultLab();
  let left: Host;
  /** What `why wg0 all` says, by public key. */
  let silent: ReadonlyMap<string, Answer>;

  beforeAll(async () => {
    await faults.start();
    left = faults.left;
    await faults.stageSilence();
  });
  afterAll(() => faults.close());

  /** Asks until the first cause is the expected one, and it is told in full: some faults take a moment to show. */
  async function expectCause(cause: string, host: Host, words: readonly string[], waitS = 0): Promise<void> {
    let seen: Answer | undefined;
    try {
      await eventually(
        `${cause} is named`,
        async () => {
          seen = await faults.why(host, words, waitS);
          return isNamedFirst(seen, cause);
        },
        PATIENCE_MS,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}; instead ${JSON.stringify(seen, null, 1)}`);
    }
  }

  function isNamedFirst({ causes: [first] }: Answer, cause: string): boolean {
    return first?.cause === cause && first.isActive && first.evidence.length > 0 && first.next.length > 0;
  }

  /** Does something again and again while something else is waited for. */
  async function meanwhile(action: () => Promise<unknown>, wanted: Promise<void>): Promise<void> {
    let isOver = false;
    const act = async (): Promise<void> => {
      while (!isOver) {
        await action();
        await sleep(50);
      }
    };
    await Promise.all([
      act(),
      wanted.finally(() => {
        isOver = true;
      }),
    ]);
  }

  describe("traffic", () => {
    const plain = ["wg0", faults.peerKeys[right.plain].publicKey];
    const wired = ["wg0", faults.peerKeys[right.wired].publicKey];
    let pinging: ReturnType<Host["start"]>;
    beforeAll(() => {
      pinging = faults.right.start(["ping", "-n", "-i", "0.02", "10.9.7.254"]);
    });
    afterAll(() => pinging.stop("SIGINT"));

    test("source_not_allowed, and only_keepalives on the other side", async () => {
      await faults.right.ip("address add 10.9.6.77/32 dev wg6");
      const strange = faults.right.start(["ping", "-n", "-i", "0.1", "-I", "10.9.6.77", "10.9.6.254"]);
      await Promise.all([
        expectCause("source_not_allowed", left, plain, 0.5),
        expectCause("only_keepalives", faults.right, ["wg6", faults.keys.publicKey], 0.7),
      ]);
      const [cause] = (await faults.why(left, plain)).causes;
      expect(cause?.evidence).toContain("the last came from 10.9.6.77");
      await left.run(cause!.next[1]!.command!.split(" ")); //  what it says to do helps
      await eventually("pings are answered", () => strange.stdout.includes("bytes from 10.9.6.254"));
      await strange.stop("SIGINT");
    });

    test("mtu_too_large", async () => {
      // for path_loss, below; what is lost shows after a second or two
      await left.run(["nft", "add rule ip faults in udp sport 51826 numgen random mod 4 0 drop"]);
      faults.right.start(["ping", "-n", "-i", "0.01", "-c", "3000", "10.9.6.254"]);
      await left.ip("route add 192.0.2.2/32 dev eth0 mtu 1300");
      await expectCause("mtu_too_large", left, plain);
      await left.ip("route del 192.0.2.2/32 dev eth0 mtu 1300");
    });

    test("packets_replayed", async () => {
      await faults.wire.rules("right", { only: MessageType.Data, duplicateEvery: 1 });
      await expectCause("packets_replayed", left, wired, 0.3);
      await faults.wire.rules("right");
    });

    test("handshake_replayed", async () => {
      const replay = (): Promise<unknown> => faults.wire.replay("right", MessageType.Initiation);
      await meanwhile(replay, expectCause("handshake_replayed", left, wired, 0.7));
    });

    test("under_load_here", async () => {
      const flood = (): Promise<unknown> => faults.wire.replay("right", MessageType.Initiation, 300);
      await meanwhile(flood, expectCause("under_load_here", left, wired, 0.7));
    });

    test("reordering", async () => {
      await faults.wire.rules("right", { only: MessageType.Data, reorder: 4 });
      await expectCause("reordering", left, wired, 0.5);
      await faults.wire.rules("right");
    });

    test("path_loss", async () => {
      await expectCause("path_loss", left, plain);
      await left.run(["nft", "flush chain ip faults in"]);
    });

    test("endpoint_flapping", async () => {
      // for the next test
      await left.run(["nft", "add rule ip faults in ip saddr 192.0.2.2 udp length > 1000 drop"]);
      faults.right.start(["ping", "-n", "-i", "0.02", "-c", "500", "-s", "1300", "10.9.7.254"]);
      for (const port of [4_001, 4_002, 4_003]) {
        await faults.wire.rebind("left", port);
        const isFollowed = async (): Promise<boolean> =>
          (await left.run(["wg", "show", "wg0", "endpoints"])).includes(`:${port}\n`);
        await eventually("the left follows", isFollowed);
      }
      await expectCause("endpoint_flapping", left, wired);
    });

    test("large_packets_lost", async () => {
      // no counter tells the size of what did not come: it is never more than possible
      await eventually("large_packets_lost is named", async () => {
        const { causes } = await faults.why(left, wired, 0.5);
        return causes.some(({ cause, isActive }) => cause === "large_packets_lost" && isActive);
      });
      await left.run(["nft", "flush chain ip faults in"]);
    });

    test("corrupted", async () => {
      await faults.wire.rules("right", { only: MessageType.Data, corruptEvery: 2 });
      await expectCause("corrupted", left, wired, 0.5);
      await faults.wire.rules("right");
    });

    test("socket_overflow and tun_queue_full of a daemon that is held up", async () => {
      const pid = faults.pidOf(right.plain);
      const blast = (host: Host, address: string, port: number, count: number): Promise<string> =>
        host.run([process.execPath, "-e", BLAST, address, String(port), String(count)]);
      const hold = async (): Promise<void> => {
        await sleep(300);
        process.kill(pid, "SIGSTOP");
        try {
          await Promise.all([blast(left, "192.0.2.2", 51_826, 100_000), blast(faults.right, "10.9.6.254", 9, 3_000)]);
        } finally {
          process.kill(pid, "SIGCONT");
        }
      };
      const words = ["wg6", faults.keys.publicKey];
      let seen: string[] = [];
      const bothNamed = eventually(
        "both are named",
        async () => {
          const { causes } = await faults.why(faults.right, words, 1.2);
          seen = causes.filter(({ isActive }) => isActive).map(({ cause }) => cause);
          return seen.includes("socket_overflow") && seen.includes("tun_queue_full");
        },
        PATIENCE_MS,
      );
      await meanwhile(hold, bothNamed).catch((error: Error) => {
        throw new Error(`${error.message}; instead ${seen.join(" ")}`);
      });
    });
  });

  describe("silence", () => {
    const expected: ReadonlyArray<readonly [string, string]> = [
      ...Object.entries(nobody),
      ["wrong_psk", faults.peerKeys[right.psk].publicKey],
      ["clock_went_back", faults.peerKeys[right.clock].publicKey],
      ["answers_unconfirmed", faults.peerKeys[right.deaf].publicKey],
      ["stopped_answering", faults.peerKeys[right.dead].publicKey],
    ];

    beforeAll(async () => {
      await eventually(
        "every silence has its cause",
        async () => {
          silent = await faults.whyAll(left, "wg0");
          return expected.every(([cause, key]) => isNamedFirst(silent.get(key)!, cause));
        },
        PATIENCE_MS,
      ).catch(() => {}); //  the tests say which has not
    });

    test.each(expected)("%s", (cause, key) => {
      const { causes } = silent.get(key)!;
      expect(causes[0]).toMatchObject({ cause, isActive: true });
      expect(causes[0]!.evidence.length).toBeGreaterThan(0);
      expect(causes[0]!.next.length).toBeGreaterThan(0);
    });
  });

  describe("configuration", () => {
    const left = faults.keys.publicKey;

    test("interface_down", async () => {
      await faults.right.ip("link set wg2 down");
      await expectCause("interface_down", faults.right, ["wg2", left]);
      expect((await faults.longhaul(faults.right, "show", "wg2")).status).toBe(3);
    });

    test("no_private_key", async () => {
      await faults.right.run(["wg", "set", "wg4", "private-key", "/dev/null"]);
      await expectCause("no_private_key", faults.right, ["wg4", left]);
    });

    test("name_not_found", async () => {
      const file = `[Interface]\nPrivateKey = ${newKeyPair().privateKey}\n[Peer]\n# friendly_name = lisbon\nPublicKey = ${left}\nEndpoint = gateway.invalid:51820\n`;
      await faults.right.writeFile("/run/named.conf", file);
      expect((await faults.longhaul(faults.right, "up", "--metrics", "off", "/run/named.conf")).status).toBe(0);
      await faults.right.run(["wg", "set", "named", "peer", left, "allowed-ips", "10.88.0.1/32"]);
      await expectCause("name_not_found", faults.right, ["named", "Lisbon"]);
    });

    test("not_in_allowed_ips", async () => {
      const asked = await faults.longhaul(faults.left, "why", "10.20.99.1");
      expect(asked).toMatchObject({ status: 3, stderr: "" });
      expect(asked.stdout).toContain("1. no peer has this address (known)\n");
      expect(asked.stdout).toContain("ip route get 10.20.99.1 says: dev wg0\n");
      await expectCause("not_in_allowed_ips", faults.left, ["10.20.99.1"]);
    });
  });

  describe("longhaul show", () => {
    interface Shown {
      readonly schema: number;
      readonly interfaces: ReadonlyArray<{
        readonly interface: Record<string, unknown>;
        readonly peers: ReadonlyArray<Record<string, unknown>>;
      }>;
    }

    test("JSON has every fact of wg show dump, and no key that is secret", async () => {
      const dump = (await left.run(["wg", "show", "wg0", "dump"])).trim().split("\n");
      const shown = await faults.longhaul(left, "show", "--json");
      expect(shown).toMatchObject({ status: 3, stderr: "" }); //  some are silent
      const { schema, interfaces } = JSON.parse(shown.stdout) as Shown;
      expect([schema, interfaces.length]).toEqual([1, 1]);
      const [device, ...peers] = dump.map((line) => line.split("\t"));
      const { name, publicKey, listenPort, fwmark } = interfaces[0]!.interface;
      expect([name, publicKey, String(listenPort), fwmark]).toEqual(["wg0", device![1], device![2], 0]);
      expect(peers.length).toBe(Object.keys(nobody).length + 6);
      for (const [key, preshared, endpoint, allowedIps, handshake, , , keepalive] of peers) {
        const peer = interfaces[0]!.peers.find((one) => one["publicKey"] === key)!;
        expect(peer["hasPresharedKey"]).toBe(preshared !== "(none)");
        expect(peer["endpoint"] ?? "(none)").toBe(endpoint);
        expect((peer["allowedIps"] as string[]).join(",") || "(none)").toBe(allowedIps);
        if (handshake === "0") expect(peer["latestHandshakeAtMs"]).toBeNull();
        else expect(peer["latestHandshakeAtMs"]).toBeGreaterThanOrEqual(Number(handshake) * 1_000);
        expect(peer["persistentKeepaliveSeconds"] || "off").toBe(keepalive === "off" ? "off" : Number(keepalive));
        expect(peer).toMatchObject({ receivedBytes: expect.any(Number), sentBytes: expect.any(Number) });
        expect(shown.stdout).not.toContain(preshared === "(none)" ? faults.keys.privateKey : preshared!);
      }
    });

    test("an interface whose peers answer is fine, one that does not run is not there", async () => {
      expect(await faults.longhaul(left, "show", "interfaces")).toMatchObject({ status: 0, stdout: "wg0\n" });
      const well = await faults.longhaul(faults.right, "show", "wg7");
      expect(well).toMatchObject({ status: 0, stderr: "" });
      expect(well.stdout).toMatch(/^interface: wg7\n/);
      expect(well.stdout).toMatch(/^ {2}up, /m);
      expect(well.stdout).toMatch(/^ {2}unaccounted +0$/m);
      for (const words of [
        ["show", "wg99"],
        ["why", "wg99", "lisbon"],
      ]) {
        const { status, stdout, stderr } = await faults.longhaul(left, ...words);
        expect([status, stdout]).toEqual([4, ""]);
        expect(stderr).toMatch(/^longhaul: wg99 is not running: nothing answers at .*\n$/);
      }
    });

    test("--watch: frame after frame until Ctrl-C; a terminal gets its screen back", async () => {
      const watching = [longhaul.path, "show", "wg7", "--watch", "--interval", "0.1"];
      const piped = faults.right.start(watching);
      await piped.waitForOutput(/interface: wg7[\s\S]*interface: wg7/);
      expect((await piped.stop("SIGINT")).status).toBe(0);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
      expect(piped.stdout).not.toMatch(/\u001b/);
      const before = new Set(faults.right.processes());
      const shown = faults.right.start(["script", "-qec", watching.join(" "), "/dev/null"], { env: { TERM: "xterm" } });
      await shown.waitForOutput(/interface: wg7[\s\S]*interface: wg7/);
      const mine = faults.right.processes().filter((pid) => !before.has(pid));
      for (const pid of mine) if (wordsOf(pid).includes("--interval")) process.kill(pid, "SIGINT");
      expect((await shown.exited).status).toBe(0);
      expect(shown.stdout.startsWith("\u001b[?1049h\u001b[?25l")).toBe(true);
      expect(shown.stdout.trimEnd().endsWith("\u001b[?25h\u001b[?1049l")).toBe(true);
    });

    test("with the UAPI socket alone there are the facts of wg(8), and it says so", async () => {
      await faults.right.run(["rm", "/run/longhaul/wg1.sock"]);
      const shown = await faults.longhaul(faults.right, "show", "wg1");
      expect(shown.status).toBe(3);
      expect(shown.stdout).toContain("only the UAPI socket answers");
      expect(shown.stdout).toContain(`public key: ${faults.peerKeys[right.psk].publicKey}\n`);
      await expectCause("answers_unconfirmed", faults.right, ["wg1", faults.keys.publicKey]);
    });
  });
});
