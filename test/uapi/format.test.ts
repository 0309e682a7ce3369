import fc from "fast-check";
import { expect, test } from "vitest";
import { parsePrefix } from "../../src/config/prefix.js";
import type { DeviceSnapshot, DeviceUpdate, PeerSnapshot } from "../../src/core/device/update.js";
import { ANSWER_ROOM_BYTES, formatSnapshot } from "../../src/uapi/format.js";
import { formatUpdate } from "../../src/uapi/format-update.js";
import { UapiParser } from "../../src/uapi/parse.js";
import { AnswerReader } from "../../src/uapi/parse-answer.js";
import { device, peer, snapshotArbitrary, updateArbitrary } from "./records.js";

function format(snapshot: DeviceSnapshot, bufferBytes = ANSWER_ROOM_BYTES + 1): string {
  const buffer = Buffer.alloc(bufferBytes);
  let text = "";
  for (const length of formatSnapshot(snapshot, buffer)) {
    text += buffer.toString("latin1", 0, length);
    buffer.fill("?");
  }
  return text;
}

function readBack(text: string): AnswerReader {
  const reader = new AnswerReader();
  expect(text.endsWith("\n\n")).toBe(true);
  for (const line of text.slice(0, -2).split("\n")) {
    reader.add(line);
  }
  return reader;
}

test("the lines of wireguard-go, in its order", () => {
  const text = format(
    device({
      privateKey: new Uint8Array(32).fill(0x48),
      listenPort: 53222,
      fwmark: 17,
      peers: [
        peer({
          publicKey: new Uint8Array(32).fill(0xaa),
          presharedKey: new Uint8Array(32).fill(0x09),
          endpoint: { family: 6, bytes: Uint8Array.of(0xfe, 0x80, ...new Uint8Array(13), 1), port: 5, scopeId: 3 },
          lastHandshakeMs: 1_700_000_000_123.5,
          sentBytes: 2 ** 52,
          receivedBytes: 92,
          persistentKeepaliveS: 25,
          allowedIps: [parsePrefix("192.168.2.0/24"), parsePrefix("2001:db8::/32")],
        }),
        peer({ publicKey: new Uint8Array(32).fill(0xbb) }),
      ],
    }),
  );
  expect(text.split("\n")).toEqual([
    `private_key=${"48".repeat(32)}`,
    "listen_port=53222",
    "fwmark=17",
    `public_key=${"aa".repeat(32)}`,
    `preshared_key=${"09".repeat(32)}`,
    "protocol_version=1",
    "endpoint=[fe80::1%3]:5",
    "last_handshake_time_sec=1700000000",
    "last_handshake_time_nsec=123500000",
    "tx_bytes=4503599627370496",
    "rx_bytes=92",
    "persistent_keepalive_interval=25",
    "allowed_ip=192.168.2.0/24",
    "allowed_ip=2001:db8::/32",
    `public_key=${"bb".repeat(32)}`,
    `preshared_key=${"00".repeat(32)}`,
    "protocol_version=1",
    "last_handshake_time_sec=0",
    "last_handshake_time_nsec=0",
    "tx_bytes=0",
    "rx_bytes=0",
    "persistent_keepalive_interval=0",
    "errno=0",
    "",
    "",
  ]);
});

test("a device with nothing set says only that it is well", () => {
  expect(format(device({}))).toBe("errno=0\n\n");
  expect(format(device({ privateKey: new Uint8Array(32) }))).toBe("errno=0\n\n");
});

test("an answer is read back as it was, whatever the buffer", () => {
  fc.assert(
    fc.property(snapshotArbitrary, fc.integer({ min: ANSWER_ROOM_BYTES + 1, max: 4096 }), (snapshot, bufferBytes) => {
      const { snapshot: read, errno } = readBack(format(snapshot, bufferBytes));
      expect(errno).toBe(0);
      expect(read).toEqual(snapshot);
    }),
  );
});

test("the longest lines there can be fit into the room", () => {
  const widest: PeerSnapshot = peer({
    publicKey: new Uint8Array(32).fill(0xff),
    presharedKey: new Uint8Array(32).fill(0xff),
    endpoint: { family: 6, bytes: new Uint8Array(16).fill(0xff), port: 65535, scopeId: 0xffffffff },
    lastHandshakeMs: 9_999_999_999_999.5,
    sentBytes: Number.MAX_SAFE_INTEGER,
    receivedBytes: Number.MAX_SAFE_INTEGER,
    persistentKeepaliveS: 65535,
    allowedIps: Array.from({ length: 20 }, () => ({ family: 6, bytes: new Uint8Array(16).fill(0xff), length: 128 })),
  });
  const text = format(
    device({ privateKey: new Uint8Array(32).fill(0xff), fwmark: 0xffffffff, peers: [widest, widest] }),
  );
  expect(text.length).toBe(
    format(device({ privateKey: new Uint8Array(32).fill(0xff), fwmark: 0xffffffff, peers: [widest, widest] }), 65536)
      .length,
  );
  expect(readBack(text).snapshot.peers).toHaveLength(2);
});

test("a set is read back as it was", () => {
  fc.assert(
    fc.property(updateArbitrary, (update: DeviceUpdate) => {
      const parser = new UapiParser(() => 0);
      parser.push(Buffer.from([...formatUpdate(update)].join("")));
      expect(parser.next()).toEqual({ kind: "set", update });
      expect(parser.midOperation).toBe(false);
    }),
  );
});
