import { expect, test } from "vitest";
import { PeerBytes, PeerTime } from "../../src/core/device/peer.js";
import { PeerCell } from "../../src/core/device/peer-statistics.js";
import { DropReason } from "../../src/core/drop-reason.js";
import { PathCell } from "../../src/core/transport/path-quality.js";
import { STATUS_SCHEMA, type StatusDocument } from "../../src/metrics/status.js";
import { readStatus } from "../../src/metrics/status-reading.js";
import { statusText } from "../../src/metrics/status-text.js";
import { collect, testSource, WALL_MS } from "./source.js";

test("the document tells what the counters hold", async () => {
  const source = await testSource(2);
  const [peer] = source.peers;
  source.names.set(Buffer.from(peer.publicKey).toString("base64"), "Lisbon");
  peer.bytes[PeerBytes.Sent] = 148;
  peer.lastHandshakeWallMs = WALL_MS - 5_000;
  peer.times[PeerTime.Received] = 999_000;
  peer.statistics.cells[PeerCell.InitiationsSent] = 3;
  peer.statistics.path[PathCell.Lost] = 4;
  peer.statistics.inboundDrops[DropReason.CounterReplayed] = 5;
  peer.statistics.sourceRefused(Uint8Array.from([0, 0x45, ...new Array(11).fill(0), 192, 0, 2, 200]), 1);
  source.statistics.ledger.lostBeforeOutbound(DropReason.TunQueueFull, 6);
  peer.statistics.roundTrip(81, 999_000);
  const sixes = Buffer.from(`60${"0".repeat(14)}fd99fff0000000000000000000ff0001`, "hex");
  source.peers[1].statistics.sourceRefused(sixes, 0);
  const status = readStatus(source);
  expect(source.kernelReads).toBe(1);
  expect(status).toMatchObject({
    schema: STATUS_SCHEMA,
    readAtMs: WALL_MS,
    interface: { name: "wg0", version: "1.2.3", listenPort: 51_820 },
    health: { isReady: true, reasons: [] },
    ledger: { outbound: { in: 6, sent: 0, drops: [{ reason: "tun_queue_full", packets: 6 }], unaccounted: 0 } },
    peerCount: 2,
  });
  expect(status.peers[0]).toMatchObject({
    name: "Lisbon",
    endpoint: "192.0.2.0:1000",
    allowedIps: ["10.0.0.0/32", "fd00::a00:0/128"],
    sentBytes: 148,
    latestHandshakeAtMs: WALL_MS - 5_000,
    lastReceivedAtMs: WALL_MS - 1_000,
    hasPresharedKey: false,
    path: { lost: 4, recentLoss: null },
    roundTrip: { samples: 1, smoothedSeconds: 0.081 },
    handshakes: { initiationsSent: 3, unansweredSinceMs: null },
    drops: { inbound: [{ reason: "counter_replayed", packets: 5 }], lastRefusedSource: "192.0.2.200" },
    diagnosis: { sentence: expect.stringMatching(/./) },
  });
  expect(status.peers[1]).toMatchObject({
    friendlyName: null,
    latestHandshakeAtMs: null,
    lastReceivedAtMs: null,
    roundTrip: { samples: 0, smoothedSeconds: null, leastSeconds: null },
    drops: { lastRefusedSource: "fd99:fff0::ff:1" },
  });
});

test("no secret is in the document, and JSON can carry it all", async () => {
  const source = await testSource(1);
  const secret = new Uint8Array(32).fill(0xa7);
  source.device.configure({ privateKey: secret, peers: [] }, 0);
  source.peers[0].handshake.presharedKey.set(secret);
  const status = readStatus(source);
  expect(status.peers[0].hasPresharedKey).toBe(true);
  const text = JSON.stringify(status);
  for (const form of ["base64", "hex"] as const) expect(text).not.toContain(Buffer.from(secret).toString(form));
  expect(JSON.parse(text)).toEqual(status);
});

test("a document in pieces is the same document", async () => {
  for (const count of [0, 1, 33]) {
    const source = await testSource(count);
    expect(JSON.parse(await collect(statusText(source))) as StatusDocument).toEqual(readStatus(source));
  }
});

test("a routing table in AllowedIPs does not make the document grow without bound", async () => {
  const source = await testSource(1);
  const allowedIps = Array.from({ length: 5_000 }, (_, i) => ({
    prefix: { family: 4 as const, bytes: Uint8Array.from([11, i >> 8, i & 255, 0]), length: 24 },
    remove: false,
  }));
  source.device.configure({ peers: [{ publicKey: source.peers[0].publicKey, allowedIps }] }, 0);
  const [peer] = readStatus(source).peers;
  expect(peer.allowedIps).toHaveLength(1_000);
  expect(peer.allowedIpCount).toBe(5_002);
});
