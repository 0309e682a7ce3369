// HOT PATH: network → TUN. Look a run's receiver index up, open it natively, then per packet: replay window, inner header,
// ECN, allowed source. One authenticated packet a run moves endpoint, keypair and timers. Source: [W] 5.4.6, 6.

import { DropReason } from "../drop-reason.js";
import { REJECT_AFTER_TIME_MS } from "../noise/constants.js";
import { ENDPOINT_BYTES } from "../transport/endpoint-record.js";
import { decapsulateEcn, innerLength } from "../transport/inner-packet.js";
import type { Keypair } from "../transport/keypair.js";
import { HeaderCell, NO_KEY, type PacketBatch, RunKind, SEAL_OVERHEAD_BYTES } from "../transport/packet-batch.js";
import { PathCell } from "../transport/path-quality.js";
import { SMALL_PACKET_BYTES } from "../transport/replay-window.js";
import { type DeviceState, markRun, refuseInboundRun, STATUS_TAKEN } from "./device-state.js";
import type { HandshakeExchange } from "./handshake-exchange.js";
import { FlowCell } from "./ledger.js";
import { type Peer, PeerBytes } from "./peer.js";
import { PeerCell } from "./peer-statistics.js";

const SOURCE4 = 12;
const SOURCE6 = 8;
const ECN_MASK = 3;
/** errno of a TUN write to an interface that is down, negated. */
const STATUS_DOWN = -5;
/** What open says of a tag that did not verify; anything else is no fault of the sender. */
const STATUS_BAD_TAG = -74;

export class ReceivePath {
  readonly #state: DeviceState;
  readonly #exchange: HandshakeExchange;
  /** Keypair id of each run of the batch in work. */
  readonly #runKeypair: Int32Array;
  /** Packets of the batch in work that the TUN shall take. */
  #deliverable = 0;

  /** @param runsMax  runs of the largest inbound batch */
  constructor(state: DeviceState, exchange: HandshakeExchange, runsMax: number) {
    this.#state = state;
    this.#exchange = exchange;
    this.#runKeypair = new Int32Array(runsMax);
  }

  /**
   * Takes a batch that a socket filled: handles handshake messages, opens transport data, refuses what must be. What is
   * left with status 0 and a length is for the TUN. @returns packets for the TUN. Allocates nothing for transport data.
   */
  receive(batch: PacketBatch, nowMs: number): number {
    const state = this.#state;
    const runs = batch.header[HeaderCell.RunCount];
    this.#deliverable = 0;
    state.ledger.flow[FlowCell.InboundDatagrams] += batch.header[HeaderCell.PacketCount];
    state.keypairs.hold();
    let data = 0;
    for (let run = 0; run < runs; run++) {
      if (batch.runKind[run] === RunKind.Data) data += this.#findKeypair(batch, run, nowMs);
      else this.#exchange.receive(batch, run, nowMs);
    }
    if (data > 0) {
      state.deps.dataPath.open(batch);
      for (let run = 0; run < runs; run++) if (batch.runKey[run] !== NO_KEY) this.#checkRun(batch, run, nowMs);
    }
    state.keypairs.release();
    return this.#deliverable;
  }

  /**
   * Accounts for a TUN write.
   * @param delivered  packets that the TUN took of those that {@link receive} left; < 0: the write failed as a whole
   */
  account(batch: PacketBatch, delivered: number): void {
    const { ledger } = this.#state;
    if (delivered < 0) {
      ledger.inboundDrops[DropReason.TunWriteFailed] += this.#deliverable;
      return;
    }
    ledger.flow[FlowCell.InboundDelivered] += delivered;
    if (delivered === this.#deliverable) return;
    const packets = batch.header[HeaderCell.PacketCount];
    for (let slot = 0; slot < packets; slot++) {
      const status = batch.packetStatus[slot];
      if (status < 0)
        ledger.inboundDrops[status === STATUS_DOWN ? DropReason.InterfaceDown : DropReason.TunWriteFailed]++;
    }
  }

  #findKeypair(batch: PacketBatch, run: number, nowMs: number): number {
    const state = this.#state;
    const value = state.indices.lookup(batch.runReceiver[run]);
    if (value < 0 || (value & 1) === 0) return this.#refuse(batch, run, DropReason.UnknownReceiver);
    const keypair = state.keypairs.all[value >> 1];
    if (!state.isUp) return this.#refuse(batch, run, DropReason.InterfaceDown);
    if (keypair.ageMs(nowMs) >= REJECT_AFTER_TIME_MS) {
      return this.#refuse(batch, run, DropReason.KeypairExpired, state.peers[keypair.peerId]);
    }
    batch.runKey[run] = keypair.receiveKeySlot;
    this.#runKeypair[run] = keypair.id;
    return 1;
  }

  #refuse(batch: PacketBatch, run: number, reason: DropReason, peer?: Peer): number {
    refuseInboundRun(this.#state, batch, run, reason, peer);
    return 0;
  }

  #checkRun(batch: PacketBatch, run: number, nowMs: number): void {
    const state = this.#state;
    const keypair = state.keypairs.all[this.#runKeypair[run]];
    // The keypair went away while this batch was in work (a handshake in it replaced the oldest one).
    if (keypair.peerId < 0) {
      refuseInboundRun(state, batch, run, DropReason.KeypairExpired);
      return;
    }
    const peer = state.peers[keypair.peerId] as Peer;
    const drops = state.ledger.inboundDrops;
    const outerEcn = batch.runTos[run] & ECN_MASK;
    const first = batch.runFirst[run];
    const last = first + batch.runCount[run];
    let bytes = 0;
    let innerBytes = 0;
    let authenticated = 0;
    let keepalives = 0;
    let deliverable = 0;
    keypair.window.heard(nowMs);
    for (let slot = first; slot < last; slot++) {
      if (batch.packetStatus[slot] !== 0) {
        this.#notOpened(batch, slot, peer);
        continue;
      }
      const length = batch.packetLength[slot];
      let reason: DropReason = keypair.window.accept(batch.packetCounter[slot], length <= SMALL_PACKET_BYTES);
      if (reason === DropReason.None) {
        authenticated++;
        bytes += length + SEAL_OVERHEAD_BYTES;
        if (length === 0) {
          keepalives++;
          continue;
        }
        reason = this.#checkInner(batch, slot, length, peer.id, outerEcn);
      }
      if (reason === DropReason.None) {
        deliverable++;
        innerBytes += batch.packetLength[slot];
      } else {
        drops[reason]++;
        peer.statistics.inboundDrops[reason]++;
        if (reason === DropReason.SourceNotAllowed) {
          peer.statistics.sourceRefused(batch.arena, batch.packetOffset[slot]);
        }
        batch.packetStatus[slot] = reason;
      }
    }
    this.#deliverable += deliverable;
    state.ledger.flow[FlowCell.InboundKeepalives] += keepalives;
    if (authenticated === 0) return;
    const { cells, path } = peer.statistics;
    path[PathCell.Received] += authenticated;
    cells[PeerCell.ReceivedPackets] += deliverable;
    cells[PeerCell.ReceivedKeepalives] += keepalives;
    cells[PeerCell.ReceivedInnerBytes] += innerBytes;
    this.#authenticated(batch, run, peer, keypair, bytes, authenticated > keepalives, nowMs);
  }

  #notOpened(batch: PacketBatch, slot: number, peer: Peer): void {
    const isForged = batch.packetStatus[slot] === STATUS_BAD_TAG;
    const reason = isForged ? DropReason.AuthenticationFailed : DropReason.KeyMissing;
    this.#state.ledger.inboundDrops[reason]++;
    peer.statistics.inboundDrops[reason]++;
    batch.packetStatus[slot] = reason;
  }

  /** Trims to the inner length, applies ECN, checks the source against the peer's allowed-ips. */
  #checkInner(batch: PacketBatch, slot: number, length: number, peerId: number, outerEcn: number): DropReason {
    const { arena } = batch;
    const offset = batch.packetOffset[slot];
    const trimmed = innerLength(arena, offset, length);
    if (trimmed < 0) return DropReason.InnerMalformed;
    const { allowedIps } = this.#state;
    const isV4 = arena[offset] >> 4 === 4;
    const owner = isV4 ? allowedIps.lookup4(arena, offset + SOURCE4) : allowedIps.lookup6(arena, offset + SOURCE6);
    if (owner !== peerId) return DropReason.SourceNotAllowed;
    batch.packetLength[slot] = trimmed;
    return outerEcn === 0 ? DropReason.None : decapsulateEcn(arena, offset, outerEcn);
  }

  #authenticated(
    batch: PacketBatch,
    run: number,
    peer: Peer,
    keypair: Keypair,
    bytes: number,
    hasData: boolean,
    nowMs: number,
  ): void {
    peer.bytes[PeerBytes.Received] += bytes;
    this.#exchange.endpointSeen(peer, batch.endpoints, batch.runEndpoint[run] * ENDPOINT_BYTES, nowMs);
    if (peer.keypairs.next === keypair) {
      this.#exchange.confirmed(peer, batch.packetCounter[batch.runFirst[run]] === 0, nowMs);
    }
    this.#exchange.authenticatedReceived(peer, hasData, nowMs);
  }
}

/** Takes a handshake run out of a batch after it did what it is for. */
export function consumeInboundRun(state: DeviceState, batch: PacketBatch, run: number): void {
  state.ledger.flow[FlowCell.InboundHandshakes] += markRun(batch, run, STATUS_TAKEN);
}
