import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { formatEndpoint } from "../../src/config/endpoint.js";
import { formatHexKey } from "../../src/config/key.js";
import { formatPrefix } from "../../src/config/prefix.js";
import type { DeviceUpdate } from "../../src/core/device/update.js";
import { errnoOf } from "../../src/uapi/errors.js";
import { LINE_BYTES_MAX, OPERATION_BYTES_MAX, type UapiOperation, UapiParser } from "../../src/uapi/parse.js";
import { key, linesOnDevice, linesOnPeer, stricterLinesOnPeer } from "./answers.js";

const interfaceIndex = (name: string): number => (name === "lo" ? 1 : 0);

/** Feeds bytes in pieces of the given sizes, over and over; pieces are wiped afterwards, as the server does it. */
function parse(text: string, sizes: readonly number[] = [1 << 20], end = false): UapiOperation[] {
  const parser = new UapiParser(interfaceIndex);
  const bytes = Buffer.from(text, "latin1");
  const operations: UapiOperation[] = [];
  for (let offset = 0, i = 0; offset < bytes.length; i++) {
    const piece = Buffer.from(bytes.subarray(offset, offset + sizes[i % sizes.length]));
    offset += piece.length;
    parser.push(piece);
    for (let operation = parser.next(); operation !== undefined; operation = parser.next()) {
      operations.push(operation);
    }
    piece.fill(0);
  }
  const last = end ? parser.end() : undefined;
  return last === undefined ? operations : [...operations, last];
}

/** One word an operation: get, set, the answer that a refusal gets, or hang up. */
function summary(operations: readonly UapiOperation[]): string[] {
  return operations.map((operation) => {
    if (operation.kind !== "refuse") {
      return operation.kind;
    }
    const sign = operation.verb === "set" ? "-" : "+";
    return `${sign}${errnoOf(operation.error)}${operation.close ? " close" : ""}`;
  });
}

function updateOf(text: string): DeviceUpdate {
  const [operation] = parse(text);
  expect(operation?.kind).toBe("set");
  return (operation as { update: DeviceUpdate }).update;
}

describe("a set", () => {
  test("carries every key there is", () => {
    const update = updateOf(
      `set=1\nprivate_key=${key("4")}\nlisten_port=51820\nfwmark=4294967295\nreplace_peers=true\n` +
        `public_key=${key("A")}\npreshared_key=${key("5")}\nendpoint=[fe80::1%lo]:7\nprotocol_version=1\n` +
        `persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.1.2.3/8\nallowed_ip=-2001:DB8::1/32\n` +
        `public_key=${key("b")}\nremove=true\npublic_key=${key("c")}\nupdate_only=true\n\n`,
    );
    expect(formatHexKey(update.privateKey as Uint8Array)).toBe(key("4"));
    expect(update).toMatchObject({ listenPort: 51820, fwmark: 0xffffffff, replacePeers: true });
    const [first, second, third] = update.peers;
    expect(update.peers.map((peer) => formatHexKey(peer.publicKey))).toEqual([key("a"), key("b"), key("c")]);
    expect(formatHexKey(first.presharedKey as Uint8Array)).toBe(key("5"));
    expect(formatEndpoint(first.endpoint as never)).toBe("[fe80::1%1]:7");
    expect(first).toMatchObject({ persistentKeepaliveS: 25, replaceAllowedIps: true });
    expect(first.allowedIps.map(({ prefix, remove }) => [formatPrefix(prefix), remove])).toEqual([
      ["10.0.0.0/8", false],
      ["2001:db8::/32", true],
    ]);
    expect(second).toMatchObject({ remove: true, allowedIps: [] });
    expect(third).toMatchObject({ updateOnly: true });
  });

  test("with nothing in it changes nothing", () => {
    expect(updateOf("set=1\n\n")).toEqual({ peers: [] });
  });

  test("leaves out what was not said", () => {
    expect(Object.keys(updateOf(`set=1\npublic_key=${key("a")}\n\n`).peers[0])).toEqual(["publicKey", "allowedIps"]);
  });

  test("may hold several sections of one peer", () => {
    const section = `public_key=${key("a")}\nallowed_ip=10.0.0.0/8\n`;
    expect(updateOf(`set=1\n${section}${section}\n`).peers).toHaveLength(2);
  });

  test("takes the last of a repeated key", () => {
    const update = updateOf(
      `set=1\nprivate_key=${key("1")}\nprivate_key=${key("2")}\nlisten_port=1\nlisten_port=2\n` +
        `public_key=${key("a")}\npreshared_key=${key("3")}\npreshared_key=${key("4")}\nendpoint=1.1.1.1:1\nendpoint=2.2.2.2:2\n\n`,
    );
    expect(formatHexKey(update.privateKey as Uint8Array)).toBe(key("2"));
    expect(update.listenPort).toBe(2);
    expect(formatHexKey(update.peers[0].presharedKey as Uint8Array)).toBe(key("4"));
    expect(update.peers[0].endpoint?.port).toBe(2);
  });

  test("forgets the allowed-ips before replace_allowed_ips", () => {
    const update = updateOf(
      `set=1\npublic_key=${key("a")}\nallowed_ip=10.0.0.0/8\nreplace_allowed_ips=true\nallowed_ip=10.2.0.0/16\n\n`,
    );
    expect(update.peers[0].allowedIps.map(({ prefix }) => formatPrefix(prefix))).toEqual(["10.2.0.0/16"]);
  });
});

describe("the answer to each line", () => {
  const answerTo = (lines: string): string[] => summary(parse(`set=1\n${lines}\n\n`));
  const expected = (errno: number): string[] => [errno === 0 ? "set" : `-${errno}`];

  test.each(linesOnDevice)("%j before the first peer: %i", (line, errno) => {
    expect(answerTo(line)).toEqual(expected(errno));
  });

  test.each([...linesOnPeer, ...stricterLinesOnPeer])("%j in a peer section: %i", (line, errno) => {
    expect(answerTo(`public_key=${key("a")}\n${line}`)).toEqual(expected(errno));
  });

  test("a wrong line anywhere leaves nothing of the set, and the next operation is found", () => {
    const good = [`private_key=${key("1")}`, "listen_port=1", `public_key=${key("a")}`, "allowed_ip=10.0.0.0/8"];
    for (let at = 0; at <= good.length; at++) {
      const lines = good.toSpliced(at, 0, "nonsense=1").join("\n");
      expect(summary(parse(`set=1\n${lines}\n\nget=1\n\nset=1\n\n`))).toEqual(["-22", "get", "set"]);
    }
  });

  test("only the first wrong line is answered", () => {
    expect(summary(parse("set=1\nfoo\nbar=1\nlisten_port=0\n\nget=1\n\n"))).toEqual(["-71", "get"]);
  });

  test("the message says which line, and repeats no key", () => {
    const [operation] = parse(`set=1\nlisten_port=1\npreshared_key=${key("7")}\n\n`);
    expect(operation).toMatchObject({
      error: { message: expect.stringMatching(/^line 3: unknown key "preshared_key"/) },
    });
    const [, later] = parse("set=1\nlisten_port=1\n\nset=1\nfoo\n\n");
    expect(later).toMatchObject({ error: { message: 'line 2: line without "="' } });
    const [other] = parse(`set=1\nprivate_key=${key("7")}7\n\n`);
    expect(JSON.stringify((other as { error: Error }).error.message)).not.toContain("777");
  });
});

describe("framing", () => {
  const long = "x".repeat(70_000);
  test.each([
    ["a get", "get=1\n\n", ["get"]],
    ["several", "get=1\n\nget=1\n\nset=1\n\nget=1\n\n", ["get", "get", "set", "get"]],
    ["nothing", "", []],
    ["an unfinished get", "get=1\n", []],
    ["an unfinished set", "set=1\nlisten_port=0\n", []],
    ["a blank line", "\n", ["hangUp"]],
    ["an unknown operation", "foo=1\n\n", ["hangUp"]],
    ["an unknown version", "get=2\n\n", ["hangUp"]],
    ["carriage returns", "set=1\r\n\r\n", ["hangUp"]],
    ["text inside a get", "get=1\nx\n\nget=1\n\n", ["+22 close"]],
    ["a long line in a set", `set=1\n${long}\n\nget=1\n\n`, ["-5 close"]],
    ["an endless line in a set", `set=1\nendpoint=${long}`, ["-5 close"]],
    ["an endless line", long, ["hangUp"]],
    ["an endless line after a refusal", `set=1\nfoo\n${long}`, ["-71", "hangUp"]],
  ])("%s", (_, text, expected) => {
    for (const sizes of [[1 << 20], [1], [7, 1, 100]]) {
      expect(summary(parse(text, sizes))).toEqual(expected);
    }
  });

  test.each([
    ["", []],
    ["get=1\n\n", ["get"]],
    ["get=1\n", ["+71 close"]],
    ["set=1\nlisten_port=5182", ["-71 close"]],
    ["set=1\nlisten_port=5182\n", ["-71 close"]],
    ["set=1\nfoo\n", ["-71"]],
    ["ge", ["hangUp"]],
  ])("cut off after %j", (text, expected) => {
    expect(summary(parse(text, [3], true))).toEqual(expected);
  });

  test("the longest line allowed is taken, one byte more is not", () => {
    const line = (length: number): string => `set=1\nfoo=${"x".repeat(length - 4)}\n\n`;
    expect(summary(parse(line(LINE_BYTES_MAX), [100]))).toEqual(["-22"]);
    expect(summary(parse(line(LINE_BYTES_MAX + 1), [100]))).toEqual(["-5 close"]);
    expect(summary(parse(line(LINE_BYTES_MAX + 1)))).toEqual(["-5 close"]);
  });

  test("an endless set is given up, an endless connection is not", () => {
    const limit = 10_000;
    const parser = new UapiParser(() => 0, limit);
    const feed = (text: string): string[] => {
      const operations: UapiOperation[] = [];
      parser.push(Buffer.from(text));
      for (let operation = parser.next(); operation !== undefined; operation = parser.next()) {
        operations.push(operation);
      }
      return summary(operations);
    };
    const lines = "listen_port=1\n".repeat(700); //  9,800 bytes
    for (let i = 0; i < 5; i++) {
      expect(feed(`set=1\n${lines}\n`)).toEqual(["set"]);
    }
    feed("set=1\n");
    expect(feed(lines)).toEqual([]);
    expect(feed(lines)).toEqual(["-7 close"]);
    expect(OPERATION_BYTES_MAX).toBeGreaterThan(1_000_000 * "allowed_ip=255.255.255.255/32\n".length);
  });

  test("cutting the stream in any places changes nothing", () => {
    const text = `set=1\nprivate_key=${key("4")}\npublic_key=${key("a")}\nallowed_ip=10.0.0.0/8\nendpoint=1.2.3.4:5\n\nget=1\n\nset=1\nfoo\nbar\n\nget=1\n\n`;
    const whole = parse(text);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        const pieces = parse(text, sizes);
        expect(summary(pieces)).toEqual(summary(whole));
        expect(pieces[0]).toEqual(whole[0]);
      }),
    );
  });

  test("no bytes whatever make it throw", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "set=1\n",
        "get=1\n",
        "\n",
        "public_key=",
        "allowed_ip=",
        "=",
        "endpoint=[",
        `${key("a")}\n`,
        "::/",
      ),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        parse(pieces.join(""), [5], true);
      }),
      { numRuns: 200 },
    );
  });
});

test("no private key stays in a buffer: not a replaced one, not a refused one, not one that came in pieces", () => {
  const wiped: Uint8Array[] = [];
  const fill = Uint8Array.prototype.fill;
  const alloc = vi.spyOn(Buffer, "alloc");
  Uint8Array.prototype.fill = function (this: Uint8Array, ...parameters: Parameters<typeof fill>) {
    if (this.length === 32 && this.every((byte) => byte === 0x77)) {
      wiped.push(this);
    }
    return fill.apply(this, parameters);
  };
  try {
    const secret = `key=${key("7")}\n`;
    const text = `set=1\nprivate_${secret}private_${secret}public_key=${key("a")}\npreshared_${secret}preshared_${secret}`;
    expect(summary(parse(`${text}foo\n\n`, [50]))).toEqual(["-71"]);
  } finally {
    Uint8Array.prototype.fill = fill;
  }
  expect(wiped).toHaveLength(4);
  expect(wiped.every((keyBytes) => keyBytes.every((byte) => byte === 0))).toBe(true);
  const buffers = alloc.mock.results.map(({ value }) => value as Buffer);
  expect(buffers.length).toBeGreaterThan(0);
  expect(buffers.filter((buffer) => buffer.includes("7777"))).toEqual([]);
  alloc.mockRestore();
});
