import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/errors.js";
import {
  parseDecimalFwmark,
  parseDecimalKeepalive,
  parseFwmark,
  parseKeepalive,
  parsePort,
} from "../../src/config/number.js";

const notDecimal = ["", " 1", "1 ", "+1", "-1", "1.0", "1e3", "0x10", "1_000", "off", "١", "0b1", "1\n"];

describe.each([
  ["port", parsePort, 65535],
  ["fwmark of the UAPI", parseDecimalFwmark, 0xffffffff],
  ["keepalive of the UAPI", parseDecimalKeepalive, 65535],
])("%s", (_, parse, max) => {
  test("the whole range, leading zeros as decimal", () => {
    expect([parse("0"), parse("010"), parse(String(max))]).toEqual([0, 10, max]);
  });

  test.each([...notDecimal, String(max + 1), "99999999999999999999999999"])("refused: %j", (text) => {
    expect(() => parse(text)).toThrow(ConfigError);
  });
});

test("a mark in a file may be hexadecimal or off", () => {
  expect(["off", "OFF", "0", "0xca6c", "51820", "0xFFFFFFFF"].map(parseFwmark)).toEqual([
    0, 0, 0, 51820, 51820, 0xffffffff,
  ]);
});

test.each(["", "0x", "0xg", "0x100000000", "4294967296", "-1", "offf", "0o7", "1e3", " 1"])(
  "refused as a mark in a file: %j",
  (text) => {
    expect(() => parseFwmark(text)).toThrow(/fwmark ".*"; write a number from 0 to 4294967295, decimal or 0x…, or off/);
  },
);

test("a keepalive in a file may be off", () => {
  expect(["off", "Off", "0", "25", "65535"].map(parseKeepalive)).toEqual([0, 0, 0, 25, 65535]);
});

test.each(["", "65536", "-1", "offf", "0x10", "1s"])("refused as a keepalive in a file: %j", (text) => {
  expect(() => parseKeepalive(text)).toThrow(/persistent keepalive ".*"; write seconds from 0 to 65535, or off/);
});
