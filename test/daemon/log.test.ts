import { expect, test } from "vitest";
import type { Peer } from "../../src/core/device/peer.js";
import { deviceEvents } from "../../src/daemon/device-events.js";
import { DaemonLog } from "../../src/daemon/log.js";

const peer = { publicKey: new Uint8Array(32).fill(7) } as unknown as Peer;
const KEY = Buffer.from(peer.publicKey).toString("base64");

test("a peer goes by its friendly name and the start of its key", () => {
  const log = new DaemonLog("silent", "hq");
  expect(log.peerName(peer)).toBe(KEY.slice(0, 8));
  log.setFriendlyNames(new Map([[KEY, "berlin"]]));
  expect(log.peerName(peer)).toBe(`berlin (${KEY.slice(0, 8)})`);
  log.setFriendlyNames(new Map());
  expect(log.peerName(peer)).toBe(KEY.slice(0, 8));
});

test("a handshake is news when the peer was not connected, and a renewal is not", () => {
  const lines: string[] = [];
  const log = {
    info: ({ why }: { why?: string }, message: string) => lines.push(`info ${message}${why ?? ""}`),
    debug: (_: object, message: string) => lines.push(`debug ${message}`),
    tells: () => true,
    peerName: () => "berlin",
  } as unknown as DaemonLog;
  let nowMs = 0;
  const events = deviceEvents(
    log,
    () => nowMs,
    () => ", because the cable is out",
  );
  for (const atMs of [0, 120_000, 240_000, 500_000]) {
    nowMs = atMs;
    events.handshakeCompleted?.(peer, "initiator");
  }
  events.handshakeGivenUp?.(peer);
  events.handshakeCompleted?.(peer, "responder");
  expect(lines).toEqual([
    "info handshake completed",
    "debug handshake completed",
    "debug handshake completed",
    "info handshake completed",
    "info no answer: handshake given up until new traffic, because the cable is out",
    "info handshake completed",
  ]);
});
