// longhaul up, reload and down on real namespaces: what an admin sees, and what is left behind.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/gateway.js";
import { newKeyPair } from "../support/keys.js";
import {
  buildOffices,
  CONFIG_PATH,
  type FileExtras,
  lanAddress,
  officeFile,
  runLonghaul,
  type ServiceOffice,
  type ServiceOffices,
  tracesOf,
} from "../support/offices.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";

/** Holds UDP port 7777. */
const HOLD_PORT = 'require("dgram").createSocket("udp4").bind(7777, () => process.stdout.write("bound"))';

/** What a service manager would give the service's own user. */
const GIVE_TO_NOBODY = `
mknod -m 666 /run/tun c 10 200
mount --bind /run/tun /dev/net/tun
mkdir -p /run/longhaul /run/wireguard
chown 65534 /run/longhaul /run/wireguard
`;

/** Notes what it is asked, as resolvconf(8) would do it. */
const RESOLVCONF = '#!/bin/sh\n{ echo "$@"; case $1 in -a) cat;; esac; } >>/run/resolvconf.notes\n';

describe("service", requireTools(["ip", "wg", "ping", "nft"]), () => {
  let offices: ServiceOffices;
  let left: ServiceOffice;
  let right: ServiceOffice;
  let untouched: Record<string, string>;

  beforeAll(async () => {
    offices = await buildOffices();
    ({ left, right } = offices);
    untouched = await tracesOf(left.gateway);
    await right.gateway.writeFile(CONFIG_PATH, officeFile(right, left));
    expect(await runLonghaul(right, "up", CONFIG_PATH)).toMatchObject({ status: 0 });
  });
  afterAll(() => offices?.lab.close());
  afterEach(async () => {
    await runLonghaul(left, "down", "hq");
  });

  const write = (extras: FileExtras = {}): Promise<void> =>
    left.gateway.writeFile(CONFIG_PATH, officeFile(left, right, extras));
  const up = async (extras: FileExtras = {}): Promise<string> => {
    await write(extras);
    const result = await runLonghaul(left, "up", CONFIG_PATH);
    expect(result).toMatchObject({ status: 0, stdout: "" });
    return result.stderr;
  };
  const reaches = (address: string): Promise<void> =>
    eventually(`${address} answers`, async () => (await ping(left.lan, address, { count: 1, waitS: 1 })) === 1, 30_000);
  const killed = async (): Promise<void> => {
    for (const pid of left.gateway.processes()) process.kill(pid, "SIGKILL");
    const isGone = async (): Promise<boolean> => (await left.gateway.try(["ip", "link", "show", "hq"])).status !== 0;
    await eventually("the interface is gone", isGone);
  };
  const ip = (...words: string[]): Promise<string> => left.gateway.run(["ip", ...words]);

  test("up joins the LANs, says what it did, serves wg(8); down leaves nothing", async () => {
    const said = await up();
    expect(said).toContain("longhaul: ip -4 address add 10.99.0.1/24 dev hq\n");
    expect(said).toContain("longhaul: ip -4 route add 192.168.20.0/24 dev hq proto 4\n");
    expect(said).toContain("longhaul: hq is up\n");
    await reaches(lanAddress(right));
    expect(await ip("link", "show", "hq")).toContain("mtu 1420");
    expect(await left.gateway.run(["wg", "show", "hq", "listen-port"])).toBe("51820\n");
    const again = await runLonghaul(left, "up", CONFIG_PATH);
    expect(again).toMatchObject({
      status: 1,
      stderr: `longhaul: hq is already up; longhaul reload ${CONFIG_PATH} applies its file\n`,
    });
    const down = await runLonghaul(left, "down", "hq");
    expect(down).toMatchObject({ status: 0, stdout: "" });
    expect(down.stderr).toContain("longhaul: hq is down\n");
    expect(await tracesOf(left.gateway)).toEqual({ ...untouched, files: "/run/longhaul:\n\n/run/wireguard:\n" });
    expect(await runLonghaul(left, "down", "hq")).toMatchObject({
      status: 4,
      stderr: "longhaul: hq is not running: nothing answers at /run/longhaul/hq.sock\n",
    });
  });

  test("a key that a hook hands over, as wg-quick(8) shows it, lasts through reload and stays out of the saved file", async () => {
    const hook = "PostUp = wg set %i private-key <(cat /run/hq.key)\n";
    const byHook = officeFile(left, right).replace(/^PrivateKey = .*\n/m, hook);
    await left.gateway.writeFile("/run/hq.key", left.keys.privateKey);
    await left.gateway.writeFile(CONFIG_PATH, byHook);
    expect(await runLonghaul(left, "up", CONFIG_PATH)).toMatchObject({ status: 0 });
    await reaches(lanAddress(right));
    expect((await runLonghaul(left, "reload", "hq")).stderr).toBe("longhaul: hq: nothing to change\n");
    expect(await left.gateway.run(["wg", "show", "hq", "public-key"])).toBe(`${left.keys.publicKey}\n`);
    expect(await runLonghaul(left, "save", CONFIG_PATH)).toMatchObject({ status: 0 });
    expect(await left.gateway.run(["cat", CONFIG_PATH])).toBe(byHook);
  });

  test("an address that metrics cannot have is told at up and reload, and the tunnel is there all the same", async () => {
    const metrics = (port: number): FileExtras => ({ peers: `[Daemon]\nMetrics = 192.0.2.77:${port}\n` });
    const problem = /^longhaul: warning: no metrics at 192\.0\.2\.77:\d+: listen EADDRNOTAVAIL.*; it is tried again$/m;
    expect(await up(metrics(9_586))).toMatch(problem);
    await write(metrics(9_587));
    expect((await runLonghaul(left, "reload", "hq")).stderr).toMatch(problem);
    await reaches(lanAddress(right));
  });

  test("a reload takes a new private key, on both sides without a restart", async () => {
    await up();
    await reaches(lanAddress(right));
    const renewed = { ...left, keys: newKeyPair() };
    const link = await ip("-o", "link", "show", "hq");
    for (const [office, file] of [
      [left, officeFile(renewed, right)],
      [right, officeFile(right, renewed)],
    ] as const) {
      await office.gateway.writeFile(CONFIG_PATH, file);
      expect(await runLonghaul(office, "reload", "hq")).toMatchObject({ status: 0 });
    }
    expect(await left.gateway.run(["wg", "show", "hq", "public-key"])).toBe(`${renewed.keys.publicKey}\n`);
    await reaches(lanAddress(right));
    expect(await ip("-o", "link", "show", "hq")).toBe(link);
    await right.gateway.writeFile(CONFIG_PATH, officeFile(right, left));
    expect(await runLonghaul(right, "reload", "hq")).toMatchObject({ status: 0 });
  });

  test("a reload adds and removes a peer under a running ping, which loses nothing", async () => {
    await up();
    await reaches(lanAddress(right));
    const third = newKeyPair().publicKey;
    const pinging = left.lan.start(["ping", "-i", "0.05", "-c", "60", "-W", "2", lanAddress(right)]);
    const handshake = await left.gateway.run(["wg", "show", "hq", "latest-handshakes"]);
    const shookHandsS = Number(handshake.trim().split("\t")[1]);
    await eventually("another handshake would show", () => Date.now() > (shookHandsS + 1) * 1_000);
    await write({ peers: `[Peer]\n# friendly_name = third\nPublicKey = ${third}\nAllowedIPs = 192.168.30.0/24\n` });
    const added = await runLonghaul(left, "reload", "hq");
    expect(added).toMatchObject({ status: 0, stdout: "" });
    expect(added.stderr).toContain(third);
    expect(await ip("route", "show", "192.168.30.0/24")).toContain("dev hq");
    expect(await left.gateway.run(["wg", "show", "hq", "allowed-ips"])).toContain(`${third}\t192.168.30.0/24\n`);
    await write();
    expect(await runLonghaul(left, "reload", "hq")).toMatchObject({ status: 0 });
    expect(await ip("route", "show", "192.168.30.0/24")).toBe("");
    expect(await left.gateway.run(["wg", "show", "hq", "latest-handshakes"])).toBe(handshake);
    await pinging.exited;
    expect(pinging.stdout).toContain("60 packets transmitted, 60 received, 0% packet loss");
    expect((await runLonghaul(left, "reload", "hq")).stderr).toBe("longhaul: hq: nothing to change\n");
  });

  test("a full tunnel takes everything but the tunnel's own datagrams, and down gives it back", async () => {
    await right.gateway.ip("address add 203.0.113.99/32 dev lo");
    await up({ allowedIps: ["0.0.0.0/0", "::/0"] });
    await reaches("203.0.113.99");
    expect(await ip("rule")).toMatch(/not from all fwmark 0xca6c lookup 51820/);
    expect(await ip("-6", "rule")).toContain("suppress_prefixlength 0");
    expect(await left.gateway.run(["wg", "show", "hq", "fwmark"])).toBe("0xca6c\n");
    expect(await left.gateway.run(["nft", "list", "tables"])).toBe("table inet longhaul-hq\n");
    await left.gateway.sysctl("ipv4/conf/eth0/rp_filter", 1);
    await reaches("203.0.113.99");
    await write();
    expect(await runLonghaul(left, "reload", "hq")).toMatchObject({ status: 0 });
    await reaches(lanAddress(right));
    expect(await ip("rule")).toBe(untouched["rules"]?.split("\n").slice(0, 3).join("\n") + "\n");
    await write({ allowedIps: ["0.0.0.0/0"] });
    expect(await runLonghaul(left, "reload", "hq")).toMatchObject({ status: 0 });
    await reaches("203.0.113.99");
    await ip("rule", "del", "not", "fwmark", "51820", "table", "51820"); //  by hand: that is no problem on the way down
    expect(await runLonghaul(left, "down", "hq")).toMatchObject({ status: 0 });
    expect(await tracesOf(left.gateway)).toEqual({ ...untouched, files: "/run/longhaul:\n\n/run/wireguard:\n" });
  });

  test("a file with an error changes nothing, and a port that is taken or a route that exists bring everything back", async () => {
    await up();
    await reaches(lanAddress(right));
    const before = await tracesOf(left.gateway);
    const shown = await left.gateway.run(["wg", "showconf", "hq"]);
    const refuse = async (extras: FileExtras, because: RegExp): Promise<void> => {
      await write(extras);
      const refused = await runLonghaul(left, "reload", "hq");
      expect(refused).toMatchObject({ status: 1, stdout: "" });
      expect(refused.stderr).toMatch(because);
      expect(await tracesOf(left.gateway)).toEqual(before);
      expect(await left.gateway.run(["wg", "showconf", "hq"])).toBe(shown);
    };
    const peer = `[Peer]\nPublicKey = ${newKeyPair().publicKey}\nAllowedIPs = 192.168.30.0/24`;
    await refuse({ interface: ["Adress = 10.1.1.1"], peers: peer }, /Adress/);
    await refuse({ peers: `${peer}, 192.168.10.0/24\n` }, /192\.168\.10\.0\/24.*another interface has it/);
    const holder = left.gateway.start([process.execPath, "-e", HOLD_PORT]);
    await holder.waitForOutput(/bound/);
    await refuse({ interface: ["MTU = 1300"], peers: peer, listenPort: 7_777 }, /another socket holds .*7777/);
    await holder.stop();
    await reaches(lanAddress(right));
  });

  test("a hook that fails takes everything back and is named", async () => {
    for (const hook of ["PreUp = echo preparing %i; exit 7", "PostUp = echo preparing %i; exit 7"]) {
      await write({
        interface: ["PreUp = touch /run/%i.pre", hook, "PostDown = touch /run/%i.post"],
        allowedIps: ["0.0.0.0/0"],
      });
      const failed = await runLonghaul(left, "up", CONFIG_PATH);
      expect(failed).toMatchObject({ status: 1, stdout: "" });
      const [moment] = hook.split(" ");
      expect(failed.stderr).toContain(`longhaul: ${moment}: preparing hq\n`);
      expect(failed.stderr).toContain(`longhaul: ${moment} "echo preparing hq; exit 7" failed with status 7\n`);
      expect(await tracesOf(left.gateway)).toEqual({ ...untouched, files: "/run/longhaul:\n\n/run/wireguard:\n" });
    }
    expect((await left.gateway.try(["ls", "/run/hq.pre", "/run/hq.post"])).stdout).toBe("/run/hq.pre\n");
  });

  test("hooks run at their moments; one that fails on the way down is told, and it goes down all the same", async () => {
    const note = (moment: string): string =>
      `${moment} = echo ${moment} $(ip -brief address show hq 2>&1) >>/run/%i.notes`;
    const hooks = ["PreUp", "PostUp", "PreDown", "PostDown"].map(note);
    await up({ interface: [...hooks, "PreDown = exit 3", "SaveConfig = true"] });
    const extra = newKeyPair().publicKey;
    await left.gateway.run(["wg", "set", "hq", "peer", extra, "allowed-ips", "192.168.40.0/24"]);
    const down = await runLonghaul(left, "down", "hq");
    expect(down).toMatchObject({ status: 3 });
    expect(down.stderr).toContain('longhaul: warning: PreDown "exit 3" failed with status 3\n');
    const notes = (await left.gateway.run(["cat", "/run/hq.notes"])).split("\n");
    expect(notes[0]).toMatch(/^PreUp hq DOWN\s*$/);
    expect(notes[1]).toMatch(/^PostUp hq UNKNOWN 10\.99\.0\.1\/24/);
    expect(notes[2]).toMatch(/^PreDown hq UNKNOWN 10\.99\.0\.1\/24/);
    expect(notes[3]).toMatch(/^PostDown Device "hq" does not exist/);
    const saved = await left.gateway.run(["cat", CONFIG_PATH]);
    for (const line of [extra, "192.168.40.0/24", ...hooks]) expect(saved).toContain(line);
  });

  test("after kill -9 the next up takes over: socket files, rules and filter of the dead one go", async () => {
    await up({ allowedIps: ["0.0.0.0/0"] });
    await killed();
    expect(await ip("rule")).toContain("51820");
    expect(await runLonghaul(left, "down", "hq")).toMatchObject({ status: 0 });
    expect(await ip("rule")).not.toContain("51820");
    await up({ allowedIps: ["0.0.0.0/0"] });
    await killed();
    await up();
    await reaches(lanAddress(right));
    expect(await ip("rule")).not.toContain("51820");
    expect(await left.gateway.run(["nft", "list", "tables"])).toBe("");
  });

  test("name servers are told to resolvconf and taken back; SIGHUP reloads; an endpoint is found by its name once it has an address", async () => {
    await left.gateway.run(["mkdir", "-p", "/run/bin"]);
    await left.gateway.writeFile("/run/bin/resolvconf", RESOLVCONF);
    await left.gateway.run(["chmod", "755", "/run/bin/resolvconf"]);
    await up({ interface: ["DNS = 10.99.0.53, example.org"] });
    await write({ interface: ["DNS = 10.99.0.54", "MTU = 1300"] });
    for (const pid of left.gateway.processes()) process.kill(pid, "SIGHUP");
    await eventually("reloaded", async () => (await ip("link", "show", "hq")).includes("mtu 1300"));
    expect(await runLonghaul(left, "down", "hq")).toMatchObject({ status: 0 });
    expect(await left.gateway.run(["cat", "/run/resolvconf.notes"])).toBe(
      "-a hq -m 0 -x\nnameserver 10.99.0.53\nsearch example.org\n-a hq -m 0 -x\nnameserver 10.99.0.54\n-d hq -f\n",
    );
    await left.gateway.run(["rm", "/run/bin/resolvconf"]);
    await left.gateway.writeFile("/run/hosts", "");
    await left.gateway.run(["mount", "--bind", "/run/hosts", "/etc/hosts"]);
    await write({ interface: ["DNS = 10.99.0.53"], endpointHost: "gateway2.example.org" });
    const outcome = JSON.parse((await runLonghaul(left, "up", "--json", CONFIG_PATH)).stdout);
    await left.gateway.writeFile("/run/hosts", "192.0.2.2 gateway2.example.org\n");
    await reaches(lanAddress(right));
    expect(outcome).toMatchObject({ interface: "hq", state: "up" });
    expect(outcome.changes).toContain("ip -4 address add 10.99.0.1/24 dev hq");
    expect(outcome.warnings).toEqual([
      "resolvconf (apt install openresolv) is not installed: the system keeps its name servers",
    ]);
  });

  test("Table: off sets no route, a number fills that table; addresses change, and what the kernel takes along comes back", async () => {
    await up({ interface: ["Table = off"], allowedIps: ["0.0.0.0/0"] });
    expect(await ip("route", "show", "192.168.20.0/24")).toBe("");
    expect(await ip("rule")).not.toContain("fwmark");
    await write({ interface: ["Table = 1234"] });
    expect(await runLonghaul(left, "reload", "hq")).toMatchObject({ status: 0 });
    expect(await ip("route", "show", "table", "1234")).toMatch(/192\.168\.20\.0\/24 dev hq/);
    expect(await ip("route", "show", "192.168.20.0/24")).toBe("");

    const primary = ["Address = 10.98.0.1/24", "Address = 10.98.0.2/24", "Address = 10.97.0.1/24"];
    await write({ interface: primary });
    expect(await runLonghaul(left, "reload", "hq")).toMatchObject({ status: 0 });
    await left.gateway.sysctl("ipv4/conf/all/promote_secondaries", 0);
    await left.gateway.sysctl("ipv4/conf/hq/promote_secondaries", 0);
    await ip("route", "add", "192.168.77.0/24", "dev", "hq");
    await write({ interface: primary.slice(1), allowedIps: ["192.168.77.0/24"] });
    expect(await runLonghaul(left, "reload", "hq")).toMatchObject({ status: 0 });
    const shown = await ip("-4", "-brief", "address", "show", "hq");
    expect(shown.trim().split(/\s+/).slice(2).sort()).toEqual(["10.97.0.1/24", "10.98.0.2/24", "10.99.0.1/24"]);
    expect(await ip("route", "show", "192.168.20.0/24")).toContain("dev hq");
    await write();
    expect(await runLonghaul(left, "reload", "hq")).toMatchObject({ status: 0 });
    expect(await ip("route", "show", "192.168.77.0/24")).toBe("");
    await reaches(lanAddress(right));
  });

  test("--dry-run tells what would be done, without a secret, and does nothing", async () => {
    await write({ interface: ["PostUp = true %i"] });
    const before = await tracesOf(left.gateway);
    const plan = await runLonghaul(left, "up", "--dry-run", CONFIG_PATH);
    expect(plan).toMatchObject({ status: 0, stderr: "" });
    expect(plan.stdout.split("\n").at(0)).toBe("create the interface hq");
    expect(plan.stdout).toContain("ip -4 route add 192.168.20.0/24 dev hq proto 4\n");
    expect(plan.stdout).toContain("PostUp: true hq\n");
    expect(plan.stdout).not.toContain(left.keys.privateKey);
    expect(await tracesOf(left.gateway)).toEqual(before);
    const mtuStep = async (): Promise<string | undefined> =>
      /link set dev hq mtu \d+/.exec((await runLonghaul(left, "up", "-n", CONFIG_PATH)).stdout)?.[0];
    expect(await mtuStep()).toBeUndefined();
    await ip("route", "add", "192.0.2.2", "dev", "eth0", "mtu", "1300");
    expect(await mtuStep()).toBe("link set dev hq mtu 1220");
    await ip("route", "del", "192.0.2.2");
    await ip("link", "set", "eth0", "mtu", "1400");
    expect(await mtuStep()).toBe("link set dev hq mtu 1320");
    await ip("link", "set", "eth0", "mtu", "1500");
    await write({ interface: ["FwMark = 254"], allowedIps: ["0.0.0.0/0"] });
    const refused = await runLonghaul(left, "up", CONFIG_PATH);
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toContain("FwMark 254 is also the routing table of the default route");
    expect(await tracesOf(left.gateway)).toEqual({ ...untouched, files: "/run/longhaul:\n\n/run/wireguard:\n" });
    await up();
    await write({ interface: ["MTU = 1300"] });
    const change = await runLonghaul(left, "reload", "--dry-run", "--json", "hq");
    expect(JSON.parse(change.stdout)).toEqual({
      interface: "hq",
      changes: ["ip -4 link set dev hq mtu 1300"],
      warnings: [],
    });
    expect((await runLonghaul(left, "down", "-n", "hq")).stdout).toContain("delete the interface hq\n");
    expect(await ip("link", "show", "hq")).toContain("mtu 1420");
  });

  test("an ordinary user with CAP_NET_ADMIN alone brings a full tunnel up and down", async () => {
    await left.gateway.run(["sh", "-ec", GIVE_TO_NOBODY]);
    await write({ allowedIps: ["0.0.0.0/0", "::/0"] });
    await left.gateway.run(["chown", "65534", CONFIG_PATH]);
    const upped = await runLonghaul(left, "up", CONFIG_PATH, { asNobody: true });
    expect(upped).toMatchObject({ status: 0 });
    expect(upped.stderr).not.toContain("warning");
    const [pid] = left.gateway.processes();
    const status = await left.gateway.run(["cat", `/proc/${pid}/status`]);
    expect(status).toMatch(/^Uid:\s+65534\s+65534/m);
    await reaches(lanAddress(right));
    expect(await ip("-6", "rule")).toContain("not from all fwmark 0xca6c lookup 51820");
    expect(await runLonghaul(left, "down", "hq", { asNobody: true })).toMatchObject({ status: 0 });
    expect(await tracesOf(left.gateway)).toEqual({ ...untouched, files: "/run/longhaul:\n\n/run/wireguard:\n" });
    await left.gateway.run(["chown", "0", "/run/longhaul", "/run/wireguard"]);
    await left.gateway.run(["rm", CONFIG_PATH]);
  });
});
