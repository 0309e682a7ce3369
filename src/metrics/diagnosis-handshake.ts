// Rules of the diagnosis: what the handshake tells of a peer that is silent.

import type { Finding, Rule } from "./diagnosis-finding.js";
import { type DiagnosisView, portOf } from "./diagnosis-view.js";
import { countText, durationText, momentText } from "./quantity-text.js";

export const handshakeRules: readonly Rule[] = [
  wrongPsk,
  wrongKeyHere,
  wrongKeyThere,
  clockWentBack,
  underLoadThere,
  underLoadHere,
  answersUnconfirmed,
  stoppedAnswering,
  neverAnswered,
  neverTried,
  twoMachines,
  handshakeReplayed,
];

function ownKeyStep(view: DiagnosisView): { text: string; command: string } {
  return {
    text: "this device's key, for the other side",
    command: `wg show ${view.interfaceName} public-key`,
  };
}

/** The last handshake message of the peer that was refused, if it was for `reason` and nothing good has come since. */
function lastRefusal(
  view: DiagnosisView,
  reason: string,
): { count: string; isActive: boolean; atMs: number } | undefined {
  const { details } = view;
  const dropped = view.drops(reason);
  if (details === undefined || dropped.total === 0) return undefined;
  const { lastRefusedReason, lastRefusedAtMs } = details.handshakes;
  const atMs = lastRefusedReason === reason ? (lastRefusedAtMs ?? 0) : 0;
  const isActive = dropped.moved > 0 || (view.isRecent(atMs) && !view.hasRecoveredSince(atMs));
  return { count: view.countText(dropped, "message"), isActive, atMs };
}

/** A responder with the wrong key cannot read the initiation, and one that does not know ours does not answer it. */
function wrongPsk(view: DiagnosisView): Finding | undefined {
  const refusal = lastRefusal(view, "handshake_invalid");
  if (refusal === undefined) return undefined;
  return {
    cause: "wrong_psk",
    confidence: "likely",
    isActive: refusal.isActive,
    says: "the peer answers, so both public keys are right, but its answer does not open: the preshared keys differ",
    evidence: [`refused as handshake_invalid: ${refusal.count}`],
    next: [
      {
        text: "compare on both sides, as root and without sending them anywhere",
        command: `wg show ${view.interfaceName} preshared-keys`,
      },
      { text: "set the same on both", command: view.wgSet("preshared-key FILE") },
    ],
  };
}

function wrongKeyHere(view: DiagnosisView): Finding | undefined {
  const refused = view.refusalsFromEndpoint("unknown_peer");
  if (refused.count === 0) return undefined;
  return {
    cause: "wrong_key_here",
    confidence: refused.isExact ? "likely" : "possible",
    isActive: view.state !== "up" && view.isRecent(refused.lastAtMs),
    says: `${view.peer.endpoint} calls with a public key that is not configured here`,
    evidence: [
      `refused as unknown_peer, from ${refused.isExact ? "this endpoint" : "this address, another port"}: ${countText(refused.count, "initiation")}, the last at ${momentText(refused.lastAtMs, view.nowMs)}`,
    ],
    next: [
      { text: "ask the other side for its key: there, wg show INTERFACE public-key" },
      { text: "and replace this one", command: view.wgSet("remove") },
    ],
  };
}

function wrongKeyThere(view: DiagnosisView): Finding | undefined {
  const refused = view.refusalsFromEndpoint("mac1_invalid");
  if (refused.count === 0) return undefined;
  return {
    cause: "wrong_key_there",
    confidence: refused.isExact ? "likely" : "possible",
    isActive: view.state !== "up" && view.isRecent(refused.lastAtMs),
    says: `${view.peer.endpoint} calls for another public key than this device's`,
    evidence: [
      `refused as mac1_invalid, from ${refused.isExact ? "this endpoint" : "this address, another port"}: ${countText(refused.count, "message")}, the last at ${momentText(refused.lastAtMs, view.nowMs)}`,
      `this device's key is ${view.now.head.interface.publicKey}`,
    ],
    next: [ownKeyStep(view)],
  };
}

function clockWentBack(view: DiagnosisView): Finding | undefined {
  const refusal = lastRefusal(view, "timestamp_replayed");
  if (refusal === undefined || isHeardSince(view, refusal.atMs)) return undefined;
  return {
    cause: "clock_went_back",
    confidence: "likely",
    isActive: refusal.isActive,
    says: "the peer calls with a timestamp older than one it has used before: its clock went back",
    evidence: [`refused as timestamp_replayed: ${refusal.count}`, "nothing good has come of the peer since"],
    next: [
      { text: "set the clock there", command: "timedatectl status" },
      {
        text: "until it is right: take the peer away here and add it again, which forgets the old timestamp",
        command: view.wgSet("remove"),
      },
    ],
  };
}

/** The same refusal of a peer that is well: an initiation of long ago came again. */
function handshakeReplayed(view: DiagnosisView): Finding | undefined {
  const refusal = lastRefusal(view, "timestamp_replayed");
  if (refusal === undefined || !isHeardSince(view, refusal.atMs)) return undefined;
  return {
    cause: "handshake_replayed",
    confidence: "likely",
    isActive: view.drops("timestamp_replayed").moved > 0,
    says: "handshake initiations of before come again, while the peer is well: somebody replays them, or the path doubles them",
    evidence: [`refused as timestamp_replayed: ${refusal.count}`],
    next: [{ text: "nothing: they are refused, and cost hardly anything" }],
  };
}

function isHeardSince(view: DiagnosisView, atMs: number): boolean {
  return view.state !== "silent" && (view.details?.lastReceivedAtMs ?? 0) > atMs;
}

function underLoadThere(view: DiagnosisView): Finding | undefined {
  const { details } = view;
  if (details === undefined || details.handshakes.cookieRepliesReceived === 0) return undefined;
  const { cookieRepliesReceived, cookieReplyAtMs, initiationsUnanswered } = details.handshakes;
  const atMs = cookieReplyAtMs ?? 0;
  return {
    cause: "under_load_there",
    confidence: "known",
    isActive: view.isRecent(atMs) && !view.hasRecoveredSince(atMs),
    says: "the peer answers with cookies: it gets more handshakes than it can take, and asks for proof of the address",
    evidence: [
      `cookie replies: ${cookieRepliesReceived}, the last at ${momentText(atMs, view.nowMs)}`,
      `initiations without a response: ${initiationsUnanswered}`,
    ],
    next: [{ text: "wait: the next initiation carries the cookie. If it lasts, look for a handshake flood there" }],
  };
}

function underLoadHere(view: DiagnosisView): Finding | undefined {
  const dropped = view.deviceDrops("under_load", "rate_limited");
  if (dropped.total === 0) return undefined;
  const own = view.refusalsFromEndpoint("under_load", "rate_limited");
  return {
    cause: "under_load_here",
    confidence: own.count > 0 ? "likely" : "possible",
    isActive: dropped.moved > 0,
    says: `${view.interfaceName} gets more handshakes than it can take, and answers with cookies`,
    evidence: [
      `refused as under_load or rate_limited: ${view.countText(dropped, "message")}`,
      `of them from the address of this peer, of late: ${own.count}`,
    ],
    next: [
      { text: "see who sends them", command: `longhaul show ${view.interfaceName} --json` },
      {
        text: `limit UDP ${view.now.head.interface.listenPort} to known addresses in the firewall, if the peers have fixed ones`,
      },
    ],
  };
}

/** As responder: the initiator neither confirms our response nor stops asking. */
function answersUnconfirmed(view: DiagnosisView): Finding | undefined {
  const { details } = view;
  if (details === undefined) return bytesUnconfirmed(view);
  const { handshakes, latestHandshakeAtMs, lastReceivedAtMs } = details;
  const responses = view.count(({ peer }) => peer.handshakes?.responsesSent ?? 0);
  const isUnconfirmed =
    handshakes.responsesSent >= 2 && (lastReceivedAtMs ?? 0) - (latestHandshakeAtMs ?? 0) > UNCONFIRMED_MS;
  if (!isUnconfirmed || handshakes.completed >= handshakes.responsesSent) return undefined;
  return {
    cause: "answers_unconfirmed",
    confidence: "known",
    isActive: view.isRecent(lastReceivedAtMs) && (latestHandshakeAtMs === null || view.state !== "up"),
    says: "the peer calls and is answered, and calls again: our answers get lost on the way back, or it cannot open them because the preshared keys differ",
    evidence: [
      `good initiations of the peer: ${handshakes.initiationsReceived}`,
      `responses: ${view.countText(responses, "response")}`,
      `handshakes completed: ${handshakes.completed}`,
    ],
    next: [
      {
        text: "compare on both sides, as root and without sending them anywhere",
        command: `wg show ${view.interfaceName} preshared-keys`,
      },
      { text: `see whether answers arrive there: tcpdump -n udp port ${view.now.head.interface.listenPort}` },
    ],
  };
}

/** The same, from what `wg show` has: only initiations can have come. */
function bytesUnconfirmed({ peer }: DiagnosisView): Finding | undefined {
  if (peer.latestHandshakeAtMs !== null || peer.receivedBytes === 0) return undefined;
  return {
    cause: "answers_unconfirmed",
    confidence: "likely",
    isActive: true,
    says: "the peer calls, and no handshake comes about: our answers get lost on the way back, or the preshared keys differ",
    evidence: [`bytes received: ${peer.receivedBytes}, sent: ${peer.sentBytes}, handshakes: 0`],
    next: [{ text: "ask a daemon that counts: longhaul has a control socket in /run/longhaul" }],
  };
}

/** More than the time from an initiation to its confirmation. */
const UNCONFIRMED_MS = 4_000;

function stoppedAnswering(view: DiagnosisView): Finding | undefined {
  const { details } = view;
  if (details === undefined || view.state !== "silent" || details.latestHandshakeAtMs === null) return undefined;
  const heardMs = details.lastReceivedAtMs ?? details.latestHandshakeAtMs;
  return {
    cause: "stopped_answering",
    confidence: "known",
    isActive: true,
    says: `${view.peer.endpoint ?? "the peer"} answered until ${momentText(heardMs, view.nowMs)} and does no more: it is off, its address has changed, or a firewall or NAT on the way has closed`,
    evidence: [...askedEvidence(view), `last heard of ${durationText(view.nowMs - heardMs)} ago`],
    next: reachSteps(view),
  };
}

function neverAnswered(view: DiagnosisView): Finding | undefined {
  if (view.state !== "silent" || view.peer.latestHandshakeAtMs !== null) return undefined;
  const { endpoint, receivedBytes } = view.peer;
  if (receivedBytes > 0) return undefined;
  return {
    cause: "never_answered",
    confidence: "known",
    isActive: true,
    says: `nothing has ever come back from ${endpoint ?? "the peer"}: wrong address or port, a firewall on the way, no daemon there, or one that does not know this device's key`,
    evidence: askedEvidence(view),
    next: [...reachSteps(view), ownKeyStep(view)],
  };
}

function askedEvidence(view: DiagnosisView): string[] {
  const { details } = view;
  if (details === undefined) return [`bytes sent: ${view.peer.sentBytes}, received: ${view.peer.receivedBytes}`];
  const { initiationsUnanswered, unansweredSinceMs, givenUp } = details.handshakes;
  const since = momentText(unansweredSinceMs ?? view.nowMs, view.nowMs);
  return [
    `${countText(initiationsUnanswered, "initiation")} since ${since}, no reply`,
    ...(givenUp > 0 ? [`given up after 90 s: ${countText(givenUp, "time")}`] : []),
    ...(details.traffic.stagedPackets > 0
      ? [`waiting for it: ${countText(details.traffic.stagedPackets, "packet")}`]
      : []),
  ];
}

function reachSteps(view: DiagnosisView): Array<{ text: string; command?: string }> {
  const { endpoint } = view.peer;
  if (endpoint === null) return [];
  return [
    { text: "see on the other side whether our datagrams arrive", command: `tcpdump -n udp port ${portOf(endpoint)}` },
    {
      text: `if they do: is the daemon there running, and does it know this device? If not: is UDP ${portOf(endpoint)} forwarded there?`,
    },
  ];
}

function neverTried(view: DiagnosisView): Finding | undefined {
  const { peer, details } = view;
  const isTouched = peer.latestHandshakeAtMs !== null || peer.sentBytes > 0 || peer.receivedBytes > 0;
  if (isTouched || peer.endpoint === null || peer.allowedIps.length === 0) return undefined;
  if (view.state === "silent" || (details?.drops.sendsRefused ?? 0) > 0 || (details?.handshakes.refused ?? 0) > 0) {
    return undefined;
  }
  const target = peer.allowedIps[0].split("/")[0];
  return {
    cause: "never_tried",
    confidence: "known",
    isActive: true,
    says: "nothing was ever sent to this peer, and it has not called: a peer without traffic makes no handshake",
    evidence: [
      "bytes sent: 0, received: 0",
      ...(details === undefined
        ? []
        : [
            `initiations sent: ${details.handshakes.initiationsSent}, received: ${details.handshakes.initiationsReceived}`,
          ]),
      `persistent keepalive: ${peer.persistentKeepaliveSeconds === 0 ? "off" : `every ${peer.persistentKeepaliveSeconds} s`}`,
    ],
    next: [
      { text: "send something", command: `ping -c 3 ${target}` },
      { text: "or keep it open, which a peer behind NAT needs", command: view.wgSet("persistent-keepalive 25") },
    ],
  };
}

function twoMachines(view: DiagnosisView): Finding | undefined {
  const dropped = view.drops("initiation_flood");
  if (dropped.total === 0) return undefined;
  return {
    cause: "two_machines",
    confidence: "likely",
    isActive: dropped.moved > 0,
    says: "the peer calls more often than one machine does: its key is in use on two",
    evidence: [`refused as initiation_flood: ${view.countText(dropped, "initiation")}`],
    next: [{ text: "give each machine a key of its own", command: "longhaul genkey" }],
  };
}
