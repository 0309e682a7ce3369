// The real wg(8) against the server. Sockets go where wg looks for them, under names of their own.

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { formatEndpoint, parseEndpoint } from "../../src/config/endpoint.js";
import { parseBase64Key } from "../../src/config/key.js";
import { formatPrefix, parsePrefix } from "../../src/config/prefix.js";
import type { DeviceSnapshot } from "../../src/core/device/update.js";
import { UapiError } from "../../src/uapi/errors.js";
import { startUapiServer } from "../../src/uapi/server.js";
import { requireTools } from "../support/require-tools.js";
import { FakeHandler, temporaryDirectory } from "./harness.js";
import { device, largeDevice, peer } from "./records.js";

const run = promisify(execFile);

const PRIVATE_KEY = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const PUBLIC_KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const OTHER_KEY = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
const PRESHARED_KEY = "/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak=";

interface Fixture {
  readonly name: string;
  readonly handler: FakeHandler;
  wg(...args: string[]): Promise<string>;
  file(content: string): string;
}

async function start(snapshot: DeviceSnapshot = device({})): Promise<Fixture> {
  const name = `lhu${randomBytes(4).toString("hex")}`;
  const handler = new FakeHandler();
  handler.snapshot = snapshot;
  const server = await startUapiServer({ interfaceName: name, handler, log: { debug: () => {}, error: () => {} } });
  onTestFinished(() => server.close());
  const wg = async (...args: string[]): Promise<string> => (await run("wg", args, { maxBuffer: 1 << 26 })).stdout;
  const directory = temporaryDirectory();
  const file = (content: string): string => {
    const path = `${directory}/${randomBytes(4).toString("hex")}`;
    writeFileSync(path, content);
    onTestFinished(() => rmSync(path, { force: true }));
    return path;
  };
  return { name, handler, wg, file };
}

const snapshotOfOne = (): DeviceSnapshot =>
  device({
    privateKey: parseBase64Key(PRIVATE_KEY),
    listenPort: 51820,
    fwmark: 0xca6c,
    peers: [
      peer({
        publicKey: parseBase64Key(PUBLIC_KEY),
        presharedKey: parseBase64Key(PRESHARED_KEY),
        endpoint: parseEndpoint("192.0.2.7:51821", () => 0),
        persistentKeepaliveS: 25,
        lastHandshakeMs: Date.now() - 5000,
        receivedBytes: 92,
        sentBytes: 2048,
        allowedIps: [parsePrefix("10.7.0.0/24"), parsePrefix("2001:db8:7::/48")],
      }),
      peer({ publicKey: parseBase64Key(OTHER_KEY), endpoint: parseEndpoint("[2001:db8::1]:4", () => 0) }),
    ],
  });

describe("wg(8)", requireTools(["wg"]), () => {
  test("show lists the interface, keys, endpoints, traffic and the age of the handshake", async () => {
    const { name, wg } = await start(snapshotOfOne());
    expect((await wg("show", "interfaces")).split(/\s+/)).toContain(name);
    const shown = await wg("show", name);
    for (const line of [
      `interface: ${name}`,
      "listening port: 51820",
      "fwmark: 0xca6c",
      `peer: ${PUBLIC_KEY}`,
      "preshared key: (hidden)",
      "endpoint: 192.0.2.7:51821",
      "allowed ips: 10.7.0.0/24, 2001:db8:7::/48",
      "transfer: 92 B received, 2.00 KiB sent",
      "persistent keepalive: every 25 seconds",
      `peer: ${OTHER_KEY}`,
      "endpoint: [2001:db8::1]:4",
      "allowed ips: (none)",
    ]) {
      expect(shown).toContain(`${line}\n`);
    }
    expect(shown).toMatch(/latest handshake: [56] seconds ago/);
  });

  test("showconf gives back private and preshared keys", async () => {
    const { name, wg } = await start(snapshotOfOne());
    expect(await wg("showconf", name)).toBe(
      `[Interface]\nListenPort = 51820\nFwMark = 0xca6c\nPrivateKey = ${PRIVATE_KEY}\n\n` +
        `[Peer]\nPublicKey = ${PUBLIC_KEY}\nPresharedKey = ${PRESHARED_KEY}\n` +
        "AllowedIPs = 10.7.0.0/24, 2001:db8:7::/48\nEndpoint = 192.0.2.7:51821\nPersistentKeepalive = 25\n\n" +
        `[Peer]\nPublicKey = ${OTHER_KEY}\nEndpoint = [2001:db8::1]:4\n`,
    );
  });

  test("setconf, addconf and set arrive as written", async () => {
    const { name, handler, wg, file } = await start();
    const peerSection = `[Peer]\nPublicKey = ${PUBLIC_KEY}\nPresharedKey = ${PRESHARED_KEY}\nAllowedIPs = 10.7.0.1/24, ::/0\nEndpoint = [2001:db8::1]:51820\nPersistentKeepalive = 25\n`;
    await wg(
      "setconf",
      name,
      file(`[Interface]\nPrivateKey = ${PRIVATE_KEY}\nListenPort = 51820\nFwMark = 0x10\n${peerSection}`),
    );
    await wg("addconf", name, file(peerSection));
    await wg(
      "set",
      name,
      "listen-port",
      "7",
      "fwmark",
      "off",
      "peer",
      PUBLIC_KEY,
      "persistent-keepalive",
      "off",
      "allowed-ips",
      "",
    );
    await wg("set", name, "peer", PUBLIC_KEY, "remove", "peer", OTHER_KEY, "endpoint", "192.0.2.9:1");
    const [setconf, addconf, set, second] = handler.updates;
    expect(setconf).toMatchObject({ listenPort: 51820, fwmark: 16, replacePeers: true });
    expect(addconf).not.toHaveProperty("replacePeers");
    for (const { peers } of [setconf, addconf]) {
      expect(peers).toHaveLength(1);
      expect(peers[0]).toMatchObject({ publicKey: parseBase64Key(PUBLIC_KEY), persistentKeepaliveS: 25 });
      expect(formatEndpoint(peers[0].endpoint as never)).toBe("[2001:db8::1]:51820");
      expect(peers[0].allowedIps.map(({ prefix }) => formatPrefix(prefix))).toEqual(["10.7.0.0/24", "::/0"]);
      expect(peers[0].replaceAllowedIps).toBe(true);
    }
    expect(set).toMatchObject({ listenPort: 7, fwmark: 0 });
    expect(set.peers[0]).toMatchObject({ persistentKeepaliveS: 0, replaceAllowedIps: true, allowedIps: [] });
    expect(second.peers).toMatchObject([{ remove: true }, { publicKey: parseBase64Key(OTHER_KEY) }]);
  });

  test("syncconf removes what is gone and keeps what is there", async () => {
    const { name, handler, wg, file } = await start(snapshotOfOne());
    await wg(
      "syncconf",
      name,
      file(`[Interface]\nListenPort = 51820\n[Peer]\nPublicKey = ${PUBLIC_KEY}\nAllowedIPs = 10.8.0.0/16\n`),
    );
    const [{ replacePeers, peers }] = handler.updates;
    expect(replacePeers).toBeUndefined();
    const gone = peers.filter(({ remove }) => remove);
    expect(gone.map(({ publicKey }) => publicKey)).toEqual([parseBase64Key(OTHER_KEY)]);
    const kept = peers.filter(({ remove }) => !remove);
    expect(kept.map(({ publicKey }) => publicKey)).toEqual([parseBase64Key(PUBLIC_KEY)]);
    expect(kept[0].allowedIps.map(({ prefix }) => formatPrefix(prefix))).toEqual(["10.8.0.0/16"]);
  });

  test("is told why a set or a show failed", async () => {
    const { name, handler, wg } = await start();
    handler.failure = new UapiError("EADDRINUSE", "port 7");
    await expect(wg("set", name, "listen-port", "7")).rejects.toThrow("Address already in use");
    await expect(wg("show", name)).rejects.toThrow("Address already in use");
    handler.failure = undefined;
    await wg("set", name, "listen-port", "7");
  });

  test("shows 10,000 peers, sets 65,000 allowed-ips in one go, and may stop reading", async () => {
    const { name, handler, wg, file } = await start(largeDevice(10_000, 4));
    expect((await wg("show", name, "peers")).trim().split("\n")).toHaveLength(10_000);
    const prefixes = Array.from({ length: 65_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`);
    const lines = prefixes.map((prefix) => `AllowedIPs = ${prefix}\n`).join("");
    await wg("setconf", name, file(`[Interface]\n[Peer]\nPublicKey = ${PUBLIC_KEY}\n${lines}`));
    expect(handler.updates[0].peers[0].allowedIps).toHaveLength(65_000);
    await run("sh", ["-c", `wg show ${name} | head -n 0`]);
    handler.snapshot = device({ listenPort: 9 });
    expect(await wg("show", name, "listen-port")).toBe("9\n");
  });
});
