// Rules of the diagnosis: what slows or thins out the traffic of a peer that is there.

import type { CauseName, Confidence } from "./diagnosis-causes.js";
import { dropsOf, type Reading } from "./diagnosis-facts.js";
import { type Finding, type NextStep, nextStep, type Rule } from "./diagnosis-finding.js";
import { addressOf, type Count, type DiagnosisView } from "./diagnosis-view.js";
import { bytesText, countText, durationText, millisecondsText, percentText } from "./quantity-text.js";

/** Below, nobody notices. */
const LOSS_WORTH_SAYING = 0.001;
const LOSS_OF_LARGE_MIN = 0.05;
const SMALL_PACKET_BYTES = 300;
const STALL_MS = 100;
/** A start takes less. */
const PAST_STALL_MS = 500;
const REORDERED_SHARE = 0.01;
const ENDPOINT_CHANGES_MIN = 3;
/** Less is a slow answer. */
const ONE_WAY_PACKETS_MIN = 3;
/** IP, UDP, header and tag. */
const OVERHEAD4_BYTES = 60;
const OVERHEAD6_BYTES = 80;

interface DropRule {
  readonly cause: CauseName;
  readonly reasons: readonly string[];
  readonly scope: "peer" | "device";
  readonly confidence: Confidence;
  readonly says: (view: DiagnosisView) => string;
  /** More evidence than the counter. */
  readonly facts?: (view: DiagnosisView) => readonly string[];
  readonly next: (view: DiagnosisView) => readonly NextStep[];
}

/** Causes that are nothing but their counter. */
const dropRules: readonly DropRule[] = [
  {
    cause: "source_not_allowed",
    reasons: ["source_not_allowed"],
    scope: "peer",
    confidence: "known",
    says: () => "the peer sends from addresses that its AllowedIPs here do not contain; such packets are refused",
    facts: (view) => {
      const source = view.details?.drops.lastRefusedSource;
      return typeof source === "string" ? [`the last came from ${source}`] : [];
    },
    next: (view) => {
      const source = view.details?.drops.lastRefusedSource;
      return [
        { text: "see what is allowed", command: `wg show ${view.interfaceName} allowed-ips` },
        nextStep(
          "if that address is behind the peer, allow it, here or in the file",
          typeof source === "string" ? view.wgAllow(hostPrefix(source)) : undefined,
        ),
        { text: "if not: keep the other side from sending from there, or translate its addresses" },
      ];
    },
  },
  {
    cause: "corrupted",
    reasons: ["authentication_failed"],
    scope: "peer",
    confidence: "known",
    says: () => "transport data of this peer arrives with a tag that does not verify: damaged on the way, or forged",
    next: () => [
      {
        text: "look for a device on the path that rewrites UDP payloads, and for errors of the network card",
        command: "ip -s -s link",
      },
    ],
  },
  {
    cause: "socket_overflow",
    reasons: ["socket_overflow"],
    scope: "device",
    confidence: "known",
    says: () => "datagrams are lost in this host: the UDP socket's receive buffer is full when they come",
    next: () => [
      {
        text: "allow larger buffers, and give the daemon CAP_NET_ADMIN",
        command: "sysctl -w net.core.rmem_max=67108864",
      },
      { text: "see whether the daemon has a processor to itself", command: "top -H" },
    ],
  },
  {
    cause: "tun_queue_full",
    reasons: ["tun_queue_full"],
    scope: "device",
    confidence: "known",
    says: (view) => `packets are lost in this host: the queue of ${view.interfaceName} is full when they come`,
    next: (view) => [
      { text: "lengthen it", command: `ip link set ${view.interfaceName} txqueuelen 2000` },
      { text: "see whether the daemon has a processor to itself", command: "top -H" },
    ],
  },
  {
    cause: "send_buffer_full",
    reasons: ["send_would_block", "send_no_buffers"],
    scope: "peer",
    confidence: "known",
    says: () => "the interface below takes less than is sent: its queue or the socket's send buffer is full",
    next: () => [
      { text: "look at the queue of the interface below", command: "tc -s qdisc" },
      {
        text: "allow larger buffers, and give the daemon CAP_NET_ADMIN",
        command: "sysctl -w net.core.wmem_max=33554432",
      },
    ],
  },
  {
    cause: "interface_refuses",
    reasons: ["tun_write_failed", "interface_down"],
    scope: "device",
    confidence: "known",
    says: (view) => `${view.interfaceName} does not take packets that came for it`,
    next: (view) => [{ text: "look at its state and MTU", command: `ip -s link show ${view.interfaceName}` }],
  },
  {
    cause: "packets_replayed",
    reasons: ["counter_replayed"],
    scope: "peer",
    confidence: "known",
    says: () => "packets come that were here before: the path doubles them, or somebody replays them; they are refused",
    next: () => [{ text: "nothing, unless it is many: then look for a loop or a mirror port on the path" }],
  },
  {
    cause: "packets_late",
    reasons: ["keypair_expired"],
    scope: "peer",
    confidence: "known",
    says: () => "packets come on keys older than 180 s: they were held up on the way, or the peer was asleep",
    next: () => [{ text: "see whether the peer was suspended, or its clock is stopped" }],
  },
  {
    cause: "bad_inner_packets",
    reasons: ["inner_malformed", "ecn_invalid"],
    scope: "peer",
    confidence: "known",
    says: () => "the peer sends packets through the tunnel that are no valid IP packets",
    next: (view) => [{ text: "see which of the two it is", command: `longhaul show ${view.interfaceName}` }],
  },
];

export const trafficRules: readonly Rule[] = [
  ...dropRules.map(
    (rule): Rule =>
      (view) =>
        applyDropRule(rule, view),
  ),
  onlyKeepalives,
  mtuTooLarge,
  largePacketsLost,
  loopStalls,
  endpointFlapping,
  pathLoss,
  reordering,
];

function applyDropRule(rule: DropRule, view: DiagnosisView): Finding | undefined {
  const dropped = rule.scope === "peer" ? view.drops(...rule.reasons) : view.deviceDrops(...rule.reasons);
  if (dropped.total === 0) return undefined;
  const whose = rule.scope === "peer" ? "" : ", of all peers";
  const reasons = rule.reasons.filter((reason) => hasHappened(view.now, rule.scope, reason));
  return {
    cause: rule.cause,
    confidence: rule.confidence,
    isActive: dropped.moved > 0,
    says: rule.says(view),
    evidence: [`refused as ${reasons.join(" or ")}: ${view.countText(dropped)}${whose}`, ...(rule.facts?.(view) ?? [])],
    next: rule.next(view),
  };
}

function hostPrefix(address: string): string {
  return `${address}/${address.includes(":") ? 128 : 32}`;
}

function hasHappened({ head, peer }: Reading, scope: "peer" | "device", reason: string): boolean {
  const columns =
    scope === "peer"
      ? [peer.drops?.inbound, peer.drops?.outbound]
      : [head.ledger?.inbound.drops, head.ledger?.outbound.drops];
  return columns.some((column) => dropsOf(column, reason) > 0);
}

function onlyKeepalives(view: DiagnosisView): Finding | undefined {
  const { details } = view;
  if (details === undefined || view.state === "silent") return undefined;
  const sent = view.count(({ peer }) => peer.traffic?.sentPackets ?? 0);
  const received = view.count(({ peer }) => peer.traffic?.receivedPackets ?? 0);
  const refused = view.drops("source_not_allowed");
  const isOneWay = (pick: (count: Count) => number): boolean =>
    pick(sent) >= ONE_WAY_PACKETS_MIN && pick(received) === 0 && pick(refused) === 0;
  const isNow = isOneWay(({ moved }) => moved);
  if (!isNow && !isOneWay(({ total }) => total)) return undefined;
  return {
    cause: "only_keepalives",
    confidence: "likely",
    isActive: isNow || view.state === "up",
    says: "the peer gets our packets and has nothing to send back: its AllowedIPs lack our addresses, or its host, firewall or LAN has no way back",
    evidence: [
      `sent: ${view.countText(sent)}`,
      `received: ${view.countText(received)}; keepalives: ${details.traffic.receivedKeepalives}`,
    ],
    next: [
      {
        text: "on the other side, run longhaul why: does AllowedIPs of this device contain the addresses that we send from?",
      },
      {
        text: "there: does it forward, and do the hosts behind it know the way back?",
        command: "sysctl net.ipv4.ip_forward",
      },
    ],
  };
}

function mtuTooLarge(view: DiagnosisView): Finding | undefined {
  const { endpoint } = view.peer;
  const { mtu } = view.now.head.interface;
  const refused = view.drops("send_too_large");
  const way = view.host?.outer;
  const overhead = endpoint !== null && addressOf(endpoint).includes(":") ? OVERHEAD6_BYTES : OVERHEAD4_BYTES;
  const isTooLarge =
    mtu !== undefined &&
    way?.mtu !== undefined &&
    !way.isLocal &&
    way.device !== view.interfaceName &&
    mtu + overhead > way.mtu;
  if (refused.total === 0 && !isTooLarge) return undefined;
  const fitting = way?.mtu === undefined ? undefined : way.mtu - overhead;
  return {
    cause: "mtu_too_large",
    confidence: "known",
    isActive: isTooLarge || refused.moved > 0,
    says: `full packets of ${view.interfaceName} do not fit the way to ${endpoint}: they are fragmented, or lost`,
    evidence: [
      ...(isTooLarge ? [`MTU ${mtu} and ${overhead} bytes around it, on a way of ${way?.mtu}`] : []),
      ...(refused.total > 0 ? [`refused as send_too_large: ${view.countText(refused)}`] : []),
    ],
    next:
      fitting === undefined
        ? [{ text: "lower the MTU", command: `ip link set ${view.interfaceName} mtu 1280` }]
        : [{ text: "set what fits, on both sides", command: `ip link set ${view.interfaceName} mtu ${fitting}` }],
  };
}

function largePacketsLost(view: DiagnosisView): Finding | undefined {
  const loss = view.details?.path.recentLoss ?? 0;
  const packets = view.count(({ peer }) => peer.traffic?.receivedPackets ?? 0);
  const bytes = view.count(({ peer }) => peer.traffic?.receivedInnerBytes ?? 0);
  if (loss < LOSS_OF_LARGE_MIN || packets.moved === 0 || bytes.moved / packets.moved >= SMALL_PACKET_BYTES) {
    return undefined;
  }
  return {
    cause: "large_packets_lost",
    confidence: "possible",
    isActive: true,
    says: "much of what the peer sends is lost, and only small packets arrive: the path may swallow large ones",
    evidence: [
      `loss of late: ${percentText(loss)}`,
      `received meanwhile: ${countText(packets.moved, "packet")}, ${bytesText(bytes.moved / packets.moved)} each`,
    ],
    next: [
      { text: "try sizes from the other side: ping -M do -s 1392 goes lost, -s 1200 comes back?" },
      { text: "lower the MTU of the tunnel on both sides", command: `ip link set ${view.interfaceName} mtu 1280` },
    ],
  };
}

function loopStalls(view: DiagnosisView): Finding | undefined {
  const longestMs = view.count(({ head }) => (head.loop?.absenceSecondsMax ?? 0) * 1_000);
  if (longestMs.total < (longestMs.moved > 0 ? STALL_MS : PAST_STALL_MS)) return undefined;
  return {
    cause: "loop_stalls",
    confidence: "known",
    isActive: longestMs.moved > 0,
    says: "the daemon was away from its sockets: what came meanwhile had to wait, or was lost",
    evidence: [`longest absence since the start: ${millisecondsText(longestMs.total)}`],
    next: [{ text: "see what else runs on its processor", command: "top -H" }],
  };
}

function endpointFlapping(view: DiagnosisView): Finding | undefined {
  const { details } = view;
  const changes = view.count(({ peer }) => peer.endpointChanges ?? 0);
  if (details === undefined || changes.total < ENDPOINT_CHANGES_MIN) return undefined;
  const lastMs = details.endpointChangedAtMs;
  return {
    cause: "endpoint_flapping",
    confidence: "likely",
    isActive: changes.moved > 0 || view.isRecent(lastMs),
    says: "the peer keeps coming from another address or port: a NAT that forgets, a line that changes, or its key on two machines",
    evidence: [
      `endpoint changes: ${view.countText(changes, "change")}`,
      ...(lastMs === null ? [] : [`the last ${durationText(view.nowMs - lastMs)} ago, to ${view.peer.endpoint}`]),
    ],
    next: [{ text: "is its key on one machine only? Then let it keep its NAT open: PersistentKeepalive = 25 there" }],
  };
}

function pathLoss(view: DiagnosisView): Finding | undefined {
  const { details } = view;
  if (details === undefined) return undefined;
  const { path } = details;
  const loss = path.recentLoss ?? 0;
  const lost = view.count(({ peer }) => (peer.path === undefined ? 0 : peer.path.lost - peer.path.late));
  const total = lost.total / Math.max(1, lost.total + path.received);
  if (loss < LOSS_WORTH_SAYING && total < LOSS_WORTH_SAYING) return undefined;
  const overflow = view.deviceDrops("socket_overflow");
  return {
    cause: "path_loss",
    confidence: overflow.total > 0 ? "possible" : "likely",
    isActive: loss >= LOSS_WORTH_SAYING,
    says: `${percentText(loss >= LOSS_WORTH_SAYING ? loss : total)} of what the peer sends is lost between it and this host`,
    evidence: [
      `of late: ${percentText(loss)}; lost: ${view.countText(lost)}`,
      `longest gap: ${countText(path.lossBurstMax, "packet")}; lost in this host's socket: ${overflow.total}`,
    ],
    next: [
      { text: "run longhaul why on the other side too: that tells whether it is one direction" },
      ...(view.peer.endpoint === null
        ? []
        : [{ text: "find the hop", command: `mtr --udp --report ${addressOf(view.peer.endpoint)}` }]),
    ],
  };
}

function reordering(view: DiagnosisView): Finding | undefined {
  const { details } = view;
  if (details === undefined) return undefined;
  const reordered = view.count(({ peer }) => peer.path?.reordered ?? 0);
  const received = view.count(({ peer }) => peer.path?.received ?? 0);
  const tooOld = view.drops("counter_too_old");
  const isNow = tooOld.moved > 0 || reordered.moved > received.moved * REORDERED_SHARE;
  if (!isNow && tooOld.total === 0 && reordered.total <= received.total * REORDERED_SHARE) return undefined;
  return {
    cause: "reordering",
    confidence: "known",
    isActive: isNow,
    says: "the peer's packets arrive out of order, which TCP takes for loss",
    evidence: [
      `late: ${view.countText(reordered)}; at most ${countText(details.path.reorderExtentMax, "packet")} behind`,
      ...(tooOld.total > 0 ? [`too late to be taken, refused as counter_too_old: ${view.countText(tooOld)}`] : []),
    ],
    next: [{ text: "look for a line on the path that is bundled of several" }],
  };
}
