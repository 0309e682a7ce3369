import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as native from "../../../native/packet-batch.js";
import type { EndpointAddress } from "../../../src/core/device/update.js";
import { readEndpoint, writeEndpoint } from "../../../src/core/transport/endpoint-address.js";
import {
  clear,
  clearSource,
  copyRecord,
  ENDPOINT_BYTES,
  EndpointField,
  equalRemote,
  equalSource,
  FAMILY_IPV4,
  FAMILY_IPV6,
  familyOf,
  isSet,
} from "../../../src/core/transport/endpoint-record.js";

/** The record under test is row 1 of 3; its neighbours must stay as they are. */
const AT = ENDPOINT_BYTES;

function table(filling = 0xee): Uint8Array {
  return new Uint8Array(3 * ENDPOINT_BYTES).fill(filling);
}

function neighbours(records: Uint8Array): number[] {
  return [...records.subarray(0, AT), ...records.subarray(AT + ENDPOINT_BYTES)];
}

const ipv4: EndpointAddress = { family: 4, bytes: Uint8Array.of(192, 0, 2, 7), port: 51_820, scopeId: 0 };
const ipv6: EndpointAddress = {
  family: 6,
  bytes: Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
  port: 443,
  scopeId: 0x8000_0102,
};

test("the layout is the native package's", () => {
  expect(EndpointField).toEqual(native.EndpointField);
  expect(ENDPOINT_BYTES).toBe(native.ENDPOINT_BYTES);
});

describe("writeEndpoint", () => {
  test("IPv4, byte by byte", () => {
    const records = table();
    writeEndpoint(records, AT, ipv4);
    const expected = new Uint8Array(ENDPOINT_BYTES);
    expected.set([2, 0, 0xca, 0x6c, 0, 0, 0, 0, 192, 0, 2, 7]);
    expect(records.subarray(AT, AT + ENDPOINT_BYTES)).toEqual(expected);
    expect(neighbours(records)).toEqual(neighbours(table()));
    expect(familyOf(records, AT)).toBe(FAMILY_IPV4);
  });

  test("IPv6, byte by byte", () => {
    const records = table();
    writeEndpoint(records, AT, ipv6);
    const expected = new Uint8Array(ENDPOINT_BYTES);
    expected.set([10, 0, 1, 0xbb, 2, 1, 0, 0x80, ...ipv6.bytes]);
    expect(records.subarray(AT, AT + ENDPOINT_BYTES)).toEqual(expected);
    expect(neighbours(records)).toEqual(neighbours(table()));
    expect(familyOf(records, AT)).toBe(FAMILY_IPV6);
  });

  test.each([ipv4, ipv6])("readEndpoint gives back what was written: %o", (endpoint) => {
    const records = table();
    writeEndpoint(records, AT, endpoint);
    expect(readEndpoint(records, AT)).toEqual(endpoint);
  });

  test("an unset record and an unknown family read as undefined", () => {
    expect(readEndpoint(table(0), AT)).toBeUndefined();
    expect(readEndpoint(table(1), AT)).toBeUndefined();
  });
});

test("equalRemote and equalSource see every byte of their part and no other", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: ENDPOINT_BYTES, maxLength: ENDPOINT_BYTES }),
      fc.nat(ENDPOINT_BYTES - 1),
      fc.integer({ min: 1, max: 255 }),
      (bytes, changed, difference) => {
        const records = table();
        records.set(bytes, AT);
        const other = bytes.slice();
        expect(equalRemote(other, 0, records, AT)).toBe(true);
        expect(equalSource(other, 0, records, AT)).toBe(true);
        other[changed] ^= difference;
        const inRemote = changed < EndpointField.SourceIfindex;
        const inSource = !inRemote && changed < EndpointField.Source + 16;
        expect(equalRemote(other, 0, records, AT)).toBe(!inRemote);
        expect(equalSource(other, 0, records, AT)).toBe(!inSource);
      },
    ),
    { numRuns: 1000 },
  );
});

test("copyRecord, clear and clearSource touch their record only", () => {
  const records = table();
  const from = Uint8Array.from({ length: ENDPOINT_BYTES + 3 }, (_, i) => i + 1);
  copyRecord(from, 3, records, AT);
  expect(records.subarray(AT, AT + ENDPOINT_BYTES)).toEqual(from.subarray(3));
  clearSource(records, AT);
  const withoutSource = from.slice(3).fill(0, EndpointField.SourceIfindex, EndpointField.Source + 16);
  expect(records.subarray(AT, AT + ENDPOINT_BYTES)).toEqual(withoutSource);
  expect(isSet(records, AT)).toBe(true);
  clear(records, AT);
  expect(records.subarray(AT, AT + ENDPOINT_BYTES)).toEqual(new Uint8Array(ENDPOINT_BYTES));
  expect(isSet(records, AT)).toBe(false);
  expect(neighbours(records)).toEqual(neighbours(table()));
});
