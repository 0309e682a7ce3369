// The Debian package as a new user meets it: two machines with a clean Debian and nothing of longhaul, and README.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/gateway.js";
import { newKeyPair } from "../support/keys.js";
import { buildOffices, lanAddress, type ServiceOffices } from "../support/offices.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";
import { debianTree, Machine } from "../systemd/machine.js";
import { blocksOf } from "./readme.js";

const project = fileURLToPath(new URL("../..", import.meta.url));
const packages = join(project, "dist-packages");
const architecture = process.arch === "x64" ? "amd64" : process.arch;

/** Files that a system writes on its own, and the admin's. */
const NOT_OURS =
  /^\/(var\/(log|cache|lib\/(apt|dpkg|systemd|private))|etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?$|srv\/)/;

describe("the Debian package", requireTools(["ip", "ping", "debootstrap", "lowdown", "lintian", "mandoc"]), () => {
  let offices: ServiceOffices;
  const machines: Machine[] = [];
  const clean = mkdtempSync(join(tmpdir(), "longhaul-clean-"));
  let before: string[];
  let deb: string;
  let [a, b]: Machine[] = [];

  /** Runs a block of README as it stands, in a directory with the package. */
  const follow = (machine: Machine, block: string): Promise<string> => machine.run("bash", "-euc", `cd /srv\n${block}`);

  const files = async (machine: Machine): Promise<string[]> =>
    (await machine.run("find", "/", "-xdev")).split("\n").filter((path) => !NOT_OURS.test(path));

  beforeAll(async () => {
    rmSync(packages, { recursive: true, force: true });
    execFileSync("npm", ["run", "--silent", "package"], { cwd: project, stdio: ["ignore", "ignore", "inherit"] });
    deb = join(packages, readdirSync(packages).find((name) => name.endsWith(`_${architecture}.deb`)) as string);
    const tree = debianTree();
    offices = await buildOffices();
    for (const { gateway } of [offices.left, offices.right])
      machines.push(await Machine.boot(gateway, tree, { path: clean }));
    [a, b] = machines as [Machine, Machine];
    before = await files(a);
    const name = deb.split("/").at(-1) as string;
    const bytes = readFileSync(deb).toString("base64");
    for (const machine of machines) {
      await machine.writeFile("/srv/package.base64", bytes);
      await machine.run("sh", "-c", `base64 -d /srv/package.base64 >/srv/${name}; rm /srv/package.base64`);
      // A machine without the internet: apt looks for no package that is merely recommended.
      await machine.run("sh", "-c", "rm -rf /var/lib/apt/lists/*; sysctl -q net.ipv4.ip_forward=0");
    }
    await b.run("sh", "-c", "echo 192.0.2.1 a.example.org >>/etc/hosts");
  }, 1_200_000);

  afterAll(async () => {
    await Promise.all(machines.map((machine) => machine.close()));
    await offices?.lab.close();
    rmSync(clean, { recursive: true, force: true });
  });

  test("has no error that lintian finds, and manual pages that mandoc reads without a warning", () => {
    const { stdout } = spawnSync("lintian", ["--fail-on", "none", deb], { encoding: "utf8" });
    expect(stdout.split("\n").filter((line) => /^[EW]:/.test(line))).toEqual([]);
    const pages = ["man8/longhaul.8.gz", "man5/longhaul.conf.5.gz"].map((page) => `./usr/share/man/${page}`);
    for (const page of pages) {
      const script = `dpkg-deb --fsys-tarfile "$0" | tar -xO "$1" | gunzip | mandoc -Tlint -Wwarning`;
      const { stdout: said, status } = spawnSync("bash", ["-o", "pipefail", "-c", script, deb, page], {
        encoding: "utf8",
      });
      expect({ said, status }).toEqual({ said: "", status: 0 });
    }
  });

  test("is the same to the last bit when somebody else builds it", () => {
    const first = readFileSync(deb);
    const script = "umask 077 && TZ=Asia/Tokyo LC_ALL=C exec npm run --silent package";
    execFileSync("bash", ["-c", script], { cwd: project, stdio: ["ignore", "ignore", "inherit"] });
    expect(readFileSync(deb).equals(first)).toBe(true);
  });

  test("installs on a clean machine, starts nothing, switches on forwarding", async () => {
    const [install] = blocksOf("Install");
    for (const machine of machines) {
      await follow(machine, install);
      expect(await machine.run("longhaul", "--version")).toMatch(/^longhaul \d/);
      expect((await machine.run("sysctl", "-n", "net.ipv4.ip_forward")).trim()).toBe("1");
      expect(await machine.run("systemctl", "list-units", "--plain", "--no-legend", "longhaul@*")).toBe("");
      expect(await machine.run("stat", "-c", "%U:%G %a", "/etc/longhaul")).toBe("root:longhaul 750\n");
      await machine.run("systemd-analyze", "verify", "longhaul@hq.service");
    }
  });

  test("README, from nothing to a working two-office service, every command as it is written", async () => {
    const blocks = blocksOf("Two offices");
    const [keys, fileA, fileB, enable, look] = blocks;
    const publicKeys: string[] = [];
    for (const machine of machines) publicKeys.push((await follow(machine, keys)).trim());
    const privateKeys = await Promise.all(machines.map((machine) => machine.run("cat", "/etc/longhaul/hq.key")));
    for (const [i, file] of [fileA, fileB].entries()) {
      const filled = file
        .replace(/\(contents of [AB]'s hq\.key\)/, privateKeys[i].trim())
        .replace(/\([AB]'s public key\)/, publicKeys[1 - i]);
      expect(filled).not.toContain("(");
      await machines[i].writeFile("/etc/longhaul/hq.conf", filled);
      await follow(machines[i], enable);
    }
    const { left, right } = offices;
    await eventually("LAN reaches LAN", () => ping(left.lan, lanAddress(right)).then((replies) => replies > 0), 60_000);
    expect(await ping(right.lan, lanAddress(left))).toBeGreaterThan(0);
    for (const machine of machines) expect(await follow(machine, look)).toMatch(/latest handshake/);
  });

  test("README's third office is added without a restart", async () => {
    const reload = blocksOf("Two offices").at(-1) as string;
    const pid = await a.property("longhaul@hq", "MainPID");
    const third = newKeyPair().publicKey;
    const section = `\n[Peer]\nPublicKey = ${third}\nAllowedIPs = 10.99.0.3/32, 192.168.30.0/24\n`;
    await a.run("sh", "-c", `printf '%s' '${section}' >>/etc/longhaul/hq.conf`);
    expect(await follow(a, reload)).toContain("192.168.30.0/24");
    expect(await a.run("wg", "show", "hq", "peers")).toContain(third);
    expect(await a.run("ip", "route", "show", "dev", "hq")).toContain("192.168.30.0/24");
    expect(await a.property("longhaul@hq", "MainPID")).toBe(pid);
  });

  test("the same files by longhaul up and down", async () => {
    for (const machine of machines) {
      await machine.run("systemctl", "disable", "--now", "longhaul@hq");
      await machine.run("longhaul", "up", "hq");
    }
    const { left, right } = offices;
    await eventually("LAN reaches LAN", () => ping(left.lan, lanAddress(right)).then((replies) => replies > 0), 60_000);
    for (const machine of machines) {
      await machine.run("longhaul", "down", "hq");
      expect((await machine.try("ip", "link", "show", "hq")).status).not.toBe(0);
    }
  });

  test("an upgrade lets a gateway go on, a removal stops it, a purge leaves the admin's files and nothing else", async () => {
    await a.run("systemctl", "enable", "--now", "longhaul@hq");
    const pid = await a.property("longhaul@hq", "MainPID");
    const link = (): Promise<string> => a.run("sh", "-c", "ip -o link show hq | cut -d: -f1,2");
    const same = await link();
    await a.run("sh", "-c", "dpkg -i /srv/longhaul_*.deb");
    expect(await link(), await a.journal("longhaul@hq")).toBe(same);
    expect(await a.property("longhaul@hq", "ActiveState")).toBe("active");
    expect(await a.property("longhaul@hq", "MainPID")).not.toBe(pid);
    await a.run("apt-get", "-y", "remove", "longhaul");
    expect((await a.try("ip", "link", "show", "hq")).status).not.toBe(0);
    await a.run("apt-get", "-y", "purge", "longhaul");
    const left = (await files(a)).filter((path) => !before.includes(path));
    expect(left.sort()).toEqual(["/etc/longhaul", "/etc/longhaul/hq.conf", "/etc/longhaul/hq.key"]);
    expect((await a.try("getent", "passwd", "longhaul")).status).not.toBe(0);
  });
});
