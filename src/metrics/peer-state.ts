// Whether a peer is there: four states, for colours, counts and exit codes.

import { hasDetails, type PeerFacts } from "./diagnosis-facts.js";

/** A keypair is dead after this; whoever has anything to say renews it before. [W] 6.1, REJECT_AFTER_TIME. */
const KEYPAIR_MS = 180_000;
/** An initiation that is younger may still be answered: REKEY_TIMEOUT. */
const PATIENCE_MS = 5_000;
/** From here on TCP suffers. */
const BAD_LOSS = 0.01;

/**
 * - `up`: heard of within the life of a keypair, and it answers.
 * - `degraded`: up, but 1 % and more of what it sends is lost.
 * - `silent`: it was asked and does not answer.
 * - `idle`: nobody wants anything of it, or it waits for its first packet.
 */
export type PeerState = "up" | "degraded" | "silent" | "idle";

/** @param nowMs  wall time of the facts, ms since 1970 */
export function peerState(peer: PeerFacts, nowMs: number): PeerState {
  const isFresh = peer.latestHandshakeAtMs !== null && nowMs - peer.latestHandshakeAtMs < KEYPAIR_MS;
  if (!hasDetails(peer)) {
    if (isFresh) return "up";
    return peer.latestHandshakeAtMs === null && peer.sentBytes > 0 ? "silent" : "idle";
  }
  const { initiationsUnanswered, unansweredSinceMs } = peer.handshakes;
  const patienceMs = peer.latestHandshakeAtMs === null ? 0 : PATIENCE_MS;
  if (initiationsUnanswered > 0 && nowMs - (unansweredSinceMs ?? nowMs) >= patienceMs) return "silent";
  if (!isFresh) return "idle";
  return (peer.path.recentLoss ?? 0) >= BAD_LOSS ? "degraded" : "up";
}
