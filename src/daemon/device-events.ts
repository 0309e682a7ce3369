// What of a device's events is worth a log line, and at which level.

import type { DeviceEvents } from "../core/device/device-state.js";
import type { Peer } from "../core/device/peer.js";
import type { DaemonLog } from "./log.js";

/** A keypair serves this long: a handshake within it only renews one, which changes nothing for anybody. */
const CONNECTED_MS = 180_000;

/**
 * @param nowMs  a clock that only goes forward
 * @param sentenceOf  how a peer is, in one sentence
 */
export function deviceEvents(
  log: DaemonLog,
  nowMs: () => number = () => performance.now(),
  sentenceOf?: (peer: Peer) => string,
): DeviceEvents {
  const connectedMs = new WeakMap<Peer, number>();
  return {
    handshakeCompleted: (peer, role) => {
      const lastMs = connectedMs.get(peer) ?? Number.NEGATIVE_INFINITY;
      connectedMs.set(peer, nowMs());
      const isRenewal = nowMs() - lastMs < CONNECTED_MS;
      log[isRenewal ? "debug" : "info"]({ peer: log.peerName(peer), role }, "handshake completed");
    },
    handshakeSent: (peer, attempt) => {
      if (log.tells("debug")) log.debug({ peer: log.peerName(peer), attempt }, "handshake initiation sent");
    },
    handshakeGivenUp: (peer) => {
      connectedMs.delete(peer);
      if (!log.tells("info")) return;
      const fields = { peer: log.peerName(peer), why: sentenceOf?.(peer) };
      log.info(fields, "no answer: handshake given up until new traffic");
    },
    endpointChanged: (peer) => log.info({ peer: log.peerName(peer) }, "endpoint changed"),
    underLoad: (on) => log.info({ on }, on ? "under load: asking for cookies" : "load is over"),
    handshakeRefused: (peer, reason) => log.refused(peer, reason),
  };
}
