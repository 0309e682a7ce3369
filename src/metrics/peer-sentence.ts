// How a peer is, in one sentence for an admin in a hurry: the same in `longhaul show`, on the status page and in the log.

import { hasDetails, type PeerDetails, type PeerFacts } from "./diagnosis-facts.js";
import { type PeerState, peerState } from "./peer-state.js";
import { bitRateText, countText, durationText, millisecondsText, momentText, percentText } from "./quantity-text.js";

/** Less than this is silence: keepalives and handshakes are no throughput. */
const QUIET_BITS_PER_S = 1_000;
/** Below, the loss is not worth a word. */
const LOSS_WORTH_SAYING = 0.000_05;

/** What the last refusal of a handshake message means, where one can say it in a few words. */
const refusals: Readonly<Record<string, string>> = {
  handshake_invalid: "its replies do not open — is the preshared key the same there?",
  timestamp_replayed: "its own calls carry an old timestamp — is its clock right?",
};
/** What a refused send means. */
const sendRefusals: Readonly<Record<string, string>> = {
  send_unreachable: "this host has no route to it",
  send_forbidden: "a firewall of this host forbids sending there",
  send_no_socket: "this host has no socket of that address family",
  send_too_large: "datagrams are over the MTU of the interface below",
};

/**
 * @param nowMs  ms since 1970
 * @returns such as `up, 412 Mbit/s, 0.02 % loss on the path, 81 ms`. Nothing secret is in it. Throws nothing.
 */
export function peerSentence(peer: PeerFacts, nowMs: number): string {
  return sentences[peerState(peer, nowMs)](peer, nowMs);
}

const sentences: Readonly<Record<PeerState, (peer: PeerFacts, nowMs: number) => string>> = {
  up: upSentence,
  degraded: upSentence,
  silent: silentSentence,
  idle: idleSentence,
};

function upSentence(peer: PeerFacts, nowMs: number): string {
  if (!hasDetails(peer)) return `up, last handshake ${durationText(nowMs - (peer.latestHandshakeAtMs ?? nowMs))} ago`;
  const { traffic, path, roundTrip } = peer;
  const rate = Math.max(traffic.sentBitsPerSecond, traffic.receivedBitsPerSecond);
  const said = [rate < QUIET_BITS_PER_S ? "up, quiet" : `up, ${bitRateText(rate)}`];
  if (path.recentLoss !== null && path.recentLoss >= LOSS_WORTH_SAYING) {
    said.push(`${percentText(path.recentLoss)} loss on the path`);
  } else if (path.recentLoss !== null && rate >= QUIET_BITS_PER_S) {
    said.push("no loss");
  }
  if (roundTrip.smoothedSeconds !== null) said.push(millisecondsText(roundTrip.smoothedSeconds * 1_000));
  return said.join(", ");
}

function silentSentence(peer: PeerFacts, nowMs: number): string {
  const from = peer.endpoint ?? "it";
  if (!hasDetails(peer)) return `no answer from ${from} yet`;
  const sinceMs = peer.handshakes.unansweredSinceMs ?? nowMs;
  const sent = countText(peer.handshakes.initiationsUnanswered, "initiation");
  return `no answer from ${from} since ${momentText(sinceMs, nowMs)}: ${sent} sent, ${silenceText(peer, sinceMs)}`;
}

/** @param sinceMs  what happened before is no explanation any more */
function silenceText({ endpoint, handshakes, drops }: PeerFacts & PeerDetails, sinceMs: number): string {
  const refusal =
    (handshakes.lastRefusedAtMs ?? 0) >= sinceMs ? refusals[handshakes.lastRefusedReason ?? ""] : undefined;
  if (refusal !== undefined) return refusal;
  const send =
    (drops.lastSendRefusedAtMs ?? 0) >= sinceMs ? sendRefusals[drops.lastSendRefusedReason ?? ""] : undefined;
  if (send !== undefined) return send;
  if ((handshakes.cookieReplyAtMs ?? 0) >= sinceMs) return "answered with cookies only: it is under load";
  const port = endpoint?.match(/:(\d+)$/)?.[1];
  return port === undefined ? "no reply" : `no reply — is UDP ${port} forwarded there?`;
}

function idleSentence(peer: PeerFacts, nowMs: number): string {
  const heardMs = peer.lastReceivedAtMs ?? peer.latestHandshakeAtMs;
  if (peer.latestHandshakeAtMs !== null && heardMs !== null) {
    return `idle: nothing to send, last heard of ${durationText(nowMs - heardMs)} ago`;
  }
  if (peer.allowedIps.length === 0) return "no AllowedIPs: nothing can be sent to it or taken from it";
  if (peer.endpoint === null && peer.endpointName?.problem != null) {
    return `its endpoint ${peer.endpointName.host} is not found: is the name right, and the name server there?`;
  }
  if (peer.endpoint === null) return "no endpoint: waits until it calls";
  if (hasDetails(peer) && peer.handshakes.initiationsReceived > 0) return "it calls, and does not take our answers";
  return "never tried: nothing was to be sent to it";
}
