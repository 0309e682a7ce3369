// HOT PATH: TUN → network. Route a run by its inner destination, give it the peer's current keypair and a range of counters;
// seal and send are native. What has no keypair yet is staged and a handshake starts. Source: [W] 6.

import { DropReason } from "../drop-reason.js";
import {
  KEEPALIVE_TIMEOUT_MS,
  REJECT_AFTER_MESSAGES,
  REJECT_AFTER_TIME_MS,
  REKEY_TIMEOUT_MS,
} from "../noise/constants.js";
import { PeerTimer } from "../timers/peer-timers.js";
import { ENDPOINT_BYTES } from "../transport/endpoint-record.js";
import { innerTosEcn } from "../transport/inner-packet.js";
import { type Keypair, KeypairCell } from "../transport/keypair.js";
import { isOwnDatagram } from "../transport/own-datagram.js";
import { HeaderCell, NO_KEY, type PacketBatch, RunKind, SEAL_OVERHEAD_BYTES } from "../transport/packet-batch.js";
import { type DeviceState, dropStaged, markRun, refuseOutboundRun, STATUS_TAKEN } from "./device-state.js";
import type { HandshakeExchange } from "./handshake-exchange.js";
import { FlowCell } from "./ledger.js";
import { type Peer, PeerBytes } from "./peer.js";
import { PeerCell } from "./peer-statistics.js";
import { isKeepalive, sendRefusalReason } from "./send-refusal.js";

const NEW_HANDSHAKE_MS = KEEPALIVE_TIMEOUT_MS + REKEY_TIMEOUT_MS;
/** Offsets of the destination address in an inner header, and the shortest header. */
const DESTINATION4 = 16;
const DESTINATION6 = 24;
const HEADER4_BYTES = 20;
const HEADER6_BYTES = 40;

export class SendPath {
  readonly #state: DeviceState;
  readonly #exchange: HandshakeExchange;

  constructor(state: DeviceState, exchange: HandshakeExchange) {
    this.#state = state;
    this.#exchange = exchange;
  }

  /** Routes every run of a batch that the TUN filled. Allocates nothing for peers with a keypair. */
  route(batch: PacketBatch, nowMs: number): void {
    const runs = batch.header[HeaderCell.RunCount];
    for (let run = 0; run < runs; run++) this.#routeRun(batch, run, nowMs);
  }

  /** The data path failed as a whole: nothing of this batch may leave unsealed. Cold. */
  refuseUnsealed(batch: PacketBatch): void {
    const runs = batch.header[HeaderCell.RunCount];
    const { ledger, peers } = this.#state;
    for (let run = 0; run < runs; run++) {
      if (batch.runKey[run] === NO_KEY) continue;
      if (isKeepalive(batch, batch.runFirst[run])) {
        markRun(batch, run, DropReason.SealFailed);
        ledger.flow[FlowCell.OutboundControlFailed]++;
      } else {
        refuseOutboundRun(this.#state, batch, run, DropReason.SealFailed, peers[batch.runEndpoint[run]]);
      }
    }
  }

  /** Accounts for what {@link DataPath.seal} and the transmitter did with a routed batch. */
  account(batch: PacketBatch, nowMs: number): void {
    const runs = batch.header[HeaderCell.RunCount];
    for (let run = 0; run < runs; run++) {
      if (batch.runKey[run] !== NO_KEY) this.#accountRun(batch, run, nowMs);
      else if (batch.runKind[run] === RunKind.Raw) this.#accountDatagram(batch, run, nowMs);
    }
  }

  /** Seals and sends what waited for a keypair; called when one was confirmed. Cold: once a handshake. */
  flushStaged(peer: Peer, nowMs: number): void {
    const { staged, outbox } = this.#state;
    while (staged.count(peer.id) > 0) {
      const keypair = this.#usableKeypair(peer, 1, nowMs);
      if (keypair === undefined) {
        this.#exchange.initiate(peer, nowMs, false);
        return;
      }
      const length = staged.nextLength(peer.id);
      const run = this.#reserve(peer, keypair);
      // cold: staged packets go out one by one, once a handshake
      outbox.addPlaintext(length, run, (arena, offset) => {
        staged.pop(peer.id, arena, offset);
        run.tos = innerTosEcn(arena, offset);
      });
    }
    if (!peer.hasEndpoint) dropStaged(this.#state, peer, DropReason.NoEndpoint);
  }

  /** Sends an empty packet, or what is staged instead; without a usable keypair asks for a handshake. */
  sendKeepalive(peer: Peer, nowMs: number): void {
    if (!this.#state.isUp || !peer.hasEndpoint) return;
    if (this.#state.staged.count(peer.id) > 0) {
      this.flushStaged(peer, nowMs);
      return;
    }
    const keypair = this.#usableKeypair(peer, 1, nowMs);
    if (keypair === undefined) this.#exchange.initiate(peer, nowMs, false);
    else this.#state.outbox.addPlaintext(0, this.#reserve(peer, keypair));
  }

  #routeRun(batch: PacketBatch, run: number, nowMs: number): void {
    const state = this.#state;
    const count = batch.runCount[run];
    state.ledger.flow[FlowCell.OutboundPackets] += count;
    const slot = batch.runFirst[run];
    const peerId = this.#destination(batch.arena, batch.packetOffset[slot], batch.packetLength[slot]);
    if (peerId < 0) {
      if (peerId === -1) this.#tellHost(batch, slot, nowMs);
      refuseOutboundRun(state, batch, run, peerId === -1 ? DropReason.NoRoute : DropReason.InnerMalformed);
      return;
    }
    const peer = state.peers[peerId] as Peer;
    if (!peer.hasEndpoint) {
      this.#tellHost(batch, slot, nowMs);
      refuseOutboundRun(state, batch, run, DropReason.NoEndpoint, peer);
      return;
    }
    const keypair = this.#usableKeypair(peer, count, nowMs);
    if (keypair === undefined) {
      this.#stageRun(peer, batch, run, nowMs);
      return;
    }
    if (this.#isBack(batch, slot, peerId, keypair)) {
      refuseOutboundRun(state, batch, run, DropReason.RoutingLoop, peer);
      return;
    }
    batch.runKey[run] = keypair.sendKeySlot;
    batch.runReceiver[run] = keypair.remoteIndex;
    batch.runCounter[run] = keypair.state[KeypairCell.SendCounter];
    keypair.state[KeypairCell.SendCounter] += count;
    batch.runEndpoint[run] = peerId;
    batch.runTos[run] = innerTosEcn(batch.arena, batch.packetOffset[slot]);
  }

  /** A run is what the kernel handed over at once, of one flow: its first packet speaks for all. */
  #isBack(batch: PacketBatch, slot: number, peerId: number, keypair: Keypair): boolean {
    const { arena, packetOffset, packetLength } = batch;
    const record = peerId * ENDPOINT_BYTES;
    const { endpoints } = this.#state.deps;
    return isOwnDatagram(arena, packetOffset[slot], packetLength[slot], endpoints, record, keypair.remoteIndex);
  }

  #tellHost(batch: PacketBatch, slot: number, nowMs: number): void {
    this.#state.hostAnswers.unreachable(batch.arena, batch.packetOffset[slot], batch.packetLength[slot], nowMs);
  }

  /** @returns peer id, -1: no route, -2: not an IP packet */
  #destination(arena: Uint8Array, offset: number, length: number): number {
    const version = arena[offset] >> 4;
    if (version === 4 && length >= HEADER4_BYTES) return this.#state.allowedIps.lookup4(arena, offset + DESTINATION4);
    if (version === 6 && length >= HEADER6_BYTES) return this.#state.allowedIps.lookup6(arena, offset + DESTINATION6);
    return -2;
  }

  #usableKeypair(peer: Peer, count: number, nowMs: number): Keypair | undefined {
    const keypair = peer.keypairs.current;
    if (keypair === undefined || keypair.ageMs(nowMs) >= REJECT_AFTER_TIME_MS) return undefined;
    if (keypair.state[KeypairCell.SendCounter] + count > REJECT_AFTER_MESSAGES) return undefined;
    return keypair;
  }

  // cold: keepalives and staged packets
  #reserve(
    peer: Peer,
    keypair: Keypair,
  ): { key: number; receiver: number; counter: number; endpoint: number; tos: number } {
    const counter = keypair.state[KeypairCell.SendCounter]++;
    return { key: keypair.sendKeySlot, receiver: keypair.remoteIndex, counter, endpoint: peer.id, tos: 0 };
  }

  /** Cold: only without a usable keypair. */
  #stageRun(peer: Peer, batch: PacketBatch, run: number, nowMs: number): void {
    const { staged } = this.#state;
    const first = batch.runFirst[run];
    const last = first + batch.runCount[run];
    for (let slot = first; slot < last; slot++) {
      staged.push(peer.id, batch.arena, batch.packetOffset[slot], batch.packetLength[slot]);
    }
    markRun(batch, run, STATUS_TAKEN);
    this.#exchange.initiate(peer, nowMs, false);
  }

  #accountRun(batch: PacketBatch, run: number, nowMs: number): void {
    const { ledger, timers } = this.#state;
    const first = batch.runFirst[run];
    const count = batch.runCount[run];
    const peer = this.#state.peers[batch.runEndpoint[run]];
    const isEmpty = count === 1 && isKeepalive(batch, first);
    let bytes = 0;
    let sent = 0;
    for (let slot = first; slot < first + count; slot++) {
      if (batch.packetStatus[slot] !== 0) continue;
      bytes += batch.packetLength[slot];
      sent++;
    }
    if (isEmpty) ledger.flow[sent > 0 ? FlowCell.OutboundKeepalives : FlowCell.OutboundControlFailed]++;
    else ledger.flow[FlowCell.OutboundSent] += sent;
    if (sent < count) this.#sendRefused(batch, run, isEmpty, nowMs);
    if (peer === undefined) return;
    const { cells } = peer.statistics;
    cells[isEmpty ? PeerCell.SentKeepalives : PeerCell.SentPackets] += sent;
    cells[PeerCell.SentInnerBytes] += bytes - sent * SEAL_OVERHEAD_BYTES;
    peer.bytes[PeerBytes.Sent] += bytes;
    timers.cancel(peer.id, PeerTimer.SendKeepalive);
    if (!isEmpty && !timers.isPending(peer.id, PeerTimer.NewHandshake)) {
      timers.arm(peer.id, PeerTimer.NewHandshake, nowMs, NEW_HANDSHAKE_MS + this.#exchange.jitter.nextMs());
    }
    this.#exchange.traversed(peer, nowMs);
    this.#exchange.keepKeyFreshOnSend(peer, nowMs);
  }

  /** Cold: something was refused. Keepalives and handshake messages came from no TUN and are no drops. */
  #sendRefused(batch: PacketBatch, run: number, isControl: boolean, nowMs: number): void {
    const { ledger, peers } = this.#state;
    const peer = peers[batch.runEndpoint[run]];
    const first = batch.runFirst[run];
    for (let slot = first; slot < first + batch.runCount[run]; slot++) {
      if (batch.packetStatus[slot] === 0) continue;
      const reason = sendRefusalReason(batch.packetStatus[slot]);
      peer?.statistics.sendRefused(reason, nowMs);
      if (isControl) continue;
      ledger.outboundDrops[reason]++;
      if (peer !== undefined) peer.statistics.outboundDrops[reason]++;
    }
  }

  #accountDatagram(batch: PacketBatch, run: number, nowMs: number): void {
    const { ledger } = this.#state;
    const slot = batch.runFirst[run];
    const sent = batch.packetStatus[slot] === 0;
    ledger.flow[sent ? FlowCell.OutboundHandshakes : FlowCell.OutboundControlFailed]++;
    const peer = this.#state.peers[batch.runEndpoint[run]];
    if (!sent) this.#sendRefused(batch, run, true, nowMs);
    else if (peer !== undefined) peer.bytes[PeerBytes.Sent] += batch.packetLength[slot];
  }
}
