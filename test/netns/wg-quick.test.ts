// wg-quick(8), unmodified, with longhaul as its userspace implementation.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, Lab } from "../../src/demo/lab.js";
import { eventually } from "../support/gateway.js";
import { type KeyPair, newKeyPair, newPresharedKey } from "../support/keys.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { moveBytes, ping } from "../support/traffic.js";
import { hasSocket } from "../support/uapi-socket.js";
import { hideKernelWireguard } from "../support/wg-quick.js";

describe("wg-quick", requireTools(["ip", "wg", "wg-quick", "ping", "nft"]), () => {
  let lab: Lab;
  let left: Host;
  let right: Host;
  const keys: Record<"left" | "right", KeyPair> = { left: newKeyPair(), right: newKeyPair() };
  const presharedKey = newPresharedKey();

  beforeAll(async () => {
    lab = new Lab();
    left = await lab.addHost("left");
    right = await lab.addHost("right");
    await lab.connect(
      { host: left, name: "eth0", addresses: ["192.0.2.1/24"] },
      { host: right, name: "eth0", addresses: ["192.0.2.2/24"] },
    );
    for (const host of [left, right]) await hideKernelWireguard(host);
    await right.ip("address add 192.168.20.1/24 dev lo", "address add fd20::1/64 dev lo");
    await left.writeFile("/run/site.conf", file("left", "192.168.20.0/24, fd20::/64"));
    await right.writeFile("/run/site.conf", file("right", "10.9.0.1/32"));
  });
  afterAll(() => lab?.close());

  /** As an admin writes it. */
  function file(side: "left" | "right", allowedIps: string): string {
    const [number, other, peer] = side === "left" ? [1, 2, keys.right] : [2, 1, keys.left];
    return `[Interface]
PrivateKey = ${keys[side].privateKey}
Address = 10.9.0.${number}/24, fd09::${number}/64
ListenPort = 51820

[Peer]
PublicKey = ${peer.publicKey}
PresharedKey = ${presharedKey}
AllowedIPs = 10.9.0.${other}/32, fd09::${other}/128, ${allowedIps}
Endpoint = 192.0.2.${other}:51820
`;
  }

  const quick = (host: Host, verb: string): Promise<string> =>
    host.run(["sh", "-c", `cd /run && exec wg-quick ${verb} ./site.conf 2>&1`], {
      env: { WG_QUICK_USERSPACE_IMPLEMENTATION: longhaul.path },
    });

  test("up brings interface, addresses and routes; LANs reach each other", async () => {
    for (const host of [left, right]) expect(await quick(host, "up")).toContain(longhaul.path);
    expect(await left.run(["wg", "show", "site", "peers"])).toBe(`${keys.right.publicKey}\n`);
    expect(await left.run(["ip", "route", "show", "192.168.20.0/24"])).toContain("dev site");
    await eventually("answered", async () => (await ping(left, "192.168.20.1", { count: 1, waitS: 1 })) === 1);
    expect(await ping(left, "192.168.20.1")).toBe(3);
    expect(await ping(left, "fd20::1")).toBe(3);
    expect(await moveBytes(left, right, "192.168.20.1", 1_000_000)).toBe(1_000_000);
  });

  test("save writes private key and peers, with what was changed since", async () => {
    await left.run(["wg", "set", "site", "peer", keys.right.publicKey, "persistent-keepalive", "21"]);
    await quick(left, "save");
    const saved = await left.run(["cat", "/run/site.conf"]);
    expect(saved).toContain(`PrivateKey = ${keys.left.privateKey}`);
    expect(saved).toContain(`PublicKey = ${keys.right.publicKey}`);
    expect(saved).toContain(`PresharedKey = ${presharedKey}`);
    expect(saved).toContain("PersistentKeepalive = 21");
    expect(saved).toMatch(/Address = 10\.9\.0\.1\/24/);
    expect(saved).toMatch(/AllowedIPs = .*192\.168\.20\.0\/24/);
  });

  test("down takes interface, routes, socket and daemon away; the saved file brings them back", async () => {
    await quick(left, "down");
    expect((await left.try(["ip", "link", "show", "site"])).status).not.toBe(0);
    await eventually("the daemon has ended", () => left.processes().length === 0);
    expect(hasSocket(left, "site")).toBe(false);
    expect(await quick(left, "up")).toContain(longhaul.path);
    await eventually("answered", async () => (await ping(left, "192.168.20.1", { count: 1, waitS: 1 })) === 1);
    expect(await left.run(["wg", "show", "site", "persistent-keepalive"])).toContain("\t21\n");
    await quick(left, "down");
  });

  test("a full tunnel: everything but the datagrams themselves goes through it", async () => {
    await left.writeFile("/run/site.conf", file("left", "0.0.0.0/0"));
    await right.ip("address add 203.0.113.99/32 dev lo");
    await quick(left, "up");
    expect(await left.run(["wg", "show", "site", "fwmark"])).not.toBe("off\n");
    await eventually("answered", async () => (await ping(left, "203.0.113.99", { count: 1, waitS: 1 })) === 1);
    expect(await ping(left, "203.0.113.99")).toBe(3);
    await quick(left, "down");
    await quick(right, "down");
  });
});
