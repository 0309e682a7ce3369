import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DropReason } from "../../../src/core/drop-reason.js";
import {
  decapsulateEcn,
  IPV4_DESTINATION,
  IPV4_SOURCE,
  IPV6_DESTINATION,
  IPV6_SOURCE,
  innerLength,
  innerTosEcn,
  innerVersion,
} from "../../../src/core/transport/inner-packet.js";

const malformed = -DropReason.InnerMalformed;
/** Where the packets stand in the bytes, so that a forgotten offset shows. */
const AT = 7;

function ipv4Checksum(bytes: Uint8Array, offset: number): number {
  let sum = 0;
  for (let i = 0; i < (bytes[offset] & 15) * 4; i += 2) {
    if (i !== 10) sum += bytes[offset + i] * 256 + bytes[offset + i + 1];
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function storedChecksum(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 10] * 256 + bytes[offset + 11];
}

interface Ipv4Fields {
  tos?: number;
  total?: number;
  headerWords?: number;
  filling?: Uint8Array;
}

function ipv4({ tos = 0, total = 40, headerWords = 5, filling = new Uint8Array(60) }: Ipv4Fields): Uint8Array {
  const bytes = new Uint8Array(AT + 80);
  bytes.set(filling, AT);
  bytes.set([0x40 | headerWords, tos, total >>> 8, total & 0xff], AT);
  const checksum = ipv4Checksum(bytes, AT);
  bytes.set([checksum >>> 8, checksum & 0xff], AT + 10);
  return bytes;
}

function ipv6(trafficClass: number, payload = 0): Uint8Array {
  const bytes = new Uint8Array(AT + 80);
  bytes.set([0x60 | (trafficClass >>> 4), ((trafficClass & 15) << 4) | 0x0a, 0xbc, 0xde], AT);
  bytes.set([payload >>> 8, payload & 0xff], AT + 4);
  return bytes;
}

describe("innerLength", () => {
  test.each([
    [{ total: 40 }, 40, 40],
    [{ total: 40 }, 48, 40], // padding behind
    [{ total: 40 }, 39, malformed],
    [{ total: 20 }, 20, 20],
    [{ total: 20 }, 19, malformed],
    [{ total: 19 }, 40, malformed],
    [{ total: 0 }, 40, malformed],
    [{ total: 24, headerWords: 6 }, 32, 24],
    [{ total: 23, headerWords: 6 }, 32, malformed],
    [{ total: 40, headerWords: 4 }, 40, malformed],
    [{ total: 65_455 }, 65_456, 65_455],
  ])("IPv4 %o in %d bytes: %d", (fields, length, expected) => {
    expect(innerLength(ipv4(fields), AT, length)).toBe(expected);
  });

  test.each([
    [0, 40, 40],
    [0, 39, malformed],
    [8, 48, 48],
    [8, 64, 48],
    [8, 47, malformed],
    [0xff00, 65_455, 0xff00 + 40],
    [0xffff, 65_455, malformed],
  ])("IPv6 with %d of payload in %d bytes: %d", (payload, length, expected) => {
    expect(innerLength(ipv6(0, payload), AT, length)).toBe(expected);
  });

  test.each([0, 1, 2, 3, 5, 7, 8, 15])("version %d is refused", (version) => {
    const bytes = ipv4({});
    bytes[AT] = (version << 4) | 5;
    expect(innerLength(bytes, AT, 40)).toBe(malformed);
    expect(innerVersion(bytes, AT)).toBe(version);
  });

  test.each([0, 1, 19])("%d bytes are refused", (length) => {
    expect(innerLength(ipv4({ total: length }), AT, length)).toBe(malformed);
  });
});

test("addresses stand where RFC 791 and RFC 8200 put them", () => {
  expect([IPV4_SOURCE, IPV4_DESTINATION, IPV6_SOURCE, IPV6_DESTINATION]).toEqual([12, 16, 8, 24]);
});

test("the outer header gets the ECN bits and no DSCP", () => {
  for (let tos = 0; tos < 256; tos++) {
    expect(innerTosEcn(ipv4({ tos }), AT)).toBe(tos & 3);
    expect(innerTosEcn(ipv6(tos), AT)).toBe(tos & 3);
  }
});

/** RFC 6040, figure 4: rows are the arriving inner field, columns the outer, both in the order of the codepoints. */
const drop = -1;
const [notEct, ect1, ect0, ce] = [0, 1, 2, 3];
const figure4 = [
  [notEct, notEct, notEct, drop],
  [ect1, ect1, ect1, ce],
  [ect0, ect1, ect0, ce],
  [ce, ce, ce, ce],
];

describe("decapsulateEcn follows figure 4 of RFC 6040", () => {
  const cases = figure4.flatMap((row, inner) => row.map((result, outer) => ({ inner, outer, result })));

  test.each(cases)("inner $inner, outer $outer: $result, IPv4", ({ inner, outer, result }) => {
    const expected = ipv4({ tos: 0xb8 | (result === drop ? inner : result) });
    const bytes = ipv4({ tos: 0xb8 | inner });
    expect(decapsulateEcn(bytes, AT, 0x58 | outer)).toBe(result === drop ? DropReason.EcnInvalid : DropReason.None);
    expect(bytes).toEqual(expected);
  });

  test.each(cases)("inner $inner, outer $outer: $result, IPv6", ({ inner, outer, result }) => {
    const expected = ipv6(0xb8 | (result === drop ? inner : result));
    const bytes = ipv6(0xb8 | inner);
    expect(decapsulateEcn(bytes, AT, 0x58 | outer)).toBe(result === drop ? DropReason.EcnInvalid : DropReason.None);
    expect(bytes).toEqual(expected);
  });
});

test("the IPv4 checksum stays what a new sum over the header would be", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 60, maxLength: 60 }),
      fc.integer({ min: 5, max: 15 }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 3 }),
      (filling, headerWords, tos, outer) => {
        const bytes = ipv4({ filling, headerWords, tos, total: 60 });
        decapsulateEcn(bytes, AT, outer);
        expect(storedChecksum(bytes, AT)).toBe(ipv4Checksum(bytes, AT));
      },
    ),
    { numRuns: 2000 },
  );
});

test("also where the checksum is 0 or all ones, at every value of a field", () => {
  const filling = new Uint8Array(60);
  let wrong = 0;
  for (let id = 0; id < 65_536; id++) {
    filling.set([id >>> 8, id & 255], 4);
    const bytes = ipv4({ filling, tos: 2 });
    decapsulateEcn(bytes, AT, 3);
    if (storedChecksum(bytes, AT) !== ipv4Checksum(bytes, AT)) wrong++;
  }
  expect(wrong).toBe(0);
});

test("a wrong IPv4 checksum stays wrong", () => {
  const bytes = ipv4({ tos: 2 });
  bytes[AT + 11] ^= 0x10;
  decapsulateEcn(bytes, AT, 3);
  expect(bytes[AT + 1]).toBe(3);
  expect(storedChecksum(bytes, AT)).not.toBe(ipv4Checksum(bytes, AT));
});
