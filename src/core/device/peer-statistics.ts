// What is counted of one peer, in typed arrays over one buffer: written by the paths and the handshake, read by whoever tells.
// Everything counts from the moment the peer was added. Times are the device's, ms of boot time; -Infinity: never.

import { DROP_REASON_COUNT, type DropReason } from "../drop-reason.js";
import { PATH_CELLS } from "../transport/path-quality.js";

/** Cells of {@link PeerStatistics.cells}. Bytes on the wire and the time last heard of are in Peer.bytes, Peer.times. */
export const PeerCell = {
  // transport data
  /** Packets that the kernel took, keepalives not counted. */
  SentPackets: 0,
  SentKeepalives: 1,
  /** Packets for the TUN: authenticated, new, from an allowed source. */
  ReceivedPackets: 2,
  ReceivedKeepalives: 3,
  /** Goodput. Sent: inner bytes with up to 15 bytes of padding each. Received: inner bytes as the TUN gets them. */
  SentInnerBytes: 4,
  ReceivedInnerBytes: 5,

  // handshakes
  InitiationsSent: 6,
  /** Initiations since the peer last answered one, or was last heard of. */
  InitiationsUnanswered: 7,
  ResponsesReceived: 8,
  CookieRepliesReceived: 9,
  /** Initiations of the peer that were good. */
  InitiationsReceived: 10,
  ResponsesSent: 11,
  HandshakesCompleted: 12,
  /** Times that 90 s passed without an answer. */
  HandshakesGivenUp: 13,
  /** Handshake messages refused that claimed to be the peer's; by reason in inboundDrops. */
  HandshakesRefused: 14,
  /** DropReason; 0: none was refused. */
  LastRefusedReason: 15,
  LastRefusedMs: 16,
  LastInitiationSentMs: 17,
  /** First of the unanswered. */
  FirstUnansweredMs: 18,
  LastCookieReplyMs: 19,

  // round-trip time, ms
  RttSamples: 20,
  LastRttMs: 21,
  SmoothedRttMs: 22,
  RttVariationMs: 23,
  /** Infinity: no sample. */
  LeastRttMs: 24,
  LastRttSampleMs: 25,

  /** Times that the peer was heard of at another address or port. */
  EndpointChanges: 26,
  LastEndpointChangeMs: 27,

  // what the kernel refused to send: packets, keepalives, handshake messages
  SendsRefused: 28,
  LastSendRefusedReason: 29,
  LastSendRefusedMs: 30,

  /** Of the last packet refused as source_not_allowed: IP version, 0: none was, and the address as one or four words. */
  RefusedSourceVersion: 31,
  RefusedSource: 32,
} as const;
export const PEER_CELLS = 36;

const TIMES = [
  PeerCell.LastRefusedMs,
  PeerCell.LastInitiationSentMs,
  PeerCell.FirstUnansweredMs,
  PeerCell.LastCookieReplyMs,
  PeerCell.LastRttSampleMs,
  PeerCell.LastEndpointChangeMs,
  PeerCell.LastSendRefusedMs,
] as const;
/** Offsets of the source address in an IP header. */
const SOURCE4 = 12;
const SOURCE6 = 8;
/** RFC 6298: weights of a new sample in the smoothed time and in its variation. */
const SMOOTHING = 1 / 8;
const VARIATION_SMOOTHING = 1 / 4;

export class PeerStatistics {
  /** By {@link PeerCell}. */
  readonly cells: Float64Array;
  /** By DropReason; what came from the network for or from this peer. */
  readonly inboundDrops: Float64Array;
  /** By DropReason; what this host sent to this peer. */
  readonly outboundDrops: Float64Array;
  /** By PathCell, then the histogram of loss bursts. */
  readonly path: Float64Array;

  constructor() {
    const memory = new Float64Array(PEER_CELLS + 2 * DROP_REASON_COUNT + PATH_CELLS);
    let at = 0;
    const take = (length: number): Float64Array => {
      at += length;
      return memory.subarray(at - length, at);
    };
    this.cells = take(PEER_CELLS);
    this.inboundDrops = take(DROP_REASON_COUNT);
    this.outboundDrops = take(DROP_REASON_COUNT);
    this.path = take(PATH_CELLS);
    for (const cell of TIMES) this.cells[cell] = Number.NEGATIVE_INFINITY;
    this.cells[PeerCell.LeastRttMs] = Number.POSITIVE_INFINITY;
  }

  initiationSent(nowMs: number): void {
    const { cells } = this;
    cells[PeerCell.InitiationsSent]++;
    if (cells[PeerCell.InitiationsUnanswered]++ === 0) cells[PeerCell.FirstUnansweredMs] = nowMs;
    cells[PeerCell.LastInitiationSentMs] = nowMs;
  }

  /** An authenticated message of the peer came. */
  heard(): void {
    this.cells[PeerCell.InitiationsUnanswered] = 0;
  }

  /** A handshake message that claims to be this peer's was refused. The device's ledger counts it apart. */
  handshakeRefused(reason: DropReason, nowMs: number): void {
    const { cells } = this;
    this.inboundDrops[reason]++;
    cells[PeerCell.HandshakesRefused]++;
    cells[PeerCell.LastRefusedReason] = reason;
    cells[PeerCell.LastRefusedMs] = nowMs;
  }

  sendRefused(reason: DropReason, nowMs: number): void {
    const { cells } = this;
    cells[PeerCell.SendsRefused]++;
    cells[PeerCell.LastSendRefusedReason] = reason;
    cells[PeerCell.LastSendRefusedMs] = nowMs;
  }

  /** A packet came from an address that is not in the peer's allowed-ips. @param at  offset of its IP header */
  sourceRefused(packets: Uint8Array, at: number): void {
    const { cells } = this;
    const isV4 = packets[at] >> 4 === 4;
    const words = isV4 ? 1 : 4;
    const source = at + (isV4 ? SOURCE4 : SOURCE6);
    cells[PeerCell.RefusedSourceVersion] = isV4 ? 4 : 6;
    for (let word = 0; word < words; word++) {
      const from = source + 4 * word;
      const low = (packets[from + 1] << 16) | (packets[from + 2] << 8) | packets[from + 3];
      cells[PeerCell.RefusedSource + word] = packets[from] * 0x100_0000 + low;
    }
  }

  endpointChanged(nowMs: number): void {
    this.cells[PeerCell.EndpointChanges]++;
    this.cells[PeerCell.LastEndpointChangeMs] = nowMs;
  }

  /**
   * Takes in a round trip. There are two honest ones in the protocol: an initiator's initiation and its response, and a
   * responder's response and the first transport message, counter 0, which the initiator must send at once. Each
   * initiation has an index of its own, so a response is never taken for an answer to an earlier one.
   */
  roundTrip(sampleMs: number, nowMs: number): void {
    const { cells } = this;
    if (cells[PeerCell.RttSamples]++ === 0) {
      cells[PeerCell.SmoothedRttMs] = sampleMs;
      cells[PeerCell.RttVariationMs] = sampleMs / 2;
    } else {
      const error = sampleMs - cells[PeerCell.SmoothedRttMs];
      cells[PeerCell.SmoothedRttMs] += SMOOTHING * error;
      cells[PeerCell.RttVariationMs] += VARIATION_SMOOTHING * (Math.abs(error) - cells[PeerCell.RttVariationMs]);
    }
    cells[PeerCell.LastRttMs] = sampleMs;
    cells[PeerCell.LeastRttMs] = Math.min(cells[PeerCell.LeastRttMs], sampleMs);
    cells[PeerCell.LastRttSampleMs] = nowMs;
  }
}
