// Reads the status document from the live counters. The head costs the same for any number of peers; a peer's part costs some
// ten µs, so whoever wants many takes them in slices.

import { formatEndpoint } from "../config/endpoint.js";
import { formatIpAddress } from "../config/ip-address.js";
import { formatBase64Key } from "../config/key.js";
import { formatPrefix } from "../config/prefix.js";
import { FlowCell } from "../core/device/ledger.js";
import { LoopCell } from "../core/device/loop-statistics.js";
import { type Peer, PeerBytes, PeerTime } from "../core/device/peer.js";
import { PeerCell } from "../core/device/peer-statistics.js";
import { KernelCell, type Statistics } from "../core/device/statistics.js";
import { dropReasonNames } from "../core/drop-reason.js";
import { readEndpoint } from "../core/transport/endpoint-address.js";
import { FIRST_LOSS_BURST_CELL, LOSS_BURST_BOUNDS, PathCell } from "../core/transport/path-quality.js";
import { diagnose } from "./diagnosis.js";
import type {
  DropCount,
  HandshakeStatus,
  InterfaceStatus,
  LoopStatus,
  OffloadStatus,
  PathStatus,
  PeerDrops,
  PeerStatus,
  PeerTraffic,
  RoundTripStatus,
  StatusDocument,
  StatusHead,
} from "./status.js";
import { STATUS_SCHEMA } from "./status.js";
import type { StatusSource } from "./status-source.js";

/** A peer with more is one with a routing table in its list: enough to recognise it by. */
const ALLOWED_IPS_MAX = 1_000;
/** Characters of a key that stand for a peer without a name. */
const NAME_CHARACTERS = 8;

/** @returns the whole document, read at once: for a few hundred peers, else statusChunks. */
export function readStatus(source: StatusSource): StatusDocument {
  const head = readStatusHead(source);
  return { ...head, peers: Array.from(source.statistics.peers(), (peer) => readPeerStatus(source, peer)) };
}

/** Brings the kernel's counters up to date and reads everything but the peers. */
export function readStatusHead(source: StatusSource): StatusHead {
  const { statistics } = source;
  statistics.refresh();
  const { flow, inboundDrops, outboundDrops } = statistics.ledger;
  const problems = source.problems();
  return {
    schema: STATUS_SCHEMA,
    readAtMs: Math.round(source.wallMs()),
    interface: readInterface(source),
    health: { isReady: problems.length === 0, reasons: problems },
    ledger: {
      inbound: {
        in: flow[FlowCell.InboundDatagrams],
        delivered: flow[FlowCell.InboundDelivered],
        keepalives: flow[FlowCell.InboundKeepalives],
        handshakes: flow[FlowCell.InboundHandshakes],
        drops: listDrops(inboundDrops),
        unaccounted: statistics.inboundUnaccounted,
      },
      outbound: {
        in: flow[FlowCell.OutboundPackets],
        sent: flow[FlowCell.OutboundSent],
        staged: statistics.staged,
        drops: listDrops(outboundDrops),
        unaccounted: statistics.outboundUnaccounted,
        keepalives: flow[FlowCell.OutboundKeepalives],
        handshakes: flow[FlowCell.OutboundHandshakes],
        controlFailed: flow[FlowCell.OutboundControlFailed],
      },
    },
    offloads: readOffloads(statistics),
    loop: readLoop(statistics),
    refusals: statistics.refusals.list().map((refusal) => {
      const endpoint = readEndpoint(refusal.record, 0);
      return {
        reason: dropReasonNames[refusal.reason],
        count: refusal.count,
        lastAtMs: Math.round(statistics.toWallMs(refusal.atMs)),
        from: endpoint === undefined ? null : formatEndpoint(endpoint),
      };
    }),
    peerCount: statistics.peerCount,
  };
}

/** Reads one peer. @param source  with the kernel's counters as the last readStatusHead left them */
export function readPeerStatus(source: StatusSource, peer: Peer): PeerStatus {
  const { statistics } = source;
  statistics.settlePath(peer);
  const { cells } = peer.statistics;
  const publicKey = formatBase64Key(peer.publicKey);
  const friendlyName = source.friendlyName(publicKey) ?? null;
  const endpoint = source.endpointOf(peer);
  const allowedIps: string[] = [];
  const allowedIpCount = source.allowedIpsOf(peer, ALLOWED_IPS_MAX, (prefix) => allowedIps.push(formatPrefix(prefix)));
  const status = {
    name: friendlyName ?? publicKey.slice(0, NAME_CHARACTERS),
    friendlyName,
    publicKey,
    hasPresharedKey: isAnySet(peer.handshake.presharedKey),
    endpoint: endpoint === undefined ? null : formatEndpoint(endpoint),
    endpointName: source.endpointName?.(publicKey) ?? null,
    allowedIps,
    allowedIpCount,
    persistentKeepaliveSeconds: peer.persistentKeepaliveMs / 1_000,
    latestHandshakeAtMs: peer.lastHandshakeWallMs === 0 ? null : Math.round(peer.lastHandshakeWallMs),
    lastReceivedAtMs: wallOrNull(statistics, peer.times[PeerTime.Received]),
    sentBytes: peer.bytes[PeerBytes.Sent],
    receivedBytes: peer.bytes[PeerBytes.Received],
    traffic: readTraffic(statistics, peer),
    path: readPath(statistics, peer),
    roundTrip: readRoundTrip(statistics, cells),
    handshakes: readHandshakes(statistics, cells),
    drops: readPeerDrops(statistics, peer),
    endpointChanges: cells[PeerCell.EndpointChanges],
    endpointChangedAtMs: wallOrNull(statistics, cells[PeerCell.LastEndpointChangeMs]),
  };
  return { ...status, diagnosis: diagnose(status, source.wallMs()) };
}

function readInterface(source: StatusSource): InterfaceStatus {
  const { publicKey, ...facts } = source.facts();
  return {
    ...facts,
    publicKey: publicKey === undefined ? null : formatBase64Key(publicKey),
    version: source.version,
    pid: process.pid,
    startedAtMs: Math.round(source.startedAtMs),
  };
}

function readOffloads({ kernel }: Statistics): OffloadStatus {
  return {
    tunReads: kernel[KernelCell.TunReads],
    tunReadPackets: kernel[KernelCell.TunReadPackets],
    tunWrites: kernel[KernelCell.TunWrites],
    tunWrittenPackets: kernel[KernelCell.TunWrittenPackets],
    tunRetriedUncoalesced: kernel[KernelCell.TunRetriedUncoalesced],
    udpReceiveCalls: kernel[KernelCell.UdpReceiveCalls],
    udpReceiveMessages: kernel[KernelCell.UdpReceiveMessages],
    udpReceivedDatagrams: kernel[KernelCell.UdpReceivedDatagrams],
    udpSendCalls: kernel[KernelCell.UdpSendCalls],
    udpSendMessages: kernel[KernelCell.UdpSendMessages],
    udpSentDatagrams: kernel[KernelCell.UdpSentDatagrams],
    udpGsoRefused: kernel[KernelCell.UdpGsoRefused],
    udpGsoRetried: kernel[KernelCell.UdpGsoRetried],
  };
}

function readLoop({ loop: { cells } }: Statistics): LoopStatus {
  return {
    turns: cells[LoopCell.Turns],
    turnSecondsSum: cells[LoopCell.TurnMsSum] / 1_000,
    turnSecondsMax: cells[LoopCell.TurnMsMax] / 1_000,
    absences: cells[LoopCell.Absences],
    absenceSecondsSum: cells[LoopCell.AbsenceMsSum] / 1_000,
    absenceSecondsMax: cells[LoopCell.AbsenceMsMax] / 1_000,
    queuedPackets: cells[LoopCell.QueuedPackets],
    queuedSecondsSum: cells[LoopCell.QueuedMsSum] / 1_000,
    queuedSecondsMax: cells[LoopCell.QueuedMsMax] / 1_000,
  };
}

function readTraffic(statistics: Statistics, peer: Peer): PeerTraffic {
  const { cells } = peer.statistics;
  const { recent } = statistics;
  return {
    sentPackets: cells[PeerCell.SentPackets],
    receivedPackets: cells[PeerCell.ReceivedPackets],
    sentKeepalives: cells[PeerCell.SentKeepalives],
    receivedKeepalives: cells[PeerCell.ReceivedKeepalives],
    sentInnerBytes: cells[PeerCell.SentInnerBytes],
    receivedInnerBytes: cells[PeerCell.ReceivedInnerBytes],
    sentBitsPerSecond: Math.round(recent.sentBitsPerS(peer)),
    receivedBitsPerSecond: Math.round(recent.receivedBitsPerS(peer)),
    sentGoodBitsPerSecond: Math.round(recent.sentGoodBitsPerS(peer)),
    receivedGoodBitsPerSecond: Math.round(recent.receivedGoodBitsPerS(peer)),
    stagedPackets: statistics.stagedOf(peer),
  };
}

function readPath(statistics: Statistics, peer: Peer): PathStatus {
  const { path } = peer.statistics;
  const loss = statistics.recent.loss(peer);
  const bounds = [...LOSS_BURST_BOUNDS, null];
  return {
    received: path[PathCell.Received],
    lost: path[PathCell.Lost],
    late: path[PathCell.CameLate],
    reordered: path[PathCell.Reordered],
    reorderExtentSum: path[PathCell.ReorderExtentSum],
    reorderExtentMax: path[PathCell.ReorderExtentMax],
    duplicates: path[PathCell.Duplicates],
    lossBursts: path[PathCell.LossBursts],
    lossBurstMax: path[PathCell.LossBurstMax],
    lossBurstLengths: bounds.map((upTo, i) => ({ upTo, bursts: path[FIRST_LOSS_BURST_CELL + i] })),
    skipped: path[PathCell.Skipped],
    recentLoss: Number.isNaN(loss) ? null : loss,
  };
}

function readRoundTrip(statistics: Statistics, cells: Float64Array): RoundTripStatus {
  const samples = cells[PeerCell.RttSamples];
  const seconds = (cell: number): number | null => (samples === 0 ? null : cells[cell] / 1_000);
  return {
    samples,
    lastSeconds: seconds(PeerCell.LastRttMs),
    smoothedSeconds: seconds(PeerCell.SmoothedRttMs),
    variationSeconds: seconds(PeerCell.RttVariationMs),
    leastSeconds: seconds(PeerCell.LeastRttMs),
    lastSampleAtMs: wallOrNull(statistics, cells[PeerCell.LastRttSampleMs]),
  };
}

function readHandshakes(statistics: Statistics, cells: Float64Array): HandshakeStatus {
  const unanswered = cells[PeerCell.InitiationsUnanswered];
  return {
    initiationsSent: cells[PeerCell.InitiationsSent],
    initiationsUnanswered: unanswered,
    unansweredSinceMs: unanswered === 0 ? null : wallOrNull(statistics, cells[PeerCell.FirstUnansweredMs]),
    initiationSentAtMs: wallOrNull(statistics, cells[PeerCell.LastInitiationSentMs]),
    responsesReceived: cells[PeerCell.ResponsesReceived],
    cookieRepliesReceived: cells[PeerCell.CookieRepliesReceived],
    cookieReplyAtMs: wallOrNull(statistics, cells[PeerCell.LastCookieReplyMs]),
    initiationsReceived: cells[PeerCell.InitiationsReceived],
    responsesSent: cells[PeerCell.ResponsesSent],
    completed: cells[PeerCell.HandshakesCompleted],
    givenUp: cells[PeerCell.HandshakesGivenUp],
    refused: cells[PeerCell.HandshakesRefused],
    lastRefusedReason: reasonOrNull(cells[PeerCell.LastRefusedReason]),
    lastRefusedAtMs: wallOrNull(statistics, cells[PeerCell.LastRefusedMs]),
  };
}

function readPeerDrops(statistics: Statistics, peer: Peer): PeerDrops {
  const { cells, inboundDrops, outboundDrops } = peer.statistics;
  return {
    inbound: listDrops(inboundDrops),
    outbound: listDrops(outboundDrops),
    sendsRefused: cells[PeerCell.SendsRefused],
    lastSendRefusedReason: reasonOrNull(cells[PeerCell.LastSendRefusedReason]),
    lastRefusedSource: readRefusedSource(cells),
    lastSendRefusedAtMs: wallOrNull(statistics, cells[PeerCell.LastSendRefusedMs]),
  };
}

function listDrops(column: Float64Array): DropCount[] {
  const drops: DropCount[] = [];
  for (let reason = 1; reason < column.length; reason++) {
    if (column[reason] > 0) drops.push({ reason: dropReasonNames[reason], packets: column[reason] });
  }
  return drops;
}

function readRefusedSource(cells: Float64Array): string | null {
  const version = cells[PeerCell.RefusedSourceVersion];
  if (version === 0) return null;
  const bytes = new Uint8Array(version === 4 ? 4 : 16);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 4) view.setUint32(at, cells[PeerCell.RefusedSource + at / 4]);
  return formatIpAddress(bytes);
}

function reasonOrNull(reason: number): string | null {
  return reason === 0 ? null : dropReasonNames[reason];
}

function wallOrNull(statistics: Statistics, deviceMs: number): number | null {
  const ms = statistics.toWallMs(deviceMs);
  return ms === 0 ? null : Math.round(ms);
}

/** A preshared key of zeros is none. Which bytes are set must not show in the time that it takes. */
function isAnySet(bytes: Uint8Array): boolean {
  let set = 0;
  for (const byte of bytes) set |= byte;
  return set !== 0;
}
