import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/errors.js";
import { formatPrefix, parsePrefix } from "../../src/config/prefix.js";

test.each([
  ["192.0.2.0/24", "192.0.2.0/24"],
  ["10.1.2.3/8", "10.0.0.0/8"],
  ["10.1.2.3/9", "10.0.0.0/9"],
  ["10.255.2.3/9", "10.128.0.0/9"],
  ["10.1.2.3/32", "10.1.2.3/32"],
  ["255.255.255.255/0", "0.0.0.0/0"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["2001:DB8:ffff::1/32", "2001:db8::/32"],
  ["2001:db8:ffff::1/33", "2001:db8:8000::/33"],
  ["::/0", "::/0"],
  ["::1/128", "::1/128"],
  ["::ffff:1.2.3.4/120", "::ffff:1.2.3.0/120"],
])("%s is %s", (text, written) => {
  expect(formatPrefix(parsePrefix(text))).toBe(written);
});

test("agreement with ipaddr.js on the network address", () => {
  const cidr4 = fc.tuple(fc.ipV4(), fc.nat(32));
  const cidr6 = fc.tuple(fc.ipV6(), fc.nat(128)).filter(([address]) => !address.includes("."));
  fc.assert(
    fc.property(fc.oneof(cidr4, cidr6), ([address, length]) => {
      const text = `${address}/${length}`;
      const network = address.includes(":")
        ? ipaddr.IPv6.networkAddressFromCIDR(text)
        : ipaddr.IPv4.networkAddressFromCIDR(text);
      const prefix = parsePrefix(text);
      expect([...prefix.bytes]).toEqual(network.toByteArray());
      expect(prefix.length).toBe(length);
      expect(parsePrefix(formatPrefix(prefix))).toEqual(prefix);
    }),
  );
});

describe("refused", () => {
  test.each([
    "",
    "/",
    "/8",
    "10.0.0.0",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/+8",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
    "10.0.0.0/8 ",
    " 10.0.0.0/8",
    "10.0.0.0/1e1",
    "10/8",
    "010.0.0.0/8",
    "1.2.3.4.5/8",
    "::/129",
    "fe80::1%eth0/64",
    "[::]/0",
    "office/24",
  ])("%j", (text) => {
    expect(() => parsePrefix(text)).toThrow(ConfigError);
  });

  test("naming the text and the expected form", () => {
    expect(() => parsePrefix("10.0.0.0/33")).toThrow(
      'prefix "10.0.0.0/33": the length is not a number from 0 to 32; write ADDRESS/LENGTH, such as 192.0.2.0/24 or 2001:db8::/32',
    );
  });
});

test("a bare address is one host where the syntax says so", () => {
  const syntax = { bareAddress: true };
  expect(formatPrefix(parsePrefix("192.0.2.7", syntax))).toBe("192.0.2.7/32");
  expect(formatPrefix(parsePrefix("2001:db8::7", syntax))).toBe("2001:db8::7/128");
  expect(formatPrefix(parsePrefix("192.0.2.7/24", syntax))).toBe("192.0.2.0/24");
  expect(() => parsePrefix("192.0.2", syntax)).toThrow(ConfigError);
});
