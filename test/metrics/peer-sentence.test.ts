// One sentence a peer: what it says in each state, with all facts and with those of the UAPI alone.
import { describe, expect, test } from "vitest";
import type { PeerFacts } from "../../src/metrics/diagnosis-facts.js";
import { peerSentence } from "../../src/metrics/peer-sentence.js";
import { peerState } from "../../src/metrics/peer-state.js";
import { bareFacts, minutesAgo, NOW_MS, peerFacts, silentPeer, untouched } from "./facts.js";

const asked = "no answer from 203.0.113.7:51820 since 11:58: 12 initiations sent";

const cases: ReadonlyArray<readonly [string, string, PeerFacts]> = [
  ["up", "up, 412 Mbit/s, no loss, 81 ms", peerFacts()],
  ["up", "up, 412 Mbit/s, 0.02 % loss on the path, 81 ms", peerFacts({ path: { recentLoss: 0.0002 } })],
  ["degraded", "up, 412 Mbit/s, 3.4 % loss on the path, 81 ms", peerFacts({ path: { recentLoss: 0.034 } })],
  [
    "up",
    "up, quiet",
    peerFacts({
      traffic: { sentBitsPerSecond: 90, receivedBitsPerSecond: 0 },
      roundTrip: { smoothedSeconds: null },
    }),
  ],
  ["silent", `${asked}, no reply — is UDP 51820 forwarded there?`, silentPeer()],
  [
    "silent",
    `${asked}, its replies do not open — is the preshared key the same there?`,
    silentPeer({ handshakes: { lastRefusedReason: "handshake_invalid", lastRefusedAtMs: NOW_MS } }),
  ],
  [
    "silent",
    `${asked}, this host has no route to it`,
    silentPeer({ drops: { lastSendRefusedReason: "send_unreachable", lastSendRefusedAtMs: NOW_MS } }),
  ],
  [
    "silent",
    `${asked}, answered with cookies only: it is under load`,
    silentPeer({ handshakes: { cookieReplyAtMs: NOW_MS - 100 } }),
  ],
  [
    "silent",
    `${asked}, no reply — is UDP 51820 forwarded there?`,
    silentPeer({ handshakes: { lastRefusedReason: "handshake_invalid", lastRefusedAtMs: minutesAgo(10) } }),
  ],
  [
    "idle",
    "idle: nothing to send, last heard of 20 min ago",
    peerFacts({ peer: { latestHandshakeAtMs: minutesAgo(21), lastReceivedAtMs: minutesAgo(20) } }),
  ],
  ["idle", "never tried: nothing was to be sent to it", peerFacts(untouched)],
  [
    "idle",
    "no endpoint: waits until it calls",
    peerFacts({ ...untouched, peer: { ...untouched.peer, endpoint: null } }),
  ],
  [
    "idle",
    "its endpoint a.example.org is not found: is the name right, and the name server there?",
    peerFacts({
      ...untouched,
      peer: { ...untouched.peer, endpoint: null, endpointName: { host: "a.example.org", problem: "ENOTFOUND" } },
    }),
  ],
  [
    "idle",
    "no AllowedIPs: nothing can be sent to it or taken from it",
    peerFacts({ ...untouched, peer: { ...untouched.peer, allowedIps: [] } }),
  ],
  [
    "idle",
    "it calls, and does not take our answers",
    peerFacts({ ...untouched, handshakes: { ...untouched.handshakes, initiationsReceived: 3, responsesSent: 3 } }),
  ],
  ["up", "up, last handshake 30 s ago", bareFacts()],
  ["idle", "idle: nothing to send, last heard of 20 min ago", bareFacts({ latestHandshakeAtMs: minutesAgo(20) })],
  [
    "silent",
    "no answer from 203.0.113.7:51820 yet",
    bareFacts({ latestHandshakeAtMs: null, sentBytes: 148, receivedBytes: 0 }),
  ],
];

describe("a peer's sentence", () => {
  test.each(cases)("%s: %s", (state, sentence, peer) => {
    expect(peerState(peer, NOW_MS)).toBe(state);
    expect(peerSentence(peer, NOW_MS)).toBe(sentence);
  });

  test("a renewal just asked for is no silence yet", () => {
    const asking = (agoMs: number): PeerFacts =>
      peerFacts({ handshakes: { initiationsUnanswered: 1, unansweredSinceMs: NOW_MS - agoMs } });
    expect(peerState(asking(1_000), NOW_MS)).toBe("up");
    expect(peerState(asking(6_000), NOW_MS)).toBe("silent");
  });
});
