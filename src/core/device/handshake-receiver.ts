// Inbound handshake messages: mac1 first, then cookies under load, then the Noise message. Everything before mac1 works in
// memory taken at start-up, so garbage costs one keyed hash and no allocation. Source: [W] 5.3, 5.4.

import { DropReason } from "../drop-reason.js";
import { readU32 } from "../little-endian.js";
import { COOKIE_REPLY_BYTES, INITIATION_BYTES, RESPONSE_BYTES } from "../noise/constants.js";
import { hasMac2 } from "../noise/cookie.js";
import { consumeInitiation, consumeResponse, createResponse } from "../noise/handshake.js";
import { secretBytes } from "../noise/secret-bytes.js";
import { decodeTai64n } from "../noise/tai64n.js";
import { copyRecord, ENDPOINT_BYTES, EndpointField } from "../transport/endpoint-record.js";
import { type PacketBatch, RunKind } from "../transport/packet-batch.js";
import { hexOf } from "./configure.js";
import { CookieBudget } from "./cookie-budget.js";
import { type DeviceState, markRun, REPLY_ROWS, refuseInboundRun, STATUS_TAKEN } from "./device-state.js";
import type { HandshakeExchange } from "./handshake-exchange.js";
import { HandshakeQueue } from "./handshake-queue.js";
import { FlowCell } from "./ledger.js";
import { LoadGauge } from "./load-gauge.js";
import { HANDSHAKE_TOS } from "./outbox.js";
import { type Peer, PeerBytes } from "./peer.js";
import { PeerCell } from "./peer-statistics.js";
import { consumeInboundRun } from "./receive-path.js";

/** Refusals that anybody can cause by the thousand, without a key: counted and remembered, but no event. */
const FLOOD_REASONS: ReadonlySet<DropReason> = new Set([
  DropReason.Mac1Invalid,
  DropReason.UnderLoad,
  DropReason.RateLimited,
  DropReason.HandshakeBacklog,
  DropReason.InterfaceDown,
]);
const RESPONSE_RECEIVER_INDEX = 8;
const COOKIE_RECEIVER_INDEX = 4;
/** Family, port and address of a record: what a cookie is bound to. */
const SOURCE_BYTES = EndpointField.Address + 16;

export class HandshakeReceiver {
  readonly #state: DeviceState;
  readonly #exchange: HandshakeExchange;
  readonly #gauge = new LoadGauge();
  readonly #queue = new HandshakeQueue();
  /** Made when the first flood comes. */
  #cookieBudget: CookieBudget | undefined;
  readonly #initiation = new Uint8Array(INITIATION_BYTES);
  readonly #response = new Uint8Array(RESPONSE_BYTES);
  readonly #cookieReply = new Uint8Array(COOKIE_REPLY_BYTES);
  readonly #answer = new Uint8Array(RESPONSE_BYTES);
  readonly #ephemeral = secretBytes(32);
  readonly #source = new Uint8Array(SOURCE_BYTES);
  readonly #findPeer: (remoteStatic: Uint8Array) => Peer | undefined;
  /** Whose the message in work claims to be. */
  #claimed: Peer | undefined = undefined;
  #replyRowsUsed = 0;
  #wasUnderLoad = false;

  constructor(state: DeviceState, exchange: HandshakeExchange) {
    this.#state = state;
    this.#exchange = exchange;
    this.#findPeer = (remoteStatic) => {
      this.#claimed = state.peerByKey.get(hexOf(remoteStatic));
      return this.#claimed;
    };
  }

  /** Whether messages wait for a turn with budget. */
  get isWaiting(): boolean {
    return this.#queue.count > 0;
  }

  /** How many do. */
  get waiting(): number {
    return this.#queue.count;
  }

  /** Handles the message that has waited longest. */
  goOn(nowMs: number): void {
    const { batch } = this.#queue;
    const run = this.#queue.shift();
    this.#state.ledger.flow[FlowCell.InboundDatagrams]++;
    this.#finish(batch, run, this.#state.isUp ? this.#handle(batch, run, nowMs) : DropReason.InterfaceDown, nowMs);
  }

  /** Handles one run that is not transport data, or puts its message in line behind others. */
  receive(batch: PacketBatch, run: number, nowMs: number): void {
    const state = this.#state;
    this.#claimed = undefined;
    let reason = this.#check(batch, run, nowMs);
    if (reason === DropReason.None) {
      // a cookie reply costs nothing unless we asked for it, and there is no mac1 to keep strangers' out of the queue
      if (batch.runKind[run] === RunKind.CookieReply || state.budget.take()) reason = this.#handle(batch, run, nowMs);
      else if (this.#queue.push(batch, run)) {
        // it enters the ledger when its turn comes
        state.ledger.flow[FlowCell.InboundDatagrams] -= markRun(batch, run, STATUS_TAKEN);
        return;
      } else reason = DropReason.HandshakeBacklog;
    }
    this.#finish(batch, run, reason, nowMs);
  }

  /** What costs little: whether the message is one, and meant for us. */
  #check(batch: PacketBatch, run: number, nowMs: number): DropReason {
    const kind = batch.runKind[run];
    if (kind === RunKind.Malformed) return DropReason.Malformed;
    if (!this.#state.isUp) return DropReason.InterfaceDown;
    if (kind === RunKind.CookieReply) return DropReason.None;
    return this.#admit(batch, run, kind === RunKind.Initiation ? INITIATION_BYTES : RESPONSE_BYTES, nowMs);
  }

  #handle(batch: PacketBatch, run: number, nowMs: number): DropReason {
    const kind = batch.runKind[run];
    this.#claimed = undefined;
    if (kind === RunKind.Initiation) return this.#initiationReceived(batch, run, nowMs);
    if (kind === RunKind.Response) return this.#responseReceived(batch, run, nowMs);
    return this.#cookieReplyReceived(batch, run, nowMs);
  }

  #finish(batch: PacketBatch, run: number, reason: DropReason, nowMs: number): void {
    if (reason === DropReason.None) consumeInboundRun(this.#state, batch, run);
    else {
      if (batch.runKind[run] !== RunKind.Malformed) this.#remember(batch, run, reason, nowMs);
      refuseInboundRun(this.#state, batch, run, reason);
    }
  }

  #remember(batch: PacketBatch, run: number, reason: DropReason, nowMs: number): void {
    const peer = this.#claimed;
    peer?.statistics.handshakeRefused(reason, nowMs);
    this.#state.refusals.add(reason, batch.endpoints, batch.runEndpoint[run] * ENDPOINT_BYTES, nowMs);
    if (!FLOOD_REASONS.has(reason)) this.#state.events.handshakeRefused?.(peer, reason);
  }

  /** The outbox was sent: rows for answers to strangers are free again. */
  outboxFlushed(): void {
    this.#replyRowsUsed = 0;
  }

  #initiationReceived(batch: PacketBatch, run: number, nowMs: number): DropReason {
    const message = this.#initiation;
    copyMessage(batch, run, message);
    const result = consumeInitiation(this.#state.noise, message, this.#findPeer, nowMs);
    if (typeof result === "number") return result;
    const peer = result;
    this.#state.deps.timestampKeeper?.witness(decodeTai64n(peer.handshake.lastTimestamp));
    this.#exchange.endpointSeen(peer, batch.endpoints, batch.runEndpoint[run] * ENDPOINT_BYTES, nowMs);
    peer.bytes[PeerBytes.Received] += INITIATION_BYTES;
    peer.statistics.cells[PeerCell.InitiationsReceived]++;
    this.#answerInitiation(peer, nowMs);
    this.#exchange.handshakeReceived(peer, nowMs);
    return DropReason.None;
  }

  #answerInitiation(peer: Peer, nowMs: number): void {
    const { deps, noise, outbox } = this.#state;
    const index = this.#exchange.freshHandshakeIndex(peer);
    peer.handshake.localIndex = index;
    deps.random(this.#ephemeral);
    const refused = createResponse(noise, peer.handshake, this.#answer, this.#ephemeral, index);
    deps.primitives.wipe(this.#ephemeral);
    if (refused !== DropReason.None) {
      this.#state.events.handshakeRefused?.(peer, refused);
      return;
    }
    peer.cookie.addMacs(this.#answer, nowMs);
    this.#exchange.becomeResponderKeypair(peer, nowMs);
    peer.statistics.cells[PeerCell.ResponsesSent]++;
    outbox.addDatagram(this.#answer, peer.id, HANDSHAKE_TOS);
  }

  #responseReceived(batch: PacketBatch, run: number, nowMs: number): DropReason {
    const message = this.#response;
    copyMessage(batch, run, message);
    const peer = this.#peerOfHandshake(readU32(message, RESPONSE_RECEIVER_INDEX));
    if (peer === undefined) return DropReason.HandshakeUnexpected;
    this.#claimed = peer;
    const reason = consumeResponse(this.#state.noise, message, peer.handshake);
    if (reason !== DropReason.None) return reason;
    this.#exchange.endpointSeen(peer, batch.endpoints, batch.runEndpoint[run] * ENDPOINT_BYTES, nowMs);
    peer.bytes[PeerBytes.Received] += RESPONSE_BYTES;
    peer.statistics.cells[PeerCell.ResponsesReceived]++;
    this.#exchange.becomeInitiatorKeypair(peer, nowMs);
    this.#exchange.handshakeReceived(peer, nowMs);
    return DropReason.None;
  }

  #cookieReplyReceived(batch: PacketBatch, run: number, nowMs: number): DropReason {
    const message = this.#cookieReply;
    copyMessage(batch, run, message);
    const peer = this.#peerOf(readU32(message, COOKIE_RECEIVER_INDEX));
    if (peer === undefined) return DropReason.HandshakeUnexpected;
    this.#claimed = peer;
    const reason = peer.cookie.consumeReply(message, nowMs);
    if (reason !== DropReason.None) return reason;
    const { cells } = peer.statistics;
    cells[PeerCell.CookieRepliesReceived]++;
    cells[PeerCell.LastCookieReplyMs] = nowMs;
    return reason;
  }

  /** mac1; under load mac2 and the source's token bucket. Answers with a cookie reply where the paper says so. */
  #admit(batch: PacketBatch, run: number, length: number, nowMs: number): DropReason {
    const { cookies, limiter } = this.#state;
    const { arena } = batch;
    const offset = batch.packetOffset[batch.runFirst[run]];
    const at = batch.runEndpoint[run] * ENDPOINT_BYTES;
    const asksForCookie = this.#wasUnderLoad && !hasMac2(arena, offset, length);
    if (asksForCookie && !this.#mayHaveCookie(batch, at, nowMs)) return DropReason.HandshakeBacklog;
    if (cookies === undefined || !cookies.checkMac1(arena, offset, length)) return DropReason.Mac1Invalid;
    const isUnderLoad = this.#gauge.add(nowMs);
    if (isUnderLoad !== this.#wasUnderLoad) {
      this.#wasUnderLoad = isUnderLoad;
      this.#state.events.underLoad?.(isUnderLoad);
    }
    if (!isUnderLoad) return DropReason.None;
    for (let i = 0; i < SOURCE_BYTES; i++) this.#source[i] = batch.endpoints[at + i];
    if (!cookies.checkMac2(arena, offset, length, this.#source, nowMs)) {
      if (!asksForCookie && !this.#mayHaveCookie(batch, at, nowMs)) return DropReason.HandshakeBacklog;
      const row = this.#replyRow(batch, at);
      cookies.createReply(this.#cookieReply, arena, offset, length, this.#source, nowMs);
      this.#state.outbox.addDatagram(this.#cookieReply, row, HANDSHAKE_TOS);
      this.#state.ledger.flow[FlowCell.InboundCookied]++;
      return DropReason.UnderLoad;
    }
    return limiter.allow(batch.endpoints, at, nowMs) ? DropReason.None : DropReason.RateLimited;
  }

  #mayHaveCookie(batch: PacketBatch, at: number, nowMs: number): boolean {
    if (!this.#state.budget.isHeavy(nowMs)) return true;
    this.#cookieBudget ??= new CookieBudget(this.#state.deps.random);
    return this.#cookieBudget.take(batch.endpoints, at, nowMs);
  }

  /** @returns a row of the endpoint table for an answer to a stranger, whose record stands at `at` */
  #replyRow(batch: PacketBatch, at: number): number {
    const { deps, outbox, peersMax } = this.#state;
    if (this.#replyRowsUsed === REPLY_ROWS) outbox.flush();
    const row = peersMax + this.#replyRowsUsed++;
    copyRecord(batch.endpoints, at, deps.endpoints, row * ENDPOINT_BYTES);
    return row;
  }

  #peerOfHandshake(index: number): Peer | undefined {
    const value = this.#state.indices.lookup(index);
    return value < 0 || (value & 1) !== 0 ? undefined : this.#state.peers[value >> 1];
  }

  #peerOf(index: number): Peer | undefined {
    const value = this.#state.indices.lookup(index);
    if (value < 0) return undefined;
    return this.#state.peers[(value & 1) === 0 ? value >> 1 : this.#state.keypairs.all[value >> 1].peerId];
  }
}

function copyMessage(batch: PacketBatch, run: number, into: Uint8Array): void {
  const at = batch.packetOffset[batch.runFirst[run]];
  for (let i = 0; i < into.length; i++) into[i] = batch.arena[at + i];
}
