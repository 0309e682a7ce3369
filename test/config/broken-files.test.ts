// Every mistake of a configuration file, with the exact words that it gets; and that none of the words is ever a key.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigFileError } from "../../src/config/config-problem.js";
import { parseGatewayConfig } from "../../src/config/load-config.js";
import { type BrokenFile, brokenInterfaces, otherKey, privateKey } from "./broken-interfaces.js";
import { brokenPeers } from "./broken-peers.js";

const brokenFiles: readonly BrokenFile[] = [...brokenInterfaces, ...brokenPeers];

describe("files with mistakes", () => {
  test.each(brokenFiles.map((file) => [file.name, file] as const))("%s", (_, { file, says }) => {
    const text = file.map((line) => `${line}\n`).join("");
    expect(mistakesOf(text).message).toBe(says.map((line) => `hq.conf:${line}`).join("\n"));
  });

  test("bytes that are no UTF-8", () => {
    const text = Buffer.concat([
      Buffer.from(`[Interface]\nPrivateKey = ${privateKey}\nDNS = b`),
      Buffer.of(0xfc),
      Buffer.from("ro.example # caf\n"),
    ]);
    expect(mistakesOf(text).message).toBe("hq.conf:3:7: DNS: bytes that are no UTF-8; write the file in UTF-8");
  });

  test("each of many mistakes in one line has its own column, in characters", () => {
    const line = `DNS = ${["b\u00fcro", "192.0.2.1", "b\u00fcro2", "192.0.2.2", "\u{1f600}", "x/y"].join(", ")}`;
    const columns = (pieces: string[]): number[] =>
      pieces.map((piece) => [...line.slice(0, line.indexOf(piece))].length + 1);
    const { problems } = mistakesOf(`[Interface]\nPrivateKey = ${privateKey}\n${line}\n`);
    expect(problems.map(({ column }) => column)).toEqual(columns(["b\u00fcro", "b\u00fcro2", "\u{1f600}", "x/y"]));
  });

  test("a file in UTF-16", () => {
    const text = Buffer.from("\ufeff[Interface]\n", "utf16le");
    expect(mistakesOf(text).message).toBe("hq.conf:1:1: the file is in UTF-16; save it as UTF-8");
  });

  test("there are at least 40, each with a name of its own, and each message is one printable line with a cure", () => {
    expect(new Set(brokenFiles.map(({ name }) => name)).size).toBe(brokenFiles.length);
    expect(brokenFiles.length).toBeGreaterThanOrEqual(40);
    for (const line of brokenFiles.flatMap(({ says }) => says)) {
      expect(line).toMatch(/^\d+:\d+: [\x20-\x7e…]+(; .+|\?)$/);
    }
  });
});

describe("keys are never shown", () => {
  test("in none of the messages above", () => {
    for (const line of brokenFiles.flatMap(({ says }) => says)) expectNoKey(line);
  });

  /** Lines around a key as people break them. */
  const manglings: readonly ((key: string) => string)[] = [
    (key) => key,
    (key) => `PrivateKey ${key}`,
    (key) => `PrivateKey: ${key}`,
    (key) => `PrivateKey = ${key} ${key}`,
    (key) => `PrivateKey = ${key};`,
    (key) => `PrivateKey = "${key}"`,
    (key) => `PrivatKey = ${key}`,
    (key) => `PrivateKey\n= ${key}`,
    (key) => `${key} = PrivateKey`,
    (key) => `[${key}]`,
    (key) => `; PrivateKey = ${key}`,
    (key) => `Address = ${key}`,
    (key) => `DNS = ${key}`,
    (key) => `Table = ${key}`,
    (key) => `ListenPort = ${key}`,
    (key) => `PrivateKeyFile = ${key}`,
    (key) => `[Peer]\nEndpoint = ${key}:51820`,
    (key) => `[Peer]\nAllowedIPs = ${key}, ${key}`,
    (key) => `[Peer]\nPublicKey = ${key}x`,
    (key) => `[Peer]\nPresharedKey = x${key}`,
    (key) => `[Daemon]\nMetrics = ${key}\nLogLevel = ${key}\nAead = ${key}\nStateDirectory = ${key}`,
  ];

  test("wherever a private key was pasted, whole or in two", () => {
    const key = fc.integer().map((seed) => createHash("sha256").update(String(seed)).digest("base64"));
    fc.assert(
      fc.property(key, fc.constantFrom(...manglings), fc.integer({ min: 20, max: 44 }), (secret, mangle, cut) => {
        const text = `[Interface]\nListenPort = x\n${mangle(secret.slice(0, cut))}\n${secret.slice(cut)}\n`;
        const { message } = mistakesOf(text);
        for (let at = 0; at + 12 <= secret.length; at++) expect(message).not.toContain(secret.slice(at, at + 12));
      }),
      { numRuns: 400, seed: 1 }, //  it is a guess: one piece of a key in many thousand does look like words
    );
  });
});

test("whatever a file says, the answer is a configuration or the list of its mistakes", () => {
  const words = [
    "[Interface]",
    "[Peer]",
    "[Daemon]",
    "PrivateKey",
    "AllowedIPs",
    "Endpoint",
    "=",
    "#",
    ",",
    "/",
    ":",
    "\n",
  ];
  const piece = fc.oneof(
    fc.constantFrom(...words),
    fc.constant(privateKey),
    fc.string({ unit: "binary", maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        parse(Buffer.from(pieces.join("")));
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigFileError);
        const { problems } = error as ConfigFileError;
        expect(problems.length).toBeGreaterThan(0);
        for (const { line, column, message } of problems) {
          expect(Math.min(line, column)).toBeGreaterThanOrEqual(1);
          expect(message).toMatch(/^[\x20-\x7e…]+$/);
        }
        expect(problems).toEqual([...problems].sort((a, b) => a.line - b.line || a.column - b.column));
      }
    }),
    { numRuns: 300 },
  );
});

function expectNoKey(text: string): void {
  for (const key of [privateKey, otherKey]) {
    for (let at = 0; at + 8 <= key.length; at++) expect(text).not.toContain(key.slice(at, at + 8));
  }
}

function parse(text: string | Buffer) {
  return parseGatewayConfig(text, { interfaceName: "hq", localNetworks: [], credentialsDirectory: "/nonexistent" });
}

function mistakesOf(text: string | Buffer): ConfigFileError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigFileError) return error;
    throw error;
  }
  throw new Error("the file was accepted");
}
