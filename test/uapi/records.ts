// Device records for the tests of this directory.

import fc from "fast-check";
import type {
  DeviceSnapshot,
  DeviceUpdate,
  EndpointAddress,
  PeerSnapshot,
  PeerUpdate,
  Prefix,
} from "../../src/core/device/update.js";

export function device(fields: Partial<DeviceSnapshot>): DeviceSnapshot {
  return { privateKey: undefined, listenPort: 0, fwmark: 0, peers: [], ...fields };
}

export function peer(fields: Partial<PeerSnapshot>): PeerSnapshot {
  return {
    publicKey: new Uint8Array(32).fill(1),
    presharedKey: new Uint8Array(32),
    endpoint: undefined,
    persistentKeepaliveS: 0,
    lastHandshakeMs: 0,
    receivedBytes: 0,
    sentBytes: 0,
    allowedIps: [],
    ...fields,
  };
}

/** A device with so many peers, each with so many allowed-ips, all different. */
export function largeDevice(peerCount: number, allowedIpsPerPeer: number): DeviceSnapshot {
  const peers = Array.from({ length: peerCount }, (_, p) => {
    const publicKey = new Uint8Array(32);
    new DataView(publicKey.buffer).setUint32(0, p + 1);
    const allowedIps = Array.from({ length: allowedIpsPerPeer }, (_, i): Prefix => {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, 0x0a000000 + p * allowedIpsPerPeer + i);
      return { family: 4, bytes, length: 32 };
    });
    const endpoint: EndpointAddress = { family: 4, bytes: Uint8Array.of(192, 0, 2, p & 0xff), port: 51820, scopeId: 0 };
    return peer({ publicKey, endpoint, allowedIps });
  });
  return device({ listenPort: 51820, peers });
}

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const nonZeroKey = key.map((bytes) => bytes.fill(1, 0, 1));
const port = fc.nat(65535);
const fwmark = fc.nat(0xffffffff);
const keepalive = fc.nat(65535);

/** 2001:…, so that none is IPv4 in IPv6 clothes. */
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytes.fill(0x20, 0, 1));
const bytes4 = fc.uint8Array({ minLength: 4, maxLength: 4 });

const endpoint: fc.Arbitrary<EndpointAddress> = fc.oneof(
  fc.record({
    family: fc.constant(4 as const),
    bytes: bytes4,
    port: fc.integer({ min: 1, max: 65535 }),
    scopeId: fc.constant(0),
  }),
  fc.record({
    family: fc.constant(6 as const),
    bytes: bytes16,
    port: fc.integer({ min: 1, max: 65535 }),
    scopeId: fc.nat(0xffffffff),
  }),
);

const prefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc.record({ family: fc.constant(4 as const), bytes: bytes4, length: fc.constant(32) }),
  fc.record({ family: fc.constant(6 as const), bytes: bytes16, length: fc.constant(128) }),
  fc.constant({ family: 6 as const, bytes: new Uint8Array(16), length: 0 }),
);

const peerSnapshot: fc.Arbitrary<PeerSnapshot> = fc.record({
  publicKey: key,
  presharedKey: key,
  endpoint: fc.option(endpoint, { nil: undefined }),
  persistentKeepaliveS: keepalive,
  lastHandshakeMs: fc.nat(2 ** 41),
  receivedBytes: fc.maxSafeNat(),
  sentBytes: fc.maxSafeNat(),
  allowedIps: fc.array(prefix),
});

export const snapshotArbitrary: fc.Arbitrary<DeviceSnapshot> = fc.record({
  privateKey: fc.option(nonZeroKey, { nil: undefined }),
  listenPort: port,
  fwmark,
  peers: fc.array(peerSnapshot),
});

const peerUpdate: fc.Arbitrary<PeerUpdate> = fc.record(
  {
    publicKey: key,
    remove: fc.constant(true),
    updateOnly: fc.constant(true),
    presharedKey: key,
    endpoint,
    persistentKeepaliveS: keepalive,
    replaceAllowedIps: fc.constant(true),
    allowedIps: fc.array(fc.record({ prefix, remove: fc.boolean() })),
  },
  { requiredKeys: ["publicKey", "allowedIps"] },
);

export const updateArbitrary: fc.Arbitrary<DeviceUpdate> = fc.record(
  {
    privateKey: key,
    listenPort: port,
    fwmark,
    replacePeers: fc.constant(true),
    peers: fc.array(peerUpdate),
  },
  { requiredKeys: ["peers"] },
);
