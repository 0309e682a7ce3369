// What an admin does to the interface while the daemon runs, and how the daemon ends.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Host, Lab } from "../../src/demo/lab.js";
import { eventually } from "../support/gateway.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { type Pair, startPair } from "../support/site.js";
import { moveBytes, ping } from "../support/traffic.js";
import { hasSocket } from "../support/uapi-socket.js";

const programs = [longhaul, longhaul] as const;
const tools = requireTools(["ip", "wg", "ping"]);
const briefly = { count: 2, waitS: 1 };

describe("the interface under a running daemon", tools, () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ programs, underlayMtu: 9_000 });
    expect(await ping(pair.left.host, pair.right.address())).toBe(3);
  });
  afterAll(() => pair?.lab.close());

  test.each([1_280, 8_000, 1_420])("MTU set to %i while running", async (mtu) => {
    const { left, right } = pair;
    for (const gateway of [left, right]) await gateway.host.ip(`link set wg0 mtu ${mtu}`);
    expect(await ping(left.host, right.address(), { payload: mtu - 28, dontFragment: true })).toBe(3);
    expect((await left.host.try(["ping", "-c1", "-M", "do", "-s", String(mtu - 27), right.address()])).status).not.toBe(
      0,
    );
    expect(await moveBytes(left.host, right.host, right.address(), 1_000_000)).toBe(1_000_000);
  });

  test("down: nothing passes; up: it passes again, without a restart", async () => {
    const { left, right } = pair;
    await right.host.ip("link set wg0 down");
    expect(await ping(left.host, right.address(), briefly)).toBe(0);
    await eventually("the port is closed", async () => !(await right.host.listensOnUdp(right.listenPort)));
    await right.host.ip("link set wg0 up");
    await eventually("the port is open", () => right.host.listensOnUdp(right.listenPort));
    expect(await ping(right.host, left.address())).toBe(3);
    expect(await ping(left.host, right.address())).toBe(3);
  });

  test("renamed: traffic goes on", async () => {
    const { left, right } = pair;
    await left.host.ip("link set wg0 down", "link set wg0 name office", "link set office up");
    await left.host.ip("address replace 10.9.0.1/24 dev office");
    await eventually(
      "answered under the new name",
      async () => (await ping(left.host, right.address(), { count: 1 })) === 1,
    );
    await left.host.ip("link set office down", "link set office name wg0", "link set wg0 up");
    await eventually(
      "answered under the old name",
      async () => (await ping(left.host, right.address(), { count: 1 })) === 1,
    );
  });

  test("moved to another namespace: packets go there, datagrams stay here", async () => {
    const { lab, left, right } = pair;
    const elsewhere = await lab.addHost("elsewhere");
    await left.host.ip(`link set wg0 netns ${elsewhere.pid}`);
    await elsewhere.ip("address add 10.9.0.1/24 dev wg0", "link set wg0 up");
    await eventually(
      "answered in the new namespace",
      async () => (await ping(elsewhere, right.address(), { count: 1 })) === 1,
    );
    expect(await ping(elsewhere, right.address())).toBe(3);
    expect(await ping(right.host, left.address())).toBe(3);
    expect(await moveBytes(elsewhere, right.host, right.address(), 1_000_000)).toBe(1_000_000);
    expect((await left.peer()).receivedBytes).toBeGreaterThan(0); // wg still reaches the daemon where it was started
    await elsewhere.ip("link set wg0 mtu 1300");
    expect(await ping(elsewhere, right.address(), { payload: 1_272, dontFragment: true })).toBe(3);
    await elsewhere.ip("link del wg0");
    await eventually("the daemon ended", () => left.host.processes().every((pid) => !left.daemonPids.includes(pid)));
    expect(hasSocket(left.host)).toBe(false);
  });
});

describe("the life of a daemon", tools, () => {
  let lab: Lab;
  let host: Host;
  beforeEach(async () => {
    lab = new Lab();
    host = await lab.addHost("alone");
  });
  afterEach(() => lab.close());

  /** Runs it in the foreground until its interface and socket are there. */
  async function startInForeground(): Promise<ReturnType<Host["start"]>> {
    const program = host.start([longhaul.path, "-f", "wg0"], { env: { LOG_LEVEL: "error" } });
    await eventually("the socket is there", () => hasSocket(host));
    expect((await host.try(["wg", "show", "wg0"])).status).toBe(0);
    return program;
  }

  const hasInterface = async (): Promise<boolean> => (await host.try(["ip", "link", "show", "wg0"])).status === 0;

  test.each(["SIGTERM", "SIGINT"] as const)("%s: status 0, no socket, no interface", async (signal) => {
    const program = await startInForeground();
    expect(await program.stop(signal)).toEqual({ status: 0, signal: null });
    expect(hasSocket(host)).toBe(false);
    expect(await hasInterface()).toBe(false);
    expect(program.stderr).toBe("");
  });

  test.each(["down", "up"])("interface deleted while %s: status 0, no socket, no error in the log", async (state) => {
    const program = await startInForeground();
    await host.ip(`link set wg0 ${state}`);
    await sleep(100); // until it has noticed
    await host.ip("link del wg0");
    expect(await Promise.race([program.exited, sleep(5_000, "still running")])).toEqual({ status: 0, signal: null });
    expect(hasSocket(host)).toBe(false);
    expect(program.stderr).toBe("");
  });

  test("set down a moment before a peer is added: nothing is sent", async () => {
    const program = await startInForeground();
    await host.ip("link set lo up", "link set wg0 up");
    await sleep(100); // until it has noticed
    await host.run([
      "bash",
      "-ec",
      "ip link set wg0 down; wg set wg0 private-key <(wg genkey) peer $(wg genkey | wg pubkey) endpoint 127.0.0.1:9 persistent-keepalive 1",
    ]);
    await sleep(1_500);
    expect(await host.run(["wg", "show", "wg0", "transfer"])).toMatch(/\t0\t0\n$/);
    await host.ip("link set wg0 up");
    await eventually("it is spoken to", async () =>
      /\t0\t[1-9]\d*\n$/.test(await host.run(["wg", "show", "wg0", "transfer"])),
    );
    await program.stop("SIGTERM");
  });

  test("socket file removed: it ends, as wireguard-go does", async () => {
    const program = await startInForeground();
    await host.run(["rm", "/run/wireguard/wg0.sock"]);
    expect(await Promise.race([program.exited, sleep(5_000, "still running")])).toEqual({ status: 0, signal: null });
    expect(await hasInterface()).toBe(false);
  });

  test("in the background: it returns only when interface and socket exist, and leaves its terminal", async () => {
    const started = await host.try([longhaul.path, "wg0"]);
    expect(started).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(hasSocket(host)).toBe(true);
    expect(await hasInterface()).toBe(true);
    const [pid] = host.processes();
    const [, , , , , session, terminal] = (await host.run(["cat", `/proc/${pid}/stat`]))
      .replace(/^.*\)/, "0 x")
      .split(" ");
    expect(Number(session)).toBe(pid);
    expect(Number(terminal)).toBe(0);
    process.kill(pid!, "SIGTERM");
    await eventually("gone", async () => host.processes().length === 0 && !(await hasInterface()));
    expect(hasSocket(host)).toBe(false);
  });

  test("a name that is taken: status 1, a reason, and the first daemon goes on", async () => {
    const first = await startInForeground();
    const second = await host.try([longhaul.path, "wg0"]);
    expect(second.status).toBe(1);
    expect(second.stderr).toContain("wg0");
    expect((await host.try(["wg", "show", "wg0"])).status).toBe(0);
    expect(await first.stop()).toEqual({ status: 0, signal: null });
  });

  test("without CAP_NET_ADMIN: status 1, and what to do", async () => {
    const bare = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", longhaul.path, "wg0"];
    const refused = await host.try(bare);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/EPERM.*CAP_NET_ADMIN/s);
    expect(hasSocket(host)).toBe(false);
  });

  test("the socket is for its owner alone, its directory for everybody to look into", async () => {
    const program = await startInForeground();
    expect((await host.run(["stat", "-c", "%a", "/run/wireguard", "/run/wireguard/wg0.sock"])).split("\n")).toEqual([
      "755",
      "700",
      "",
    ]);
    await program.stop();
  });
});
