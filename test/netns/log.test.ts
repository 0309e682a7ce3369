// What two daemons that log everything do not say: any of the secrets in play.
import { describe, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab.js";
import { eventually } from "../support/gateway.js";
import { newKeyPair, newPresharedKey } from "../support/keys.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { startPair } from "../support/site.js";
import { ping } from "../support/traffic.js";

const talkative = { ...longhaul, env: { LOG_LEVEL: "debug" } };

/** What a service says of a file, of a change of it and of one that it refuses. */
async function serviceLog(host: Host, privateKey: string, presharedKey: string): Promise<string> {
  const file = (peer: string, ...more: string[]): string =>
    [`[Interface]\nPrivateKey = ${privateKey}\nAddress = 10.8.0.1/24`, ...more]
      .concat(`[Peer]\nPublicKey = ${peer}\nPresharedKey = ${presharedKey}\nAllowedIPs = 10.8.0.2/32\n`)
      .join("\n");
  const path = "/run/said.conf";
  await host.writeFile(path, file(newKeyPair().publicKey));
  const service = host.start([longhaul.path, "run", "--log-level", "debug", path], { input: "" });
  const says = (pattern: RegExp): Promise<void> =>
    eventually(`the service says ${pattern}`, () => pattern.test(service.stderr), 20_000);
  await says(/"up"/);
  await host.writeFile(path, file(newKeyPair().publicKey));
  service.child.kill("SIGHUP");
  await says(/"reloaded"/);
  await host.writeFile(path, file(newKeyPair().publicKey, `PrivateKey = ${privateKey}x`));
  service.child.kill("SIGHUP");
  await says(/reload refused/);
  await service.stop("SIGTERM");
  return service.stderr;
}

describe("the log at debug level", requireTools(["ip", "wg", "ping"]), () => {
  test("names peers and events, and holds no key but the start of public ones", async () => {
    const presharedKey = newPresharedKey();
    const pair = await startPair({ programs: [talkative, talkative], presharedKey });
    try {
      const { left, right } = pair;
      expect(await ping(left.host, right.address())).toBe(3);
      const renewed = newKeyPair();
      await left.host.writeFile("/run/renewed", renewed.privateKey);
      await left.set("private-key", "/run/renewed", "fwmark", "0x1");
      await left.host.try(["wg", "set", "wg0", "private-key", "/run/renewed", "listen-port", "1"]);
      const log = `${await left.log()}${await right.log()}${await serviceLog(left.host, renewed.privateKey, presharedKey)}`;
      expect(log).toMatch(/handshake completed/);
      expect(log).toContain(right.keys.publicKey.slice(0, 8));
      for (const secret of [left.keys.privateKey, right.keys.privateKey, renewed.privateKey, presharedKey]) {
        const bytes = Buffer.from(secret, "base64");
        for (const form of [secret, bytes.toString("hex"), bytes.toString("base64url"), [...bytes].join(",")]) {
          expect(log.toLowerCase().includes(form.toLowerCase().slice(0, 12))).toBe(false);
        }
      }
      for (const { publicKey } of [left.keys, right.keys]) expect(log).not.toContain(publicKey);
    } finally {
      await pair.lab.close();
    }
  });
});
