// Two gateways that are services of a real systemd, from the installed unit and a file that only root may read: enabled, reloaded,
// restarted, killed, frozen and stopped under traffic.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Program } from "../../src/demo/command.js";
import { eventually } from "../support/gateway.js";
import { newKeyPair } from "../support/keys.js";
import { lanAddress, officeFile, type ServiceOffices } from "../support/offices.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";
import { bootServicePair, type ServiceMachine, type ServicePair, UNIT } from "./service-machine.js";

/** A restart is to cost a second at most, on a machine that has other things to do as well: what fails three times is wrong. */
const PING_INTERVAL_S = 0.05;
/** In the unit. */
const WATCHDOG_MS = 10_000;

describe("a service of systemd", requireTools(["ip", "ping", "iperf3", "debootstrap"]), () => {
  let pair: ServicePair;
  let offices: ServiceOffices;
  let left: ServiceMachine;
  let right: ServiceMachine;

  beforeAll(async () => {
    pair = await bootServicePair();
    ({ offices, left, right } = pair);
    await left.machine.writeFile("/etc/longhaul/hq.conf", officeFile(offices.left, offices.right));
    await right.machine.run("install", "-d", "-m", "700", "/etc/wireguard");
    await right.machine.writeFile("/etc/wireguard/hq.conf", officeFile(offices.right, offices.left));
  }, 1_200_000);
  afterAll(() => pair?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") process.stderr.write(await left.machine.journal(UNIT, "--lines", "60"));
  });

  const reaches = (timeoutMs = 10_000): Promise<void> =>
    eventually(
      "a LAN reaches the other",
      async () => (await ping(offices.left.lan, lanAddress(offices.right), { count: 1, waitS: 1 })) === 1,
      timeoutMs,
    );

  /** Pings from LAN to LAN while something is done. @returns packets that did not come back */
  const pingDuring = async (
    action: () => Promise<unknown>,
    from = offices.left,
    to = offices.right,
  ): Promise<number> => {
    const words = ["ping", "-n", "-i", PING_INTERVAL_S, "-W", 2, lanAddress(to)].map(String);
    const pinging = from.lan.start(words, { input: "" });
    await pinging.waitForOutput(/icmp_seq=10 /);
    await action();
    await sleep(2_000);
    await pinging.stop("SIGINT");
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(pinging.stdout) ?? [];
    return Number(sent) - Number(received);
  };

  /** A TCP stream through the tunnel while something is done: it must not break. @returns bytes that arrived */
  const streamDuring = async (action: () => Promise<unknown>): Promise<number> => {
    const server = offices.right.lan.start(["iperf3", "-s", "-1", "--forceflush"], { input: "" });
    await server.waitForOutput(/Server listening/);
    const address = lanAddress(offices.right);
    const client: Program = offices.left.lan.start(["iperf3", "-c", address, "-t", "8", "-b", "50M", "-J"], {
      input: "",
    });
    await sleep(2_000);
    await action();
    expect(await client.exited).toMatchObject({ status: 0 });
    await server.stop("SIGKILL");
    return JSON.parse(client.stdout).end.sum_received.bytes;
  };

  test("enable --now on both joins the LANs; systemd knows it is ready, with peers and rates, as its own user", async () => {
    for (const { machine } of [left, right]) {
      await machine.run("systemctl", "enable", "--now", "longhaul@hq");
      expect(await machine.property(UNIT, "ActiveState")).toBe("active");
      expect(await machine.run("wg", "show", "hq", "listen-port")).toBe("51820\n");
    }
    await reaches();
    await eventually("the status shows the peer", async () =>
      /^1 of 1 peer connected, port 51820; in /.test(await left.machine.property(UNIT, "StatusText")),
    );
    const status = await left.machine.run("cat", `/proc/${await left.pid()}/status`);
    const uid = (await left.machine.run("id", "-u", "longhaul")).trim();
    expect(status).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t`, "m"));
    const capNetAdmin = (1 << 12).toString(16).padStart(16, "0");
    for (const set of ["CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(status).toContain(`${set}:\t${capNetAdmin}`);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
  });

  test("the unit is clean and exposed to no more than 1.7", async () => {
    const unit = "/usr/lib/systemd/system/longhaul@.service";
    expect(await left.machine.try("systemd-analyze", "verify", unit)).toMatchObject({ status: 0, stderr: "" });
    const report = await left.machine.run("systemd-analyze", "security", "--offline=true", unit);
    expect(Number(/exposure level .*: ([\d.]+)/.exec(report)?.[1])).toBeLessThanOrEqual(1.7);
  });

  test("the journal has priorities and readable lines, and no key", async () => {
    const journal = await left.machine.journal(UNIT, "--output", "json");
    const entries = journal
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { MESSAGE: string; PRIORITY: string; _COMM?: string });
    const completed = entries.find(({ MESSAGE }) => MESSAGE.startsWith("handshake completed peer="));
    expect(completed).toMatchObject({ PRIORITY: "6" });
    for (const office of [offices.left, offices.right]) expect(journal).not.toContain(office.keys.privateKey);
  });

  test("a reload with a new peer loses no packet, and a file with an error changes nothing", async () => {
    const newcomer = newKeyPair().publicKey;
    const peers = `[Peer]\nPublicKey = ${newcomer}\nAllowedIPs = 192.168.30.0/24\n`;
    const file = officeFile(offices.left, offices.right, { peers });
    const pid = await left.pid();
    const losses = await left.watchLosses();
    const lost = await pingDuring(async () => {
      await left.machine.writeFile("/etc/longhaul/hq.conf", file);
      await left.machine.run("systemctl", "reload", "longhaul@hq");
      expect(await left.machine.run("wg", "show", "hq", "peers")).toContain(newcomer);
      await left.machine.writeFile("/etc/longhaul/hq.conf", `${file}\nNonsense = 1\n`);
      expect(await left.machine.try("systemctl", "reload", "longhaul@hq")).toMatchObject({ status: 1 });
      await left.machine.writeFile("/etc/longhaul/hq.conf", file);
    });
    expect(lost).toBe(0);
    expect(await losses.end()).toEqual([]);
    expect(await left.ip("route", "show", "192.168.30.0/24")).toContain("dev hq");
    expect(await left.machine.property(UNIT, "ActiveState")).toBe("active");
    expect(await left.pid()).toBe(pid);
  });

  test.each([
    ["the LAN behind it speaks", "left"],
    ["the other LAN speaks", "right"],
  ] as const)(
    "a restart keeps interface, addresses and routes, and costs a second at most; %s",
    { retry: 2 },
    async (_, side) => {
      const [from, to] = side === "left" ? [offices.left, offices.right] : [offices.right, offices.left];
      const before = await left.network();
      const pid = await left.pid();
      const losses = await left.watchLosses();
      const lost = await pingDuring(() => left.machine.run("systemctl", "restart", "longhaul@hq"), from, to);
      expect(await losses.end()).toEqual([]);
      expect(await left.network()).toBe(before);
      expect(await left.pid()).not.toBe(pid);
      expect(lost * PING_INTERVAL_S).toBeLessThanOrEqual(1);
    },
  );

  test("a TCP stream goes on through reload and restart", async () => {
    const bytes = await streamDuring(async () => {
      await left.machine.run("systemctl", "reload", "longhaul@hq");
      await left.machine.run("systemctl", "restart", "longhaul@hq");
    });
    expect(bytes).toBeGreaterThan(20_000_000);
  });

  test("kill -9: another run begins at once, on the same interface", async () => {
    const before = await left.network();
    const pid = await left.pid();
    const losses = await left.watchLosses();
    await left.machine.run("kill", "-9", pid);
    await eventually("another process runs", async () => !["0", pid].includes(await left.pid()), WATCHDOG_MS);
    await reaches();
    expect(await losses.end()).toEqual([]);
    expect(await left.network()).toBe(before);
  });

  test("a frozen loop is ended by the watchdog, and another run begins on the same interface", async () => {
    const before = await left.network();
    const pid = await left.pid();
    const losses = await left.watchLosses();
    await left.machine.run("kill", "-STOP", pid);
    await eventually("another process runs", async () => !["0", pid].includes(await left.pid()), 3 * WATCHDOG_MS);
    await reaches();
    expect(await left.machine.journal(UNIT)).toMatch(/[Ww]atchdog timeout/);
    expect(await losses.end()).toEqual([]);
    expect(await left.network()).toBe(before);
  });

  test("a file that was changed in the meantime is applied by the restart, by difference", async () => {
    const { ifindex } = (JSON.parse(await left.ip("-j", "link", "show", "hq")) as [{ ifindex: number }])[0];
    const extras = { interface: ["MTU = 1380"], allowedIps: ["192.168.40.0/24"] };
    const file = officeFile(offices.left, offices.right, extras)
      .replace("10.99.0.1/24", "10.99.0.1/24, 10.99.1.1/24")
      .replace("ListenPort = 51820", "ListenPort = 51999");
    await left.machine.writeFile("/etc/longhaul/hq.conf", file);
    await left.machine.run("systemctl", "restart", "longhaul@hq");
    expect(JSON.parse(await left.ip("-j", "link", "show", "hq"))[0]).toMatchObject({ ifindex, mtu: 1_380 });
    expect(await left.ip("address", "show", "dev", "hq")).toContain("10.99.1.1/24");
    expect(await left.ip("route", "show", "dev", "hq")).toContain("192.168.40.0/24");
    expect(await left.ip("route", "show", "dev", "hq")).not.toContain("192.168.30.0/24");
    expect(await left.machine.run("wg", "show", "hq", "listen-port")).toBe("51999\n");
    await reaches();
  });

  test("stop takes the interface down with all that goes with it; start brings it back", async () => {
    await left.machine.run("systemctl", "stop", "longhaul@hq");
    expect(await left.machine.try("ip", "link", "show", "hq")).toMatchObject({ status: 1 });
    expect(await left.ip("route", "show")).not.toMatch(/hq|192\.168\.20\./);
    expect(await left.machine.property(UNIT, "ActiveState")).toBe("inactive");
    expect(await left.machine.run("ls", "-A", "/run/wireguard")).toBe("");
    await left.machine.run("systemctl", "start", "longhaul@hq");
    await reaches();
  });
});
