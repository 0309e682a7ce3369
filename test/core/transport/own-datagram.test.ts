import { expect, test } from "vitest";
import { writeEndpoint } from "../../../src/core/transport/endpoint-address.js";
import { ENDPOINT_BYTES } from "../../../src/core/transport/endpoint-record.js";
import { isOwnDatagram } from "../../../src/core/transport/own-datagram.js";

const RECORD = ENDPOINT_BYTES; // the second peer's
const AT = 5;
const RECEIVER = 0xfedc_ba98;
const PORT = 51_820;
const addresses = {
  4: Uint8Array.of(192, 0, 2, 7),
  6: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7),
} as const;
type Family = keyof typeof addresses;

function recordsWith(family: Family): Uint8Array {
  const records = new Uint8Array(3 * ENDPOINT_BYTES);
  writeEndpoint(records, RECORD, { family, bytes: addresses[family], port: PORT, scopeId: 0 });
  return records;
}

/** Transport data for that endpoint in an IP packet, `AT` bytes into the memory. @param options  bytes of IPv4's options */
function packetOf(family: Family, options = 0): { bytes: Uint8Array; length: number; udp: number } {
  const header = family === 4 ? 20 + options : 40;
  const length = header + 8 + 32;
  const bytes = new Uint8Array(AT + length + 3);
  const view = new DataView(bytes.buffer);
  const udp = AT + header;
  if (family === 4) {
    bytes[AT] = 0x40 | (header / 4);
    bytes[AT + 6] = 0x40; // may not be fragmented, which is no fragment
    bytes[AT + 9] = 17;
    bytes.set(addresses[4], AT + 16);
  } else {
    bytes[AT] = 0x60;
    bytes[AT + 6] = 17;
    bytes.set(addresses[6], AT + 24);
  }
  view.setUint16(udp + 2, PORT);
  bytes[udp + 8] = 4;
  view.setUint32(udp + 12, RECEIVER, true);
  return { bytes, length, udp };
}

test.each([
  [4, 0],
  [4, 8],
  [6, 0],
] as const)("transport data to the endpoint over IPv%i (%i bytes of options) is our own", (family, options) => {
  const { bytes, length } = packetOf(family, options);
  expect(isOwnDatagram(bytes, AT, length, recordsWith(family), RECORD, RECEIVER)).toBe(true);
});

const changes: readonly (readonly [string, (packet: ReturnType<typeof packetOf>, family: Family) => void])[] = [
  ["another address", ({ bytes }, family) => bytes[AT + (family === 4 ? 19 : 39)]++],
  ["another port", ({ bytes, udp }) => bytes[udp + 3]++],
  ["another receiver: the tunnel of a host behind this one", ({ bytes, udp }) => bytes[udp + 15]++],
  ["an initiation", ({ bytes, udp }) => (bytes[udp + 8] = 1)],
  ["TCP", ({ bytes }, family) => (bytes[AT + (family === 4 ? 9 : 6)] = 6)],
];
for (const family of [4, 6] as const) {
  test.each(changes)(`over IPv${family}, not so with %s`, (_name, change) => {
    const packet = packetOf(family);
    change(packet, family);
    expect(isOwnDatagram(packet.bytes, AT, packet.length, recordsWith(family), RECORD, RECEIVER)).toBe(false);
  });

  test(`over IPv${family}, not so without the last byte`, () => {
    const { bytes, length } = packetOf(family);
    expect(isOwnDatagram(bytes, AT, length - 1, recordsWith(family), RECORD, RECEIVER)).toBe(false);
  });

  test(`over IPv${family}, not so for an endpoint of the other family, or none`, () => {
    const { bytes, length } = packetOf(family);
    const records = recordsWith(family);
    records[RECORD] = family === 4 ? 10 : 2;
    expect(isOwnDatagram(bytes, AT, length, records, RECORD, RECEIVER)).toBe(false);
    records.fill(0);
    expect(isOwnDatagram(bytes, AT, length, records, RECORD, RECEIVER)).toBe(false);
  });
}

test.each([
  ["a later fragment", 1],
  ["one far behind", 0x1f00],
])("%s has no UDP header to look at", (_name, fragment) => {
  const { bytes, length } = packetOf(4);
  new DataView(bytes.buffer).setUint16(AT + 6, fragment);
  expect(isOwnDatagram(bytes, AT, length, recordsWith(4), RECORD, RECEIVER)).toBe(false);
});

test("the first of several fragments has one", () => {
  const { bytes, length } = packetOf(4);
  new DataView(bytes.buffer).setUint16(AT + 6, 0x2000);
  expect(isOwnDatagram(bytes, AT, length, recordsWith(4), RECORD, RECEIVER)).toBe(true);
});
