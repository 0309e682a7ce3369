import fc from "fast-check";
import { expect, test } from "vitest";
import { formatEndpoint, parseEndpoint } from "../../src/config/endpoint.js";
import { ConfigError } from "../../src/config/errors.js";

const interfaceIndex = (name: string): number => ({ eth0: 2, "7": 9 })[name] ?? 0;

test.each([
  ["192.0.2.1:51820", "192.0.2.1:51820"],
  ["192.0.2.1:1", "192.0.2.1:1"],
  ["192.0.2.1:065535", "192.0.2.1:65535"],
  ["[2001:DB8::1]:51820", "[2001:db8::1]:51820"],
  ["[fe80::1%eth0]:51820", "[fe80::1%2]:51820"],
  ["[fe80::1%3]:51820", "[fe80::1%3]:51820"],
  ["[fe80::1%7]:51820", "[fe80::1%9]:51820"],
  ["[::ffff:192.0.2.1]:51820", "192.0.2.1:51820"],
])("%s is %s", (text, written) => {
  expect(formatEndpoint(parseEndpoint(text, interfaceIndex))).toBe(written);
});

test("what is written is read back", () => {
  const port = fc.integer({ min: 1, max: 65535 });
  const ipv4 = fc.record({
    family: fc.constant(4 as const),
    bytes: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    port,
    scopeId: fc.constant(0),
  });
  const ipv6 = fc.record({
    family: fc.constant(6 as const),
    bytes: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytes.fill(0xfe, 0, 1)),
    port,
    scopeId: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0xffffffff })),
  });
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (endpoint) => {
      expect(parseEndpoint(formatEndpoint(endpoint), () => 0)).toEqual(endpoint);
    }),
  );
});

test.each([
  ["", "no port"],
  ["192.0.2.1", "no port"],
  ["192.0.2.1:", "no port"],
  ["192.0.2.1:0", "no port"],
  ["192.0.2.1:65536", "no port"],
  ["192.0.2.1:+5", "no port"],
  ["192.0.2.1:5 ", "no port"],
  ["192.0.2.1:0x5", "no port"],
  [":51820", "no numeric IPv4 address"],
  ["vpn.example.org:51820", "no numeric IPv4 address"],
  ["192.0.2:51820", "no numeric IPv4 address"],
  ["192.0.2.01:51820", "no numeric IPv4 address"],
  ["192.0.2.1%eth0:51820", "no numeric IPv4 address"],
  ["2001:db8::1:51820", "an IPv6 address needs brackets"],
  ["[2001:db8::1:51820", "no closing bracket"],
  ["[2001:db8::1]x:51820", "no closing bracket"],
  ["[192.0.2.1]:51820", "no IPv6 address in the brackets"],
  ["[]:51820", "no IPv6 address in the brackets"],
  ["[fe80::1%]:51820", "nothing after the %"],
  ["[fe80::1%eth9]:51820", 'no interface "eth9" here'],
  ["[fe80::1%0]:51820", 'no interface "0" here'],
  ["[fe80::1%4294967296]:51820", 'no interface "4294967296" here'],
])("refused: %j, %s", (text, problem) => {
  expect(() => parseEndpoint(text, interfaceIndex)).toThrow(ConfigError);
  expect(() => parseEndpoint(text, interfaceIndex)).toThrow(`endpoint ${JSON.stringify(text)}: ${problem}`);
});
