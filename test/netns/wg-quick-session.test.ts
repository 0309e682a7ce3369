// The session of an admin who sets a tunnel up by hand and keeps it: wg set, an empty file, wg-quick save, down, up. Word for word, on both
// gateways, with longhaul behind wg(8) and wg-quick(8).
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, Lab } from "../../src/demo/lab.js";
import { eventually } from "../support/gateway.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";
import { hideKernelWireguard } from "../support/wg-quick.js";

const PORT = 7_777;

/** What the admin types on a gateway; `peer` is the other one's public key. */
const bySetting = (number: number, other: number, peer: string): string => `
longhaul wg0
ip address add 10.66.0.${number}/24 dev wg0
wg set wg0 listen-port ${PORT}
wg set wg0 private-key /run/private.key
wg set wg0 peer ${peer} allowed-ips 10.66.0.${other}/32,192.168.${other}0.0/24 endpoint 192.0.2.${other}:${PORT}
ip link set wg0 up
ip route add 192.168.${other}0.0/24 dev wg0
`;
const byKeeping = `
touch /etc/wireguard/wg0.conf
wg-quick save wg0
wg-quick down wg0
wg-quick up wg0
`;

describe("an admin's session", requireTools(["ip", "wg", "wg-quick", "ping"]), () => {
  let lab: Lab;
  const hosts: Host[] = [];
  const publicKeys: string[] = [];

  beforeAll(async () => {
    lab = new Lab();
    hosts.push(await lab.addHost("left"), await lab.addHost("right"));
    const [left, right] = hosts as [Host, Host];
    await lab.connect(
      { host: left, name: "eth0", addresses: ["192.0.2.1/24"] },
      { host: right, name: "eth0", addresses: ["192.0.2.2/24"] },
    );
    for (const [i, host] of hosts.entries()) {
      await hideKernelWireguard(host);
      await host.run(["mount", "-t", "tmpfs", "-o", "mode=700", "wireguard", "/etc/wireguard"]);
      await host.run(["mkdir", "/run/bin"]);
      await host.run(["ln", "-s", longhaul.path, "/run/bin/longhaul"]);
      await host.ip(`address add 192.168.${i + 1}0.1/24 dev lo`);
      publicKeys.push((await host.run(["sh", "-c", "umask 077; wg genkey | tee /run/private.key | wg pubkey"])).trim());
    }
  });
  afterAll(() => lab?.close());

  /** Types a script into a shell whose first failing line ends it. */
  const type = (host: Host, script: string): Promise<string> =>
    host.run(["sh", "-exc", `PATH=/run/bin:$PATH; exec 2>&1\n${script}`], {
      env: { WG_QUICK_USERSPACE_IMPLEMENTATION: "longhaul" },
    });
  const joined = async (): Promise<void> => {
    const [left, right] = hosts as [Host, Host];
    await eventually("LAN reaches LAN", async () => (await ping(left, "192.168.20.1", { count: 1, waitS: 1 })) === 1);
    expect(await ping(left, "10.66.0.2")).toBe(3);
    expect(await ping(right, "192.168.10.1")).toBe(3);
  };

  test("wg set joins the LANs", async () => {
    for (const [i, host] of hosts.entries()) await type(host, bySetting(i + 1, 2 - i, publicKeys[1 - i] as string));
    await joined();
  });

  test("touch, save, down, up keeps all of it", async () => {
    for (const [i, host] of hosts.entries()) {
      const shown = await host.run(["wg", "showconf", "wg0"]);
      await type(host, byKeeping);
      const saved = await host.run(["cat", "/etc/wireguard/wg0.conf"]);
      expect(saved).toContain(`Address = 10.66.0.${i + 1}/24\n`);
      expect(saved).toContain(`ListenPort = ${PORT}\n`);
      expect(saved).toContain(`PrivateKey = ${(await host.run(["cat", "/run/private.key"])).trim()}\n`);
      expect(saved).toContain(`Endpoint = 192.0.2.${2 - i}:${PORT}\n`);
      expect(await host.run(["wg", "showconf", "wg0"])).toBe(shown);
      expect(await host.run(["ip", "route", "show", `192.168.${2 - i}0.0/24`])).toContain("dev wg0");
    }
    await joined();
  });

  test("the file it left is one that longhaul up takes", async () => {
    const [left] = hosts as [Host, Host];
    await type(left, "wg-quick down wg0\nlonghaul up wg0");
    await joined();
    await type(left, "longhaul down wg0");
    expect((await left.try(["ip", "link", "show", "wg0"])).status).not.toBe(0);
  });
});
