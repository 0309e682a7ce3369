// Configuration files on disk: who may read them, files that cannot be read, and keys that stand elsewhere.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ConfigFileError, formatWarning } from "../../src/config/config-problem.js";
import { formatBase64Key } from "../../src/config/key.js";
import { loadGatewayConfig } from "../../src/config/load-config.js";
import { presharedKey, privateKey, publicKey } from "./broken-interfaces.js";

const start = `[Interface]\nPrivateKey = ${privateKey}\nListenPort = 51820\n`;

describe("files on disk", () => {
  function file(text: string | Buffer, mode = 0o600, name = "hq.conf"): { directory: string; path: string } {
    const directory = mkdtempSync(join(tmpdir(), "longhaul-config-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return { directory, path };
  }
  const load = (path: string, credentialsDirectory = "/nonexistent") =>
    loadGatewayConfig({ interfaceName: "hq", path }, { localNetworks: [], credentialsDirectory });
  const refusal = async (path: string, credentialsDirectory?: string): Promise<string> =>
    (
      await load(path, credentialsDirectory).then(
        () => expect.fail("the file was accepted"),
        (error: unknown) => error as ConfigFileError,
      )
    ).message;

  test.each([
    [0o600, []],
    [0o640, []],
    [0o644, ["every user may read this file and the keys in it; chmod o= it"]],
    [0o602, ["every user may write this file, hooks included; chmod o= it"]],
  ])("mode %o", async (mode, messages) => {
    const { path } = file(start, mode);
    const { warnings } = await load(path);
    expect(warnings.map((warning) => formatWarning("hq.conf", warning))).toEqual(
      messages.map((message) => `hq.conf: warning: ${message}`),
    );
  });

  test("what cannot be read", async () => {
    const { directory, path } = file(start);
    expect(await refusal(join(directory, "no.conf"))).toMatch(/no\.conf: this file does not exist; write the conf/);
    expect(await refusal(directory)).toMatch(/: this file is no regular file; give the path of a file$/);
    expect(await refusal(join(path, "x.conf"))).toMatch(/does not exist/);
  });

  test("a copy speaks as the file that it was made of", async () => {
    const { directory, path } = file(`${start}PrivateKeyFile = x\nMTU = 1\n`, 0o440);
    const copyOf = join(directory, "original.conf");
    const copied = { interfaceName: "hq", path };
    await expect(loadGatewayConfig(copied, { localNetworks: [], copyOf })).rejects.toThrow(`${copyOf}:5:7: MTU "1"`);
    writeFileSync(copyOf, "");
    chmodSync(copyOf, 0o644);
    writeFileSync(path, start);
    const { warnings } = await loadGatewayConfig(copied, { localNetworks: [], copyOf });
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringMatching(/^every user may read this file/)]);
  });

  test("a big file does not hold up the event loop", async () => {
    const key = (i: number): string => Buffer.alloc(32, `peer ${i} `).toString("base64");
    const peers = Array.from({ length: 4_000 }, (_, i) => {
      const prefix = `10.${100 + (i >> 8)}.${i & 255}.0/24`;
      return `[Peer]\nPublicKey = ${key(i)}\nAllowedIPs = ${prefix}\nEndpoint = 192.0.2.1:${i + 1}\n`;
    });
    const { path } = file(start + peers.join(""));
    let turns = 0;
    const turn = (): void => {
      turns++;
      timer = setImmediate(turn);
    };
    let timer = setImmediate(turn);
    const { config } = await load(path);
    clearImmediate(timer);
    expect(config.peers).toHaveLength(4_000);
    expect(turns).toBeGreaterThan(5);
  });

  describe("keys that stand elsewhere", () => {
    const noKey = "[Interface]\nListenPort = 51820\n";

    test("a private key beside the file, by relative or absolute path", async () => {
      const { directory, path } = file(`${noKey}PrivateKeyFile = hq.key\n`);
      writeFileSync(join(directory, "hq.key"), `${privateKey}\n`, { mode: 0o600 });
      const { config } = await load(path);
      expect(formatBase64Key(config.interface.privateKey.bytes)).toBe(privateKey);
      expect(config.interface.privateKey.origin).toEqual({ kind: "file", path: join(directory, "hq.key") });
      writeFileSync(path, `${noKey}PrivateKeyFile = ${directory}/hq.key\n`);
      expect((await load(path)).config.interface.privateKey.origin.kind).toBe("file");
    });

    test("the credential of its name is used where the file has no key, and only there", async () => {
      const { directory, path } = file(noKey);
      writeFileSync(join(directory, "hq.private-key"), privateKey);
      const { config, warnings } = await load(path, directory);
      expect(formatBase64Key(config.interface.privateKey.bytes)).toBe(privateKey);
      expect(config.interface.privateKey.origin).toEqual({ kind: "credential", name: "hq.private-key" });
      expect(warnings).toEqual([]); //  others cannot get at a credential, whatever its mode
      writeFileSync(path, `[Interface]\nPrivateKey = ${presharedKey}\n`);
      const own = (await load(path, directory)).config.interface.privateKey;
      expect([formatBase64Key(own.bytes), own.origin.kind]).toEqual([presharedKey, "text"]);
    });

    test("other credentials, by their names; preshared keys too", async () => {
      const keys = "PresharedKeyFile = credential:hq.lisbon\n";
      const { directory, path } = file(
        `${noKey}PrivateKeyFile = credential:any\n[Peer]\nPublicKey = ${publicKey}\n${keys}`,
      );
      writeFileSync(join(directory, "any"), privateKey);
      writeFileSync(join(directory, "hq.lisbon"), presharedKey);
      const { config } = await load(path, directory);
      expect(formatBase64Key(config.peers[0]!.presharedKey!.bytes)).toBe(presharedKey);
      expect(config.peers[0]!.presharedKey!.origin).toEqual({ kind: "credential", name: "hq.lisbon" });
    });

    test("a key file that others may read is warned about, a config without keys that they may read is not", async () => {
      const { directory, path } = file(`${noKey}PrivateKeyFile = hq.key\n`, 0o644);
      writeFileSync(join(directory, "hq.key"), privateKey);
      chmodSync(join(directory, "hq.key"), 0o644);
      const { warnings } = await load(path);
      expect(warnings.map((warning) => formatWarning("hq.conf", warning))).toEqual([
        `hq.conf:3:18: warning: every user may read the private key in "${directory}/hq.key"; chmod o= it`,
      ]);
    });

    test.each([
      ["", /private key in ".*": 0 characters instead of 44; write 44 characters of base64/],
      [`${privateKey}\n${presharedKey}\n`, /private key in ".*": there is text besides the key; write one key/],
      [Buffer.alloc(32).toString("base64"), /private key: every byte is zero/],
      ["x".repeat(44), /private key in ".*": not canonical base64/],
    ])("a key file that says %j", async (text, message) => {
      const { directory, path } = file(`${noKey}PrivateKeyFile = hq.key\n`);
      writeFileSync(join(directory, "hq.key"), text);
      expect(await refusal(path)).toMatch(message);
      expect(await refusal(path)).not.toContain(privateKey.slice(0, 8));
    });

    test("a key file that is a directory, and a credential that is broken", async () => {
      const { directory, path } = file(`${noKey}PrivateKeyFile = keys\n`);
      mkdirSync(join(directory, "keys"));
      expect(await refusal(path)).toMatch(/3:18: private key: ".*keys" is no regular file/);
      writeFileSync(path, noKey);
      writeFileSync(join(directory, "hq.private-key"), "short");
      expect(await refusal(path, directory)).toMatch(/1:1: private key in ".*": 5 characters instead of 44/);
    });
  });
});
