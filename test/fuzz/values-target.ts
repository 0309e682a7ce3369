// Single values as text: keys, prefixes, endpoints, names, numbers. The first byte of an input says which.

import {
  parseAbsolutePath,
  parseBoolean,
  parseChoice,
  parseDns,
  parseInterfaceAddress,
  parseMetricsAddress,
  parseMtu,
  parsePeerEndpoint,
  parseTable,
} from "../../src/config/config-values.js";
import { formatEndpoint, parseEndpoint } from "../../src/config/endpoint.js";
import { ConfigError } from "../../src/config/errors.js";
import { parseInterfaceName } from "../../src/config/interface-name.js";
import { formatIpAddress, parseIpv4, parseIpv6 } from "../../src/config/ip-address.js";
import {
  encodeBase64Key,
  formatBase64Key,
  formatHexKey,
  parseBase64Key,
  parseBase64KeyBytes,
  parseHexKey,
} from "../../src/config/key.js";
import {
  parseDecimal,
  parseDecimalFwmark,
  parseDecimalKeepalive,
  parseFwmark,
  parseKeepalive,
  parsePort,
} from "../../src/config/number.js";
import { formatPrefix, parsePrefix } from "../../src/config/prefix.js";
import { looksSecret, quoteUnlessSecret } from "../../src/config/secret-text.js";
import { suggest } from "../../src/config/suggest.js";
import { decode, encode, FuzzRandom } from "./random.js";
import { type FuzzTarget, hold, holdNoKey, holdPrintable, valueOr } from "./target.js";

const index = (name: string): number => (name === "lan0" ? 3 : 0);
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Parses, and where there is a way back, goes it. Errors: ConfigError for a text that is none, PropertyError. */
type Way = (text: string) => unknown;

const ways: readonly Way[] = [
  (text) => {
    const key = parseBase64Key(text, "private key");
    hold(formatBase64Key(key) === text && encodeBase64Key(key).toString("latin1") === text, "a key that changes");
    const bytes = encode(text);
    hold(same(parseBase64KeyBytes(bytes, 0, bytes.length), key), "two readers of base64 disagree");
  },
  (text) => {
    const bytes = encode(text);
    const key = parseBase64KeyBytes(bytes, 0, bytes.length, "preshared key");
    hold(formatBase64Key(key) === text, "a key that changes");
  },
  (text) => {
    const bytes = encode(text);
    const key = parseHexKey(bytes, 0, bytes.length);
    hold(formatHexKey(key) === text.toLowerCase(), "a key that changes");
  },
  (text) => {
    const prefix = parsePrefix(text, { bareAddress: text.length % 2 === 0 });
    const again = parsePrefix(formatPrefix(prefix));
    hold(again.length === prefix.length && same(again.bytes, prefix.bytes), "a prefix that changes");
  },
  (text) => {
    const endpoint = parseEndpoint(text, index);
    const again = parseEndpoint(formatEndpoint(endpoint), () => 0);
    hold(JSON.stringify(again) === JSON.stringify(endpoint), "an endpoint that changes");
  },
  (text) => {
    hold(parseInterfaceName(text) === text, "a name that changes");
    hold(
      Buffer.byteLength(text) <= 15 && !/[/\s\0]/.test(text) && text !== "" && text !== "." && text !== "..",
      "a name",
    );
  },
  (text) => {
    const bytes = parseIpv4(text) ?? parseIpv6(text);
    if (bytes === undefined) throw new ConfigError("ERR_PREFIX", "none", "one");
    const shown = formatIpAddress(bytes);
    const again = parseIpv4(shown) ?? parseIpv6(shown);
    hold(again !== undefined && same(again, bytes), "an address that changes");
  },
  (text) => hold(parseDecimal(text, 2 ** 52, "it") >= 0, "a number"),
  (text) => hold(parsePort(text) <= 65_535, "a port"),
  (text) => hold(parseDecimalFwmark(text) <= 0xffff_ffff, "a mark"),
  (text) => hold(parseFwmark(text) <= 0xffff_ffff, "a mark"),
  (text) => hold(parseDecimalKeepalive(text) <= 65_535, "seconds"),
  (text) => hold(parseKeepalive(text) <= 65_535, "seconds"),
  (text) => {
    const address = parseInterfaceAddress(text);
    hold(parseInterfaceAddress(address) === address, "an address that changes");
  },
  (text) => hold(Number.isInteger(parseMtu(text)), "an MTU"),
  (text) => parseDns(text),
  (text) => parseTable(text, () => undefined),
  (text) => parseBoolean(text, "SaveConfig"),
  (text) => {
    const endpoint = parsePeerEndpoint(text, index);
    if (endpoint.kind === "address") return;
    hold(/^[A-Za-z0-9._-]+$/.test(endpoint.host) && endpoint.port > 0, `a host ${JSON.stringify(endpoint.host)}`);
  },
  (text) => parseMetricsAddress(text),
  (text) => parseChoice(text, ["debug", "info"], "LogLevel"),
  (text) => hold(parseAbsolutePath(text, "it").startsWith("/"), "a path"),
  (text) => {
    const shown = quoteUnlessSecret(text);
    holdPrintable(shown);
    holdNoKey(text, shown);
    suggest(text.slice(0, 64), ["PrivateKey", "PublicKey", "AllowedIPs"]);
    hold(!looksSecret("PersistentKeepalive"), "a word of ours looks like a key");
  },
];

const examples = [
  "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
  "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
  "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a",
  "192.168.20.0/24",
  "[fe80::1%lan0]:51820",
  "wg0",
  "2001:db8::1",
  "4096",
  "51820",
  "0",
  "0xca6c",
  "25",
  "off",
  "10.99.0.1/24",
  "1420",
  "192.0.2.53",
  "auto",
  "true",
  "a.example.org:51820",
  "[::1]:9586",
  "info",
  "/run/x",
  "hello",
] as const;

/** More of the kinds that have several forms, by the place in {@link ways}. */
const forms: Readonly<Record<number, readonly string[]>> = {
  3: [
    "2001:db8::/32",
    "fe80::1/128",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "::/0",
    "::ffff:10.0.0.0/104",
    "10.0.0.1",
    "2001:db8::1",
  ],
  4: ["192.0.2.1:51820", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:65535", "[fe80::1%3]:51820"],
  13: ["10.99.0.1", "fd00::1/64", "2001:db8::1/128"],
  18: ["[2001:db8::1]:51820", "192.0.2.1:51820", "gateway:1"],
  19: ["unix:/run/x", "127.0.0.1:9586"],
};

function make(seed: number): Uint8Array {
  const random = new FuzzRandom(seed);
  const which = random.below(ways.length);
  const bits = (): string => Buffer.from(random.bytes(32)).toString(random.oneIn(2) ? "base64" : "hex");
  const text = random.oneIn(3)
    ? bits()
    : random.pick(random.oneIn(3) ? examples : (forms[which] ?? [examples[which] ?? ""]));
  return encode(String.fromCharCode(which) + text);
}

function check(input: Uint8Array): void {
  const text = decode(input.subarray(1));
  const way = ways[(input[0] ?? 0) % ways.length] as Way;
  const error = valueOr(() => void way(text), ConfigError);
  if (!(error instanceof ConfigError)) return;
  holdPrintable(error.message);
  holdNoKey(text, error.message);
}

export const valuesTarget: FuzzTarget = {
  name: "values",
  what: "keys, prefixes, endpoints, interface names, addresses, numbers and choices, one at a time",
  covers: ["src/config/"],
  dictionary: [...examples, "::", "::ffff:", "%", "/", "/32", "/128", ":", "]", "[", "=", "-", "0x", ".."],
  bytesMax: 2_048,
  make,
  check,
};
