// Causes from facts: what each rule needs, what silences it, and in which order findings are told. Most rules also meet the real
// fault in test/netns/why.test.ts.
import { describe, expect, test } from "vitest";
import { findCauses } from "../../src/metrics/diagnosis.js";
import type { CauseName } from "../../src/metrics/diagnosis-causes.js";
import type { HostFacts, PeerFacts, Reading } from "../../src/metrics/diagnosis-facts.js";
import {
  bareFacts,
  type HeadChanges,
  headFacts,
  minutesAgo,
  NOW_MS,
  OWN_KEY,
  PEER_KEY,
  type PeerChanges,
  peerFacts,
  silentPeer,
  untouched,
} from "./facts.js";

const packets = (reason: string, count: number) => [{ reason, packets: count }];

function reading(peer: PeerFacts, head: HeadChanges = {}): Reading {
  return { head: headFacts(head), peer };
}

/** The same peer two seconds ago. */
function ago(peer: PeerFacts, head: HeadChanges = {}): Reading {
  return reading(peer, { readAtMs: NOW_MS - 2_000, ...head });
}

/** `cause`, with `?` behind what is only possible and in brackets what is over. */
function told(now: Reading, earlier?: Reading, host?: HostFacts): string[] {
  return findCauses(now, earlier, host).map(({ cause, confidence, isActive }) => {
    const name = `${cause}${confidence === "possible" ? "?" : ""}`;
    return isActive ? name : `(${name})`;
  });
}

test("of a peer that is well nothing is told, whether it talks or not", () => {
  expect(told(reading(peerFacts()), ago(peerFacts()))).toEqual([]);
  const asleep = peerFacts({ peer: { latestHandshakeAtMs: minutesAgo(30), lastReceivedAtMs: minutesAgo(29) } });
  expect(told(reading(asleep), ago(asleep))).toEqual([]);
  expect(told(reading(bareFacts()))).toEqual([]);
});

describe("with the UAPI alone", () => {
  const asked = { latestHandshakeAtMs: null, receivedBytes: 0, sentBytes: 148 };
  test.each<[CauseName, Partial<PeerFacts>, HeadChanges]>([
    ["no_private_key", {}, { interface: { publicKey: null } }],
    ["own_key", { publicKey: OWN_KEY }, {}],
    ["no_allowed_ips", { allowedIps: [] }, {}],
    ["no_endpoint", { endpoint: null }, {}],
    ["never_answered", asked, {}],
    ["answers_unconfirmed", { ...asked, receivedBytes: 148 }, {}],
    ["never_tried", { ...asked, sentBytes: 0 }, {}],
  ])("%s", (cause, peer, head) => {
    const now: Reading = {
      head: { ...headFacts(head), ledger: undefined, loop: undefined } as never,
      peer: bareFacts(peer),
    };
    expect(told(now)[0]).toBe(cause);
  });
});

describe("a counter that moves is told as now, one that stands as over", () => {
  test.each<[CauseName, string]>([
    ["source_not_allowed", "source_not_allowed"],
    ["corrupted", "authentication_failed"],
    ["packets_replayed", "counter_replayed"],
    ["packets_late", "keypair_expired"],
    ["bad_inner_packets", "inner_malformed"],
    ["bad_inner_packets", "ecn_invalid"],
    ["two_machines", "initiation_flood"],
    ["reordering", "counter_too_old"],
    ["send_buffer_full", "send_would_block"],
    ["send_buffer_full", "send_no_buffers"],
    ["mtu_too_large", "send_too_large"],
  ])("%s, by %s of the peer", (cause, reason) => {
    const now = peerFacts({ drops: { inbound: packets(reason, 12) } });
    expect(told(reading(now), ago(peerFacts({ drops: { inbound: packets(reason, 5) } })))).toEqual([cause]);
    expect(told(reading(now), ago(now))).toEqual([`(${cause})`]);
    const [{ evidence }] = findCauses(reading(now), ago(peerFacts({ drops: { inbound: packets(reason, 5) } })));
    expect(evidence.join()).toContain("12 ");
    expect(evidence.join()).toContain("7 in the last 2 s");
  });

  test.each<[string, string]>([
    ["socket_overflow", "socket_overflow"],
    ["tun_queue_full", "tun_queue_full"],
    ["interface_refuses", "tun_write_failed"],
    ["under_load_here?", "under_load"],
    ["not_in_allowed_ips?", "no_route"],
  ])("%s, by %s of the interface", (cause, reason) => {
    const peer = peerFacts();
    const now = reading(peer, { inbound: packets(reason, 12) });
    expect(told(now, ago(peer, { inbound: packets(reason, 5) }))).toEqual([cause]);
  });

  test("a few strays of the kernel are no packets for addresses that nobody has", () => {
    const peer = peerFacts();
    const strays = (count: number): HeadChanges => ({ outbound: packets("no_route", count) });
    expect(told(reading(peer, strays(12)), ago(peer, strays(10)))).toEqual([]);
  });

  test("loop_stalls: one that has just happened; a long one of before", () => {
    const peer = peerFacts();
    expect(told(reading(peer, { absenceSecondsMax: 0.2 }), ago(peer))).toEqual(["loop_stalls"]);
    expect(told(reading(peer, { absenceSecondsMax: 0.2 }), ago(peer, { absenceSecondsMax: 0.2 }))).toEqual([]);
    expect(told(reading(peer, { absenceSecondsMax: 0.9 }), ago(peer, { absenceSecondsMax: 0.9 }))).toEqual([
      "(loop_stalls)",
    ]);
  });
});

describe("silence", () => {
  const refusedAs = (reason: string): PeerChanges => ({
    handshakes: { lastRefusedReason: reason, lastRefusedAtMs: NOW_MS - 3_000 },
    drops: { inbound: packets(reason, 12) },
  });
  const sendRefusedAs = (reason: string): PeerChanges => ({
    drops: { sendsRefused: 12, lastSendRefusedReason: reason, lastSendRefusedAtMs: NOW_MS - 3_000 },
  });
  const refusal = (reason: string, from: string) => ({
    refusals: [{ reason, count: 4, lastAtMs: NOW_MS - 3_000, from }],
  });

  test("has a symptom while no cause is seen", () => {
    expect(told(reading(silentPeer()))).toEqual(["never_answered"]);
    const known = { peer: { latestHandshakeAtMs: minutesAgo(20), lastReceivedAtMs: minutesAgo(19) } };
    expect(told(reading(silentPeer(known)))).toEqual(["stopped_answering"]);
    expect(told(reading(peerFacts(untouched)))).toEqual(["never_tried"]);
  });

  test.each<[CauseName, PeerChanges]>([
    ["wrong_psk", refusedAs("handshake_invalid")],
    ["clock_went_back", refusedAs("timestamp_replayed")],
    ["no_route", sendRefusedAs("send_unreachable")],
    ["firewall_here", sendRefusedAs("send_forbidden")],
    ["no_socket", sendRefusedAs("send_no_socket")],
    ["under_load_there", { handshakes: { cookieRepliesReceived: 3, cookieReplyAtMs: NOW_MS - 3_000 } }],
  ])("%s takes the symptom's place", (cause, changes) => {
    expect(told(reading(silentPeer(changes)))).toEqual([cause]);
  });

  test("a refusal that a handshake has followed is over", () => {
    const healed = peerFacts({ ...refusedAs("handshake_invalid"), peer: { latestHandshakeAtMs: NOW_MS - 1_000 } });
    expect(told(reading(healed), ago(healed))).toEqual(["(wrong_psk)"]);
  });

  test("an old timestamp from a peer that is well is a replay, not its clock", () => {
    const replayed = peerFacts(refusedAs("timestamp_replayed"));
    expect(told(reading(replayed), ago(replayed))).toEqual(["(handshake_replayed)"]);
  });

  test("another key from the peer's endpoint is likely its own; from its address only, possibly", () => {
    for (const [reason, cause] of [
      ["unknown_peer", "wrong_key_here"],
      ["mac1_invalid", "wrong_key_there"],
    ] as const) {
      expect(told(reading(silentPeer(), refusal(reason, "203.0.113.7:51820")))).toEqual([cause]);
      expect(told(reading(silentPeer(), refusal(reason, "203.0.113.7:1024")))).toEqual(["never_answered", `${cause}?`]);
      expect(told(reading(silentPeer(), refusal(reason, "203.0.113.8:51820")))).toEqual(["never_answered"]);
      const neighbour = {
        ...reading(silentPeer(), refusal(reason, "203.0.113.7:1024")),
        endpoints: new Set(["203.0.113.7:1024"]),
      };
      expect(told(neighbour)).toEqual(["never_answered"]);
    }
  });

  test("a peer whose calls are answered in vain", () => {
    const calls = { ...untouched.handshakes, initiationsReceived: 3, responsesSent: 3 };
    const calling = peerFacts({
      ...untouched,
      peer: { ...untouched.peer, receivedBytes: 444, lastReceivedAtMs: NOW_MS - 1_000 },
      handshakes: calls,
    });
    expect(told(reading(calling))).toEqual(["answers_unconfirmed"]);
  });
});

describe("what the kernel says of the ways", () => {
  const way = { address: "203.0.113.7", device: "eth0", isLocal: false, mtu: 1_500 };
  const inner = [{ address: "10.99.0.2", device: "hq", isLocal: false }];
  test.each<[CauseName, HostFacts]>([
    ["endpoint_is_here", { outer: { ...way, device: "lo", isLocal: true, mtu: 65_536 }, inner }],
    ["endpoint_in_tunnel", { outer: { ...way, device: "hq", mtu: 1_420 }, inner }],
    ["no_route", { outer: { ...way, device: undefined, mtu: undefined }, inner }],
    ["not_routed_here", { outer: way, inner: [{ address: "10.99.0.2", device: "eth1", isLocal: false }] }],
  ])("%s", (cause, host) => {
    expect(told(reading(silentPeer()), undefined, host)).toEqual([cause]);
  });

  test("the MTU of the way: 60 bytes around a packet over IPv4, 80 over IPv6", () => {
    const at = (mtu: number): HostFacts => ({ outer: { ...way, mtu }, inner });
    expect(told(reading(peerFacts()), undefined, at(1_480))).toEqual([]);
    expect(told(reading(peerFacts()), undefined, at(1_479))).toEqual(["mtu_too_large"]);
    const six = peerFacts({ peer: { endpoint: "[2001:db8::7]:51820" } });
    expect(told(reading(six), undefined, at(1_500))).toEqual([]);
    expect(told(reading(six), undefined, at(1_499))).toEqual(["mtu_too_large"]);
    const [{ next }] = findCauses(reading(six), undefined, at(1_499));
    expect(next[0].command).toBe("ip link set hq mtu 1419");
  });
});

describe("a path that is bad", () => {
  test("loss of late, and loss of long ago", () => {
    expect(told(reading(peerFacts({ path: { recentLoss: 0.02, lost: 200 } })))).toEqual(["path_loss"]);
    expect(told(reading(peerFacts({ path: { lost: 200 } })))).toEqual(["(path_loss)"]);
    expect(told(reading(peerFacts({ path: { recentLoss: 0.0002, lost: 2 } })))).toEqual([]);
  });

  test("loss is not certainly the path's while this host's socket overflows", () => {
    const lossy = peerFacts({ path: { recentLoss: 0.02, lost: 200 } });
    const overflowing: HeadChanges = { inbound: packets("socket_overflow", 200) };
    expect(told(reading(lossy, overflowing), ago(lossy))).toEqual(["socket_overflow", "path_loss?"]);
  });

  test("only small packets arrive", () => {
    const at = (receivedPackets: number, receivedInnerBytes: number): PeerFacts =>
      peerFacts({ path: { recentLoss: 0.4, lost: 4_000 }, traffic: { receivedPackets, receivedInnerBytes } });
    expect(told(reading(at(110, 8_400)), ago(at(100, 7_560)))).toEqual(["path_loss", "large_packets_lost?"]);
    expect(told(reading(at(110, 21_760)), ago(at(100, 7_560)))).toEqual(["path_loss"]);
  });

  test("an endpoint that keeps changing", () => {
    const moved = (endpointChanges: number, atMs: number): PeerFacts =>
      peerFacts({ peer: { endpointChanges, endpointChangedAtMs: atMs } });
    expect(told(reading(moved(3, NOW_MS - 9_000)))).toEqual(["endpoint_flapping"]);
    expect(told(reading(moved(3, minutesAgo(60))))).toEqual(["(endpoint_flapping)"]);
    expect(told(reading(moved(2, NOW_MS - 9_000)))).toEqual([]);
  });

  test("packets go, none come back", () => {
    const at = (sentPackets: number): PeerFacts => peerFacts({ traffic: { sentPackets, receivedPackets: 9_990 } });
    expect(told(reading(at(110)), ago(at(100)))).toEqual(["only_keepalives"]);
    const refused = (count: number): PeerFacts =>
      peerFacts({ traffic: { sentPackets: 100 + count }, drops: { inbound: packets("source_not_allowed", count) } });
    expect(told(reading(refused(20)), ago(refused(10)))).toEqual(["source_not_allowed"]);
  });
});

test("a source that is not allowed is named, and the command allows it beside the others", () => {
  const at = (count: number, lastRefusedSource: string): PeerFacts =>
    peerFacts({ drops: { inbound: packets("source_not_allowed", count), lastRefusedSource } });
  const [{ evidence, next }] = findCauses(reading(at(9, "10.1.2.3")), ago(at(5, "10.1.2.3")));
  expect(evidence).toContain("the last came from 10.1.2.3");
  expect(next[1].command).toBe(`wg set hq peer ${PEER_KEY} allowed-ips 10.99.0.2/32,192.168.20.0/24,10.1.2.3/32`);
  const [six] = findCauses(reading(at(9, "fd00::1")), ago(at(5, "fd00::1")));
  expect(six.next[1].command).toContain(",fd00::1/128");
});

test("an interface that is down is the first thing told", () => {
  const now = reading(silentPeer({ drops: { inbound: packets("handshake_invalid", 3) } }), {
    interface: { isUp: false },
  });
  expect(told(now)).toEqual(["interface_down", "(wrong_psk)"]);
});
