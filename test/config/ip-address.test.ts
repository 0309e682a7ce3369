import { isIPv4, isIPv6, SocketAddress } from "node:net";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, test } from "vitest";
import { formatIpAddress, isIpv4Mapped, parseIpv4, parseIpv6 } from "../../src/config/ip-address.js";

const bytes4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
/** Zeros often, so that runs of zero groups come in every place and length. */
const bytes16 = fc
  .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));
const almostIpv6 = fc
  .array(fc.constantFrom("::", ":", "0", "1", "ffff", "10000", "fe80", ".", "1.2.3.4", "255", "g", "%1", "01", "::1"), {
    maxLength: 18,
  })
  .map((pieces) => pieces.join(""));
const almostIpv4 = fc
  .array(fc.constantFrom("1", "0", "00", "255", "256", "1000", ".", "..", "-1", " ", "a"), { maxLength: 9 })
  .map((pieces) => pieces.join(""));

describe("agreement with the C library", () => {
  test("on what an IPv4 address is", () => {
    fc.assert(
      fc.property(almostIpv4, (text) => {
        expect(parseIpv4(text) !== undefined, text).toBe(isIPv4(text));
      }),
    );
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(parseIpv4(text)).toBeDefined();
      }),
    );
  });

  test("on what an IPv6 address is, but for zones", () => {
    const accepts = (text: string): boolean => isIPv6(text) && !text.includes("%");
    fc.assert(
      fc.property(almostIpv6, (text) => {
        expect(parseIpv6(text) !== undefined, text).toBe(accepts(text));
      }),
      { numRuns: 5000 },
    );
  });

  test("on how an IPv6 address is written, but for IPv4-compatible ones", () => {
    fc.assert(
      fc.property(bytes16, (bytes) => {
        fc.pre(bytes.subarray(0, 12).some((byte) => byte !== 0)); //  inet_ntop writes ::1.2.3.4, RFC 5952 ::102:304
        const long = [...new Uint16Array(8)].map((_, i) => ((bytes[2 * i] << 8) | bytes[2 * i + 1]).toString(16));
        const { address } = new SocketAddress({ address: long.join(":"), family: "ipv6" });
        expect(formatIpAddress(bytes)).toBe(address);
      }),
      { numRuns: 2000 },
    );
  });
});

test("agreement with ipaddr.js on the bytes of an IPv6 address", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      fc.pre(!text.includes(".")); //  ipaddr.js maps ::1.2.3.4 into ::ffff:0:0/96
      expect([...(parseIpv6(text) as Uint8Array)]).toEqual(ipaddr.IPv6.parse(text).toByteArray());
    }),
  );
});

test("what is written is read back", () => {
  fc.assert(
    fc.property(bytes4, (bytes) => {
      expect(parseIpv4(formatIpAddress(bytes))).toEqual(bytes);
    }),
  );
  fc.assert(
    fc.property(bytes16, (bytes) => {
      expect(parseIpv6(formatIpAddress(bytes))).toEqual(bytes);
    }),
  );
});

test.each([
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["2001:DB8::1", "2001:db8::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::1.2.3.4", "::102:304"],
  ["::ffff:1.2.3.4", "::ffff:1.2.3.4"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
])("%s is written %s", (text, written) => {
  expect(formatIpAddress(parseIpv6(text) as Uint8Array)).toBe(written);
});

test.each([
  "",
  ":",
  ":::",
  "1:2",
  "1::2::3",
  "::ffff:1.2.3",
  "::010.2.3.4",
  "1:2:3:4:5:6:7:1.2.3.4",
  "::1:",
  "12345::",
  "::1:2:3:4:5:6:7:8",
  "1:2:3:4::5:6:7:8",
  "1:2:3:4:5:6:7:8::",
])("not IPv6: %j", (text) => {
  expect(parseIpv6(text)).toBeUndefined();
});

test.each(["", "10", "1.2.3", "1.2.3.4.5", "010.0.0.1", "1.2.3.04", "0x1.2.3.4", "256.0.0.1", "1.2.3.4 ", "1..3.4"])(
  "not IPv4: %j",
  (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  },
);

test("addresses do not share bytes", () => {
  const first = parseIpv6("::1") as Uint8Array;
  const second = parseIpv4("1.2.3.4") as Uint8Array;
  first.fill(0xff);
  second.fill(0xee);
  expect(formatIpAddress(first)).toBe("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  for (let i = 0; i < 2000; i++) {
    expect(parseIpv6("::")).toEqual(new Uint8Array(16));
  }
});

test("IPv4 in IPv6 clothes is known", () => {
  expect(
    ["::ffff:0:0", "::fffe:0:0", "::1:ffff:0:0"].map((text) => isIpv4Mapped(parseIpv6(text) as Uint8Array)),
  ).toEqual([true, false, false]);
});
