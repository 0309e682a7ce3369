// What a service does at the edges of its life: hooks, rules and files at stop and restart, broken files, a deleted interface, the drop-ins.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/gateway.js";
import { lanAddress, officeFile, type ServiceOffices } from "../support/offices.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";
import { bootServicePair, type ServiceMachine, type ServicePair, UNIT } from "./service-machine.js";

const CONFIG = "/etc/longhaul/hq.conf";
const DROP_INS = "/etc/systemd/system/longhaul@.service.d";
const hooksFile = "/run/longhaul/hooks";
const hook = (moment: string): string => `${moment} = echo ${moment} >>${hooksFile}`;

describe("the life of a service", requireTools(["ip", "ping", "debootstrap"]), () => {
  let pair: ServicePair;
  let offices: ServiceOffices;
  let left: ServiceMachine;

  beforeAll(async () => {
    pair = await bootServicePair();
    ({ offices, left } = pair);
    await pair.right.machine.writeFile(CONFIG, officeFile(offices.right, offices.left));
    await pair.right.machine.run("systemctl", "start", "longhaul@hq");
  }, 1_200_000);
  afterAll(() => pair?.close());
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") process.stderr.write(await left.machine.journal(UNIT, "--lines", "60"));
  });

  const configure = (...lines: string[]): Promise<void> =>
    left.machine.writeFile(CONFIG, officeFile(offices.left, offices.right, { interface: lines }));
  const systemctl = (...words: string[]): Promise<string> => left.machine.run("systemctl", ...words);
  const hooks = async (): Promise<string[]> => (await left.machine.run("cat", hooksFile)).trim().split("\n");
  const reaches = (): Promise<void> =>
    eventually(
      "a LAN reaches the other",
      async () => (await ping(offices.left.lan, lanAddress(offices.right), { count: 1, waitS: 1 })) === 1,
    );
  /** Installs one of the drop-ins that come with the unit. */
  const useDropIn = async (name: string): Promise<void> => {
    const path = fileURLToPath(new URL(`../../systemd.d/longhaul@.service.d/${name}`, import.meta.url));
    await left.machine.run("mkdir", "-p", DROP_INS);
    await left.machine.writeFile(`${DROP_INS}/${name}`, readFileSync(path, "utf8"));
    await systemctl("daemon-reload");
  };

  test("a machine without a file says so, and is not tried for ever without a pause", async () => {
    expect(await left.machine.try("systemctl", "start", "longhaul@nowhere")).toMatchObject({ status: 1 });
    const journal = await left.machine.journal("longhaul@nowhere.service");
    expect(journal).toContain("there is no /etc/longhaul/nowhere.conf and no /etc/wireguard/nowhere.conf");
    await systemctl("stop", "longhaul@nowhere");
  });

  test("hooks run at start and stop, and a restart is neither", async () => {
    await configure(...["PreUp", "PostUp", "PreDown", "PostDown"].map(hook));
    await systemctl("start", "longhaul@hq");
    expect(await hooks()).toEqual(["PreUp", "PostUp"]);
    await systemctl("restart", "longhaul@hq");
    await reaches();
    expect(await hooks()).toEqual(["PreUp", "PostUp"]);
    await systemctl("stop", "longhaul@hq");
    expect(await hooks()).toEqual(["PreUp", "PostUp", "PreDown", "PostDown"]);
  });

  test("keys are in locked memory, and the process gives no dump", async () => {
    await configure();
    await systemctl("start", "longhaul@hq");
    const pid = await left.pid();
    expect(await left.machine.run("cat", `/proc/${pid}/status`)).toMatch(/^VmLck:\s+[1-9]\d* kB$/m);
    expect((await left.machine.run("stat", "-c", "%U", `/proc/${pid}/mem`)).trim()).toBe("root");
    expect(await left.machine.run("cat", `/proc/${pid}/limits`)).toMatch(/^Max core file size\s+0\s+0\s/m);
    expect((await left.machine.run("stat", "-c", "%U:%G %a", "/run/longhaul/config/hq.conf")).trim()).toBe(
      "root:longhaul 440",
    );
  });

  test("a service can make no socket where wg(8) looks for other interfaces", async () => {
    const asService = ["setpriv", "--reuid=longhaul", "--regid=longhaul", "--clear-groups"];
    const touch = await left.machine.try(...asService, "touch", "/run/wireguard/wg0.sock");
    expect(touch.stderr).toMatch(/Permission denied/);
    expect(await left.machine.run("wg", "show", "interfaces")).toBe("hq\n");
    expect(await left.machine.run("wg", "show", "hq", "public-key")).toBe(`${offices.left.keys.publicKey}\n`);
  });

  test("a socket of another daemon is not taken from it", async () => {
    const start = "systemctl start longhaul@other; s=$?; systemctl stop longhaul@other; exit $s";
    const other = offices.left.keys.privateKey;
    await left.machine.writeFile("/etc/longhaul/other.conf", `[Interface]\nPrivateKey = ${other}\n`);
    await left.machine.run("sh", "-c", "longhaul other");
    expect(await left.machine.try("sh", "-c", start)).toMatchObject({ status: 1 });
    expect(await left.machine.journal("longhaul@other.service")).toContain("belongs to another daemon");
    expect(await left.machine.run("wg", "show", "interfaces")).toMatch(/other/);
    await left.ip("link", "delete", "other");
  });

  test("longhaul reload by root reads the file that the admin wrote", async () => {
    await configure("MTU = 1390");
    expect((await left.machine.try("longhaul", "reload", "--dry-run", "hq")).stdout).toContain("mtu 1390");
    expect((await left.machine.try("longhaul", "reload", "hq")).stderr).toContain("hq is reloaded");
    expect(await left.ip("link", "show", "hq")).toContain("mtu 1390");
    await configure();
    await systemctl("reload", "longhaul@hq");
    expect(await left.ip("link", "show", "hq")).toContain("mtu 1420");
  });

  test("a restart with a broken file leaves everything in place until the file is mended", async () => {
    await reaches();
    const before = await left.network();
    const losses = await left.watchLosses();
    await left.machine.writeFile(CONFIG, "[Interface]\nPrivateKey = nonsense\n");
    expect(await left.machine.try("systemctl", "restart", "longhaul@hq")).toMatchObject({ status: 1 });
    expect(await left.network()).toBe(before);
    await configure();
    await eventually("it runs again", async () => (await left.machine.property(UNIT, "ActiveState")) === "active");
    await reaches();
    expect(await left.network()).toBe(before);
    expect(await losses.end()).toEqual([]);
  });

  test("an interface that somebody deleted is made anew", async () => {
    await left.ip("link", "delete", "hq");
    await eventually(
      "it is there again",
      async () => (await left.machine.try("ip", "link", "show", "hq")).status === 0,
    );
    await eventually("it runs again", async () => (await left.machine.property(UNIT, "ActiveState")) === "active");
    await reaches();
  });

  test("the interface may be taken down and up, and the port changed and changed back", async () => {
    await left.ip("link", "set", "hq", "down");
    await left.ip("link", "set", "hq", "up");
    await eventually("it listens", async () => (await left.machine.run("ss", "-Hlun")).includes(":51820"));
    await left.machine.run("wg", "set", "hq", "listen-port", "7777");
    await left.machine.run("wg", "set", "hq", "listen-port", "51820");
    expect(await left.machine.run("wg", "show", "hq", "listen-port")).toBe("51820\n");
    await left.machine.run("systemctl", "restart", "longhaul@hq");
    await reaches();
  });

  test("rules of a full tunnel stay through a restart and go with a stop", async () => {
    const file = officeFile(offices.left, offices.right, { allowedIps: ["0.0.0.0/0"] });
    await left.machine.writeFile(CONFIG, file);
    await systemctl("restart", "longhaul@hq");
    const rules = await left.ip("rule");
    expect(rules).toMatch(/not from all fwmark/);
    const monitor = left.machine.start("ip", "-o", "monitor", "rule");
    await systemctl("restart", "longhaul@hq");
    await reaches();
    expect(await left.ip("rule")).toBe(rules);
    await monitor.stop();
    expect(monitor.stdout).not.toMatch(/Deleted/);
    await systemctl("stop", "longhaul@hq");
    expect(await left.ip("rule")).not.toMatch(/fwmark/);
  });

  test("a key that a hook hands over is there after a restart and a crash too", async () => {
    const hook = "PostUp = wg set %i private-key /etc/longhaul/hq.key";
    await left.machine.writeFile("/etc/longhaul/hq.key", `${offices.left.keys.privateKey}\n`);
    await left.machine.run("sh", "-c", "chgrp longhaul /etc/longhaul/hq.key; chmod 640 /etc/longhaul/hq.key");
    await left.machine.writeFile(CONFIG, officeFile(offices.left, offices.right).replace(/^PrivateKey.*$/m, hook));
    await systemctl("start", "longhaul@hq");
    await reaches();
    const before = await left.network();
    await systemctl("restart", "longhaul@hq");
    await reaches();
    const pid = await left.pid();
    await left.machine.run("kill", "-9", pid);
    await eventually("another process runs", async () => !["0", pid].includes(await left.pid()));
    await reaches();
    expect(await left.network()).toBe(before);
    await systemctl("stop", "longhaul@hq");
  });

  test("with the drop-in for low ports, the service listens on one", async () => {
    await useDropIn("low-port.conf");
    await configure();
    await left.machine.run("sed", "-i", "s/^ListenPort.*/ListenPort = 443/", CONFIG);
    await systemctl("start", "longhaul@hq");
    await reaches();
    expect(await left.machine.run("wg", "show", "hq", "listen-port")).toBe("443\n");
    await systemctl("stop", "longhaul@hq");
    await left.machine.run("rm", `${DROP_INS}/low-port.conf`);
    await systemctl("daemon-reload");
  });

  test("a hook that needs root is refused with where to read on, and runs with the drop-in for that; so does SaveConfig", async () => {
    const lines = ["PostUp = sysctl -q -w net.ipv4.ip_forward=1 && date >/etc/hooked", "SaveConfig = true"];
    await configure(...lines);
    expect(await left.machine.try("systemctl", "start", "longhaul@hq")).toMatchObject({ status: 1 });
    expect(await left.machine.journal(UNIT)).toMatch(/PostUp .* failed with status \d+; it ran without root's rights/);
    await systemctl("stop", "longhaul@hq");
    await useDropIn("hooks-as-root.conf");
    await systemctl("start", "longhaul@hq");
    await reaches();
    await left.machine.run("rm", "/etc/hooked");
    await left.machine.run("wg", "set", "hq", "listen-port", "51888");
    await systemctl("stop", "longhaul@hq");
    expect(await left.machine.run("cat", CONFIG)).toContain("ListenPort = 51888\n");
    await left.machine.run("rm", `${DROP_INS}/hooks-as-root.conf`);
    await systemctl("daemon-reload");
    await configure();
    await systemctl("start", "longhaul@hq");
    await reaches();
    await systemctl("stop", "longhaul@hq");
  });

  test("with the drop-in for notify-reload, systemd's own signal reloads a file that the group may read", async () => {
    await useDropIn("notify-reload.conf");
    await configure();
    await left.machine.run("chgrp", "longhaul", CONFIG);
    await left.machine.run("chmod", "640", CONFIG);
    await systemctl("start", "longhaul@hq");
    expect(await left.machine.property(UNIT, "Type")).toBe("notify-reload");
    const pid = await left.pid();
    await left.machine.run("sed", "-i", "/^ListenPort/aMTU = 1400", CONFIG);
    await systemctl("reload", "longhaul@hq");
    expect(await left.ip("link", "show", "hq")).toContain("mtu 1400");
    expect(await left.pid()).toBe(pid);
    await systemctl("stop", "longhaul@hq");
    await left.machine.run("rm", `${DROP_INS}/notify-reload.conf`);
  });

  test("with the drop-in for a credential, the private key is in no file that the service reads", async () => {
    await useDropIn("credential.conf");
    const file = officeFile(offices.left, offices.right);
    await left.machine.writeFile(CONFIG, file.replace(/^PrivateKey.*\n/m, ""));
    await left.machine.writeFile("/etc/longhaul/hq.private-key", `${offices.left.keys.privateKey}\n`);
    await systemctl("start", "longhaul@hq");
    await reaches();
    expect(await left.machine.run("cat", "/run/longhaul/config/hq.conf")).not.toContain(offices.left.keys.privateKey);
  });
});
