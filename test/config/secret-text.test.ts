// No key in a message, wherever somebody put it by mistake: in place of another value, by the UAPI, in what is proposed instead.

import { expect, test } from "vitest";
import {
  parseAbsolutePath,
  parseBoolean,
  parseChoice,
  parseDns,
  parseMetricsAddress,
  parseMtu,
  parsePeerEndpoint,
  parseTable,
} from "../../src/config/config-values.js";
import { parseEndpoint } from "../../src/config/endpoint.js";
import { parseInterfaceName } from "../../src/config/interface-name.js";
import { parseDecimal, parseFwmark, parseKeepalive } from "../../src/config/number.js";
import { parsePrefix } from "../../src/config/prefix.js";
import { UapiParser } from "../../src/uapi/parse.js";

const BASE64 = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const HEX = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";

const none = (): number => 0;
const parsers: Readonly<Record<string, (text: string) => unknown>> = {
  endpoint: (text) => parseEndpoint(text, none),
  "endpoint of a file": (text) => parsePeerEndpoint(text, none),
  prefix: (text) => parsePrefix(text),
  "interface name": parseInterfaceName,
  number: (text) => parseDecimal(text, 9, "it"),
  mark: parseFwmark,
  keepalive: parseKeepalive,
  MTU: parseMtu,
  DNS: (text) => parseDns(`${text}/`),
  table: (text) => parseTable(text, () => undefined),
  boolean: (text) => parseBoolean(text, "SaveConfig"),
  choice: (text) => parseChoice(text, ["debug"], "LogLevel"),
  path: (text) => parseAbsolutePath(text, "StateDirectory"),
  "metrics address": parseMetricsAddress,
};

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

test.each(Object.entries(parsers))("a key in place of the %s", (_, parse) => {
  for (const key of [BASE64, HEX, `${HEX}:99999`, `${BASE64.slice(0, 42)}:x`]) {
    const message = messageOf(() => parse(key));
    expect(message).not.toContain(key.slice(4, 24));
    expect(message).toContain("characters");
  }
});

test.each([
  `set=1\npublic_key=${HEX}\nendpoint=${HEX}\n\n`,
  `set=1\npublic_key=${HEX}\nallowed_ip=${HEX}\n\n`,
  `set=1\npublic_key=${HEX}\nremove=${HEX}\n\n`,
  `set=1\n${HEX}=1\n\n`,
  `set=1\npublic_key=${HEX}\n${HEX}=1\n\n`,
])("a key in a line of the UAPI where none belongs: %#", (text) => {
  const parser = new UapiParser(none);
  parser.push(Buffer.from(text));
  const operation = parser.next();
  expect(operation?.kind).toBe("refuse");
  const { message } = (operation as { error: Error }).error;
  expect(message).toMatch(/^line [0-9]: /);
  expect(message).not.toContain(HEX.slice(4, 24));
});

test("what is proposed instead of an endpoint is short and printable, whatever the text is", () => {
  for (const text of [`${"ab\u00b5\x07".repeat(500)}:x`, "\x1b[2J:99999", `::1:${"\x07".repeat(9)}`, `::1:${BASE64}`]) {
    const message = messageOf(() => parsePeerEndpoint(text, none));
    expect(message).toMatch(/^[\x20-\x7e]{1,500}$/);
  }
  expect(messageOf(() => parsePeerEndpoint("a.example.org", none))).toContain("write a.example.org:51820");
  expect(messageOf(() => parsePeerEndpoint("a.example.org:99999", none))).toContain("write a.example.org:51820");
  expect(messageOf(() => parsePeerEndpoint("2001:db8::1:51820", none))).toContain("write [2001:db8::1]:51820");
});
