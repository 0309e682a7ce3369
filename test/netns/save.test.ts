// longhaul save and strip against a running gateway, SaveConfig, and a peer that is found by its name once there is one.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/gateway.js";
import { newKeyPair } from "../support/keys.js";
import {
  buildOffices,
  CONFIG_PATH,
  lanAddress,
  officeFile,
  runLonghaul,
  type ServiceOffice,
  type ServiceOffices,
} from "../support/offices.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";

describe("a file and what runs", requireTools(["ip", "wg", "ping"]), () => {
  let offices: ServiceOffices;
  let left: ServiceOffice;
  let right: ServiceOffice;

  beforeAll(async () => {
    offices = await buildOffices();
    ({ left, right } = offices);
  });
  afterAll(() => offices?.lab.close());
  afterEach(async () => {
    for (const office of [left, right]) await runLonghaul(office, "down", "hq");
  });

  const file = (): Promise<string> => left.gateway.run(["cat", CONFIG_PATH]);
  const wg = (...words: string[]): Promise<string> => left.gateway.run(["wg", ...words]);

  test("save writes what wg(8) and ip(8) changed, reload then has nothing to do, strip feeds setconf", async () => {
    const text = `# Berlin\n${officeFile(left, right, { interface: ["MTU = 1400", "PostUp = true # nothing"] })}[Daemon]\nMetrics = off\n`;
    await left.gateway.writeFile(CONFIG_PATH, text);
    expect(await runLonghaul(left, "save", CONFIG_PATH)).toMatchObject({ status: 4, stdout: "" });
    expect(await runLonghaul(left, "up", CONFIG_PATH)).toMatchObject({ status: 0 });
    expect((await runLonghaul(left, "save", CONFIG_PATH)).stderr).toBe(
      `longhaul: ${CONFIG_PATH} says all of it already\n`,
    );
    const { publicKey } = newKeyPair();
    await wg("set", "hq", "listen-port", "7777", "peer", publicKey, "allowed-ips", "10.50.0.0/16");
    await left.gateway.ip("address add 10.50.0.1/32 dev hq", "link set hq mtu 1300");
    const plan = await runLonghaul(left, "save", "--dry-run", "--json", CONFIG_PATH);
    const changes = [
      "Address = 10.99.0.1/24, 10.50.0.1/32, fd99::1/64",
      "MTU = 1300",
      "ListenPort = 7777",
      `peer ${publicKey}: added`,
    ];
    expect(JSON.parse(plan.stdout)).toEqual({ interface: "hq", changes, warnings: [] });
    expect(await file()).toBe(text);
    const saved = await runLonghaul(left, "save", CONFIG_PATH);
    expect(saved).toMatchObject({ status: 0, stdout: "" });
    expect(saved.stderr).toBe(
      [...changes, `hq is saved to ${CONFIG_PATH}`].map((line) => `longhaul: ${line}\n`).join(""),
    );
    expect(await file()).toBe(
      text
        .replace("10.99.0.1/24, fd99::1/64", "10.99.0.1/24, 10.50.0.1/32, fd99::1/64")
        .replace("51820\nMTU = 1400", "7777\nMTU = 1300")
        .replace("\n\n[Daemon]", `\n\n[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = 10.50.0.0/16\n\n[Daemon]`),
    );
    expect(await left.gateway.run(["stat", "-c", "%a %U", CONFIG_PATH])).toBe("600 root\n");
    const before = await wg("showconf", "hq");
    await left.gateway.run(["sh", "-c", `umask 077; "$0" strip ${CONFIG_PATH} >/run/stripped.conf`, longhaul.path]);
    await wg("setconf", "hq", "/run/stripped.conf");
    expect(await wg("showconf", "hq")).toBe(before);
  });

  test("SaveConfig saves when the interface goes down; a broken file is left alone", async () => {
    await left.gateway.writeFile(CONFIG_PATH, officeFile(left, right, { interface: ["SaveConfig = true"] }));
    expect(await runLonghaul(left, "up", CONFIG_PATH)).toMatchObject({ status: 0 });
    await wg("set", "hq", "listen-port", "7778");
    expect(await runLonghaul(left, "down", "hq")).toMatchObject({ status: 0 });
    expect(await file()).toContain("ListenPort = 7778\n");
    expect(await runLonghaul(left, "up", CONFIG_PATH)).toMatchObject({ status: 0 });
    const broken = (await file()).replace("AllowedIPs", "AllowedIP");
    await left.gateway.writeFile(CONFIG_PATH, broken);
    const { status, stderr } = await runLonghaul(left, "save", CONFIG_PATH);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('unknown key "AllowedIP" in [Peer]; did you mean AllowedIPs?'),
    ]);
    expect(await file()).toBe(broken);
  });

  test("an interface comes up before its peer's name is known, and finds it when it is", async () => {
    const named = officeFile(left, right).replace("192.0.2.2:51820", "lisbon.example:51820");
    await left.gateway.writeFile(CONFIG_PATH, named);
    await left.gateway.writeFile("/run/hosts", "127.0.0.1 localhost\n");
    await left.gateway.run(["mount", "--bind", "/run/hosts", "/etc/hosts"]);
    await right.gateway.writeFile(CONFIG_PATH, officeFile(right, left).replace(/^Endpoint.*\n/m, ""));
    for (const office of [left, right]) {
      expect(await runLonghaul(office, "up", CONFIG_PATH)).toMatchObject({ status: 0 });
    }
    expect(await wg("show", "hq", "endpoints")).toBe(`${right.keys.publicKey}\t(none)\n`);
    await left.gateway.run(["sh", "-c", "echo 192.0.2.2 lisbon.example >>/run/hosts"]);
    const answers = async (): Promise<boolean> =>
      (await ping(left.lan, lanAddress(right), { count: 1, waitS: 1 })) === 1;
    await eventually("the LAN behind the name answers", answers, 90_000);
    expect(await wg("show", "hq", "endpoints")).toBe(`${right.keys.publicKey}\t192.0.2.2:51820\n`);
  });
});
