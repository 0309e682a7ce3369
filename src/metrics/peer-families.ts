// The metrics of each peer. The first three are named and labelled as by the exporters in use, so that their dashboards work;
// what only longhaul knows begins with longhaul_. The number of series is this table's length times the number of peers.

import { type Peer, PeerBytes, PeerTime } from "../core/device/peer.js";
import { PeerCell } from "../core/device/peer-statistics.js";
import type { Statistics } from "../core/device/statistics.js";
import { PathCell } from "../core/transport/path-quality.js";
import type { PeerFamily } from "./family.js";

export const peerFamilies: readonly PeerFamily[] = [
  {
    name: "wireguard_sent_bytes_total",
    type: "counter",
    help: "Bytes sent to the peer, with headers, as wg(8) counts them.",
    labels: ["allowed_ips"],
    detail: "allowed_ips",
    value: (peer) => peer.bytes[PeerBytes.Sent],
  },
  {
    name: "wireguard_received_bytes_total",
    type: "counter",
    help: "Bytes received from the peer, with headers, as wg(8) counts them.",
    labels: ["allowed_ips"],
    detail: "allowed_ips",
    value: (peer) => peer.bytes[PeerBytes.Received],
  },
  {
    name: "wireguard_latest_handshake_seconds",
    type: "gauge",
    help: "Unix time of the latest handshake; 0: never.",
    labels: ["allowed_ips"],
    detail: "allowed_ips",
    value: (peer) => Math.round(peer.lastHandshakeWallMs) / 1_000,
  },
  {
    name: "longhaul_peer_info",
    type: "gauge",
    help: "Always 1: where the peer is now; empty: not known. The only metric with an endpoint, which roams.",
    labels: ["endpoint"],
    detail: "endpoint",
    value: () => 1,
  },
  timestamp(
    "longhaul_peer_last_received_timestamp_seconds",
    "Unix time of the last authenticated packet from the peer; 0: never.",
    (peer) => peer.times[PeerTime.Received],
  ),

  cell("longhaul_peer_sent_packets_total", "Packets sent to the peer, keepalives not counted.", PeerCell.SentPackets),
  cell(
    "longhaul_peer_received_packets_total",
    "Packets from the peer that were handed on: authenticated, new, from an allowed source.",
    PeerCell.ReceivedPackets,
  ),
  cell(
    "longhaul_peer_sent_inner_bytes_total",
    "Goodput: bytes of inner packets sent to the peer.",
    PeerCell.SentInnerBytes,
  ),
  cell(
    "longhaul_peer_received_inner_bytes_total",
    "Goodput: bytes of inner packets received from the peer.",
    PeerCell.ReceivedInnerBytes,
  ),
  {
    name: "longhaul_peer_staged_packets",
    type: "gauge",
    help: "Packets that wait for a handshake with the peer now.",
    labels: [],
    value: (peer, statistics) => statistics.stagedOf(peer),
  },
  {
    name: "longhaul_peer_outbound_dropped_packets_total",
    type: "counter",
    help: "Packets for the peer that were refused; longhaul_dropped_packets_total has the reasons.",
    labels: [],
    value: (peer) => total(peer.statistics.outboundDrops),
  },
  {
    name: "longhaul_peer_inbound_dropped_packets_total",
    type: "counter",
    help: "Datagrams from the peer that were refused; longhaul_dropped_packets_total has the reasons.",
    labels: [],
    value: (peer) => total(peer.statistics.inboundDrops),
  },

  path(
    "longhaul_path_received_packets_total",
    "Transport data that came over the path from the peer: authenticated and new.",
    PathCell.Received,
  ),
  path(
    "longhaul_path_lost_packets_total",
    "Transport data that the peer sent and that did not come within a second or two. Those that come later still are in longhaul_path_late_packets_total too: the loss is the difference.",
    PathCell.Lost,
  ),
  path(
    "longhaul_path_late_packets_total",
    "Transport data that had been counted as lost and came after all.",
    PathCell.CameLate,
  ),
  path("longhaul_path_reordered_packets_total", "Transport data that came after later ones.", PathCell.Reordered),
  path(
    "longhaul_path_reorder_extent_packets_total",
    "How many packets too late the reordered ones came, added up.",
    PathCell.ReorderExtentSum,
  ),
  path("longhaul_path_duplicate_packets_total", "Transport data that came twice or more.", PathCell.Duplicates),
  path(
    "longhaul_path_loss_bursts_total",
    "Runs of packets lost in a row: lost packets by bursts is how many go at a time.",
    PathCell.LossBursts,
  ),
  path(
    "longhaul_path_skipped_packets_total",
    "Counters that the peer left out itself: no loss of the path.",
    PathCell.Skipped,
  ),
  roundTrip(
    "longhaul_path_round_trip_seconds",
    "Round-trip time to the peer, smoothed over its handshakes.",
    PeerCell.SmoothedRttMs,
  ),
  roundTrip("longhaul_path_least_round_trip_seconds", "Least round-trip time to the peer so far.", PeerCell.LeastRttMs),

  cell("longhaul_peer_initiations_sent_total", "Handshake initiations sent to the peer.", PeerCell.InitiationsSent),
  {
    name: "longhaul_peer_unanswered_initiations",
    type: "gauge",
    help: "Handshake initiations since the peer was last heard of.",
    labels: [],
    value: (peer) => peer.statistics.cells[PeerCell.InitiationsUnanswered],
  },
  cell(
    "longhaul_peer_handshakes_completed_total",
    "Handshakes with the peer, begun by either side.",
    PeerCell.HandshakesCompleted,
  ),
  cell(
    "longhaul_peer_handshakes_given_up_total",
    "Times that 90 seconds passed without an answer to initiations.",
    PeerCell.HandshakesGivenUp,
  ),
  cell(
    "longhaul_peer_handshakes_refused_total",
    "Handshake messages refused that claimed to be the peer's.",
    PeerCell.HandshakesRefused,
  ),
  cell(
    "longhaul_peer_sends_refused_total",
    "Datagrams to the peer that the kernel refused, the daemon's own among them.",
    PeerCell.SendsRefused,
  ),
  cell(
    "longhaul_peer_endpoint_changes_total",
    "Times that the peer was heard of at another address or port.",
    PeerCell.EndpointChanges,
  ),
];

function cell(name: string, help: string, index: number): PeerFamily {
  return { name, type: "counter", help, labels: [], value: (peer) => peer.statistics.cells[index] };
}

function path(name: string, help: string, index: number): PeerFamily {
  return { name, type: "counter", help, labels: [], value: (peer) => peer.statistics.path[index] };
}

/** No sample, no value: a zero would be the best path of all. */
function roundTrip(name: string, help: string, index: number): PeerFamily {
  const value = ({ statistics: { cells } }: Peer): number =>
    cells[PeerCell.RttSamples] === 0 ? Number.NaN : cells[index] / 1_000;
  return { name, type: "gauge", help, labels: [], value };
}

function timestamp(name: string, help: string, deviceMs: (peer: Peer) => number): PeerFamily {
  const value = (peer: Peer, statistics: Statistics): number => Math.round(statistics.toWallMs(deviceMs(peer))) / 1_000;
  return { name, type: "gauge", help, labels: [], value };
}

function total(column: Float64Array): number {
  let sum = 0;
  for (const packets of column) sum += packets;
  return sum;
}
