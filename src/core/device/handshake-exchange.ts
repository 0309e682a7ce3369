// Handshake messages in both roles, keypair rotation, and what the five timers do when they fire. Cold but for the few
// calls that the paths make per run. Source: [W] 5.4, 6; the timers' prose is in peer-timers.ts.

import { DropReason } from "../drop-reason.js";
import {
  INITIATION_BYTES,
  KEEPALIVE_TIMEOUT_MS,
  REJECT_AFTER_TIME_MS,
  REKEY_AFTER_MESSAGES,
  REKEY_AFTER_TIME_MS,
  REKEY_ATTEMPT_TIME_MS,
  REKEY_TIMEOUT_JITTER_MS_MAX,
  REKEY_TIMEOUT_MS,
} from "../noise/constants.js";
import { beginKeypair, createInitiation, type KeypairSecrets, NO_INDEX } from "../noise/handshake.js";
import type { InitiationKey } from "../noise/initiation-keys.js";
import { PAIRS_MAX } from "../noise/primitives.js";
import { PeerTimer } from "../timers/peer-timers.js";
import { clearSource, ENDPOINT_BYTES, equalRemote, equalSource, refusesSource } from "../transport/endpoint-record.js";
import { type Keypair, KeypairCell } from "../transport/keypair.js";
import type { PacketBatch } from "../transport/packet-batch.js";
import { type DeviceState, dropStaged } from "./device-state.js";
import { HandshakeReceiver } from "./handshake-receiver.js";
import { InitiationQueue } from "./initiation-queue.js";
import { IndexValue } from "./keypair-pool.js";
import { HANDSHAKE_TOS } from "./outbox.js";
import { type Peer, PeerTime } from "./peer.js";
import { PeerCell } from "./peer-statistics.js";
import { RetryJitter } from "./retry-jitter.js";
import type { SendPath } from "./send-path.js";
import { learnEndpoint } from "./sticky-source.js";

const ATTEMPTS_MAX = Math.floor(REKEY_ATTEMPT_TIME_MS / REKEY_TIMEOUT_MS);
const ZERO_KEY_MATERIAL_MS = 3 * REJECT_AFTER_TIME_MS;
const REKEY_ON_RECEIVE_MS = REJECT_AFTER_TIME_MS - KEEPALIVE_TIMEOUT_MS - REKEY_TIMEOUT_MS;

export class HandshakeExchange {
  readonly #state: DeviceState;
  readonly #receiver: HandshakeReceiver;
  #send!: SendPath;
  #timerPeers: number;
  readonly jitter: RetryJitter;
  readonly #timestamp = new Uint8Array(12);
  readonly #initiation = new Uint8Array(INITIATION_BYTES);
  /** Initiations that wait for the turn's end, or for one with budget. */
  readonly #initiations: InitiationQueue;

  constructor(state: DeviceState, timerPeers: number) {
    this.#state = state;
    this.#timerPeers = timerPeers;
    this.#receiver = new HandshakeReceiver(state, this);
    this.#initiations = new InitiationQueue(state, this);
    this.jitter = new RetryJitter(state.deps.random);
  }

  /** The send path and this class need each other. */
  attachSendPath(send: SendPath): void {
    this.#send = send;
  }

  /** Handles one run of an inbound batch that is not transport data. */
  receive(batch: PacketBatch, run: number, nowMs: number): void {
    this.#receiver.receive(batch, run, nowMs);
  }

  /** The outbox was sent: rows for answers to strangers are free again. */
  outboxFlushed(): void {
    this.#receiver.outboxFlushed();
  }

  /** Makes room for a new peer's timers. */
  peerAdded(peer: Peer): void {
    if (peer.id < this.#timerPeers) return;
    this.#timerPeers = Math.max(this.#timerPeers * 2, peer.id + 1);
    this.#state.timers.grow(this.#timerPeers);
  }

  /** Whether there is handshake work that a turn had no budget for. */
  get isWaiting(): boolean {
    return this.#initiations.size > 0 || this.#receiver.isWaiting;
  }

  /** Messages that came and wait for a turn with budget: they enter the ledger when it comes. */
  get messagesWaiting(): number {
    return this.#receiver.waiting;
  }

  /** Does what waits as far as the budget goes, messages of others and own ones in turn. Cold: only when some wait. */
  goOn(nowMs: number): void {
    for (let isOwnTurn = false; this.isWaiting; isOwnTurn = !isOwnTurn) {
      const othersWait = this.#receiver.isWaiting;
      if (othersWait && !(isOwnTurn && this.#initiations.size > 0)) {
        if (!this.#state.budget.take()) return;
        this.#receiver.goOn(nowMs);
      } else if (!this.#initiations.sendSome(othersWait ? 1 : PAIRS_MAX, nowMs)) return;
    }
  }

  /**
   * Sends a handshake initiation, or puts it in line behind others; at most one per REKEY_TIMEOUT: now, or when that has passed.
   * @param isRetry  counted against REKEY_ATTEMPT_TIME, and made at the turn's end, with others; otherwise the count starts anew
   */
  initiate(peer: Peer, nowMs: number, isRetry: boolean): void {
    if (!isRetry) peer.handshakeAttempts = 0;
    if (!this.mayInitiate(peer, nowMs) || (!isRetry && this.#isAboutToRetry(peer, nowMs))) return;
    if (!isRetry && this.#state.budget.take()) this.#initiations.sendNow(peer, nowMs);
    else this.#initiations.add(peer);
  }

  /**
   * Whether the next try is a jitter away. Traffic must not bring it forward: where it flows both ways both ends would begin again
   * REKEY_TIMEOUT after two initiations that crossed, and cross again, for as long as it flows.
   */
  #isAboutToRetry(peer: Peer, nowMs: number): boolean {
    const lateMs = nowMs - peer.times[PeerTime.HandshakeSent] - REKEY_TIMEOUT_MS;
    return (
      lateMs <= REKEY_TIMEOUT_JITTER_MS_MAX && this.#state.timers.isPending(peer.id, PeerTimer.RetransmitHandshake)
    );
  }

  /** Within REKEY_TIMEOUT of the last message the time after it is noted instead. */
  mayInitiate(peer: Peer, nowMs: number): boolean {
    const { identity, isUp, timers } = this.#state;
    if (identity === undefined || !isUp || !peer.hasEndpoint) return false;
    const pauseMs = peer.times[PeerTime.HandshakeSent] + REKEY_TIMEOUT_MS - nowMs;
    if (pauseMs <= 0) return true;
    // It may be our own response that began the pause, and be lost: what waits must not have to wait for more traffic.
    timers.armIfIdle(peer.id, PeerTimer.RetransmitHandshake, nowMs, pauseMs + this.jitter.nextMs());
    return false;
  }

  /** Sends an initiation. @param key  made for this peer */
  initiateWith(peer: Peer, key: InitiationKey, nowMs: number): void {
    peer.times[PeerTime.HandshakeSent] = nowMs;
    if (!this.#buildInitiation(peer, key, nowMs)) return;
    this.#state.events.handshakeSent?.(peer, peer.handshakeAttempts);
    peer.statistics.initiationSent(nowMs);
    peer.times[PeerTime.InitiationSentFine] = this.#fineMs(nowMs);
    this.#state.outbox.addDatagram(this.#initiation, peer.id, HANDSHAKE_TOS);
    this.#controlSent(peer, nowMs);
    this.#arm(peer, PeerTimer.RetransmitHandshake, nowMs, REKEY_TIMEOUT_MS + this.jitter.nextMs());
  }

  /** A handshake message of the peer was authenticated: it is alive. */
  handshakeReceived(peer: Peer, nowMs: number): void {
    peer.times[PeerTime.Received] = nowMs;
    peer.statistics.heard();
    this.#state.timers.cancel(peer.id, PeerTimer.NewHandshake);
    this.traversed(peer, nowMs);
  }

  /** Called per run sent: the initiator asks for new keys after REKEY_AFTER_TIME or REKEY_AFTER_MESSAGES. */
  keepKeyFreshOnSend(peer: Peer, nowMs: number): void {
    const keypair = peer.keypairs.current;
    if (keypair === undefined) return;
    const isOld = keypair.isInitiator && keypair.ageMs(nowMs) >= REKEY_AFTER_TIME_MS;
    if (isOld || keypair.state[KeypairCell.SendCounter] > REKEY_AFTER_MESSAGES) this.initiate(peer, nowMs, false);
  }

  /** Called per run that carried an authenticated packet. */
  authenticatedReceived(peer: Peer, hasData: boolean, nowMs: number): void {
    const { timers } = this.#state;
    peer.times[PeerTime.Received] = nowMs;
    peer.statistics.heard();
    timers.cancel(peer.id, PeerTimer.NewHandshake);
    this.traversed(peer, nowMs);
    if (hasData && !timers.armIfIdle(peer.id, PeerTimer.SendKeepalive, nowMs, KEEPALIVE_TIMEOUT_MS)) {
      peer.needAnotherKeepalive = true;
    }
    this.#keepKeyFreshOnReceive(peer, nowMs);
  }

  /** Called per run that went either way: the persistent keepalive starts over. */
  traversed(peer: Peer, nowMs: number): void {
    if (peer.persistentKeepaliveMs > 0)
      this.#arm(peer, PeerTimer.PersistentKeepalive, nowMs, peer.persistentKeepaliveMs);
  }

  /** The admin changed the interval, or the interface came up. */
  keepaliveChanged(peer: Peer, nowMs: number): void {
    if (peer.persistentKeepaliveMs > 0 && this.#state.isUp) this.traversed(peer, nowMs);
    else this.#state.timers.cancel(peer.id, PeerTimer.PersistentKeepalive);
  }

  /** Takes the address that an authenticated packet came from, and the local one it came to. */
  endpointSeen(peer: Peer, records: Uint8Array, at: number, nowMs: number): void {
    const table = this.#state.deps.endpoints;
    const row = peer.id * ENDPOINT_BYTES;
    const moved = !equalRemote(table, row, records, at);
    if (!moved && (equalSource(table, row, records, at) || refusesSource(table, row, records, at))) return;
    learnEndpoint(this.#state, peer, records, at);
    if (moved && peer.hasEndpoint) peer.statistics.endpointChanged(nowMs);
    peer.hasEndpoint = true;
    if (moved) this.#state.events.endpointChanged?.(peer);
  }

  /**
   * The initiator's first transport message confirmed the responder's new keypair.
   * @param isFirst  it was counter 0, which answers our response; otherwise that one was lost
   */
  confirmed(peer: Peer, isFirst: boolean, nowMs: number): void {
    if (isFirst) this.#roundTrip(peer, PeerTime.ResponseSentFine, nowMs);
    const { keypairs } = peer;
    this.#state.keypairs.giveBack(keypairs.previous);
    keypairs.previous = keypairs.current;
    keypairs.current = keypairs.next;
    keypairs.next = undefined;
    this.#completed(peer, nowMs);
    this.#state.events.handshakeCompleted?.(peer, "responder");
    this.#send.flushStaged(peer, nowMs);
  }

  /** As initiator: the response was good. Installs the keypair, confirms it with a staged or an empty packet. */
  becomeInitiatorKeypair(peer: Peer, nowMs: number): void {
    this.#roundTrip(peer, PeerTime.InitiationSentFine, nowMs);
    const { keypairs } = peer;
    const keypair = this.#takeKeypair(peer, nowMs);
    if (keypairs.next !== undefined) {
      this.#state.keypairs.giveBack(keypairs.current);
      this.#state.keypairs.giveBack(keypairs.previous);
      keypairs.previous = keypairs.next;
      keypairs.next = undefined;
    } else {
      this.#state.keypairs.giveBack(keypairs.previous);
      keypairs.previous = keypairs.current;
    }
    keypairs.current = keypair;
    this.#completed(peer, nowMs);
    this.#state.events.handshakeCompleted?.(peer, "initiator");
    this.#send.sendKeepalive(peer, nowMs);
  }

  /** As responder: the response goes out; its keypair waits for confirmation. */
  becomeResponderKeypair(peer: Peer, nowMs: number): void {
    const { keypairs } = peer;
    this.#state.keypairs.giveBack(keypairs.next);
    this.#state.keypairs.giveBack(keypairs.previous);
    keypairs.previous = undefined;
    keypairs.next = this.#takeKeypair(peer, nowMs);
    peer.times[PeerTime.HandshakeSent] = nowMs;
    peer.times[PeerTime.ResponseSentFine] = this.#fineMs(nowMs);
    this.#controlSent(peer, nowMs);
  }

  /** Zeroes a peer's keypairs and handshake, and begins anew with it; its configuration stays. */
  forgetKeys(peer: Peer): void {
    this.#zeroKeys(peer);
    this.#initiations.remove(peer);
    peer.times[PeerTime.HandshakeSent] = Number.NEGATIVE_INFINITY;
    peer.handshakeAttempts = 0;
  }

  /** The pace of initiations is not changed: they may be under way. */
  #zeroKeys(peer: Peer): void {
    this.#forgetKeypairs(peer);
    this.#releaseHandshakeIndex(peer);
    peer.handshake.clear();
    peer.sentLastMinuteHandshake = false;
  }

  #forgetKeypairs(peer: Peer): void {
    const { keypairs } = this.#state;
    keypairs.giveBack(peer.keypairs.current);
    keypairs.giveBack(peer.keypairs.previous);
    keypairs.giveBack(peer.keypairs.next);
    peer.keypairs.current = undefined;
    peer.keypairs.previous = undefined;
    peer.keypairs.next = undefined;
  }

  /**
   * What is old goes. A handshake under way is not, its secrets are made anew with each retry: after a long sleep it began a moment
   * ago, and another one in its place would come too soon after it to be answered.
   */
  #zeroKeyMaterial(peer: Peer): void {
    if (this.#state.timers.isPending(peer.id, PeerTimer.RetransmitHandshake)) this.#forgetKeypairs(peer);
    else this.#zeroKeys(peer);
  }

  /** One of a peer's timers is due. */
  expired(peerId: number, kind: PeerTimer, nowMs: number): void {
    const peer = this.#state.peers[peerId];
    if (peer === undefined || !this.#state.isUp) return;
    if (kind === PeerTimer.RetransmitHandshake) this.#retransmit(peer, nowMs);
    else if (kind === PeerTimer.SendKeepalive) this.#keepaliveDue(peer, nowMs);
    else if (kind === PeerTimer.ZeroKeyMaterial) this.#zeroKeyMaterial(peer);
    else if (kind === PeerTimer.NewHandshake) {
      this.#forgetSource(peer);
      this.initiate(peer, nowMs, false);
    } else {
      if (peer.persistentKeepaliveMs > 0) this.#send.sendKeepalive(peer, nowMs);
      this.keepaliveChanged(peer, nowMs);
    }
  }

  /** Gives a handshake of the peer a fresh index; the old one, if any, is released. */
  freshHandshakeIndex(peer: Peer): number {
    this.#releaseHandshakeIndex(peer);
    return this.#state.indices.allocate(IndexValue.ofHandshake(peer.id));
  }

  #releaseHandshakeIndex(peer: Peer): void {
    if (peer.handshake.localIndex !== NO_INDEX) this.#state.indices.release(peer.handshake.localIndex);
    peer.handshake.localIndex = NO_INDEX;
  }

  #buildInitiation(peer: Peer, key: InitiationKey, nowMs: number): boolean {
    const { noise, deps, timestamps } = this.#state;
    const index = this.freshHandshakeIndex(peer);
    peer.handshake.localIndex = index;
    const wallMs = deps.wallMs();
    timestamps.next(this.#timestamp, deps.timestampKeeper?.believe(wallMs) ?? wallMs);
    deps.timestampKeeper?.reserve(timestamps.last);
    const refused = createInitiation(noise, peer.handshake, this.#initiation, key, this.#timestamp, index);
    if (refused !== DropReason.None) {
      this.#releaseHandshakeIndex(peer);
      this.#state.events.handshakeRefused?.(peer, refused);
      return false;
    }
    peer.cookie.addMacs(this.#initiation, nowMs);
    return true;
  }

  /** Call only when a response was just created or consumed: the keys' time begins now, not when they are confirmed. */
  #takeKeypair(peer: Peer, nowMs: number): Keypair {
    const { primitives } = this.#state.deps;
    const secrets = beginKeypair(peer.handshake) as KeypairSecrets;
    const keypair = this.#state.keypairs.take(peer.id, secrets, peer.statistics.path, nowMs);
    primitives.wipe(secrets.sendKey);
    primitives.wipe(secrets.receiveKey);
    this.#arm(peer, PeerTimer.ZeroKeyMaterial, nowMs, ZERO_KEY_MATERIAL_MS);
    return keypair;
  }

  #completed(peer: Peer, nowMs: number): void {
    const { timers, deps } = this.#state;
    timers.cancel(peer.id, PeerTimer.RetransmitHandshake);
    peer.handshakeAttempts = 0;
    peer.sentLastMinuteHandshake = false;
    peer.lastHandshakeWallMs = deps.wallMs();
    peer.times[PeerTime.HandshakeDone] = nowMs;
    peer.statistics.cells[PeerCell.HandshakesCompleted]++;
  }

  #keepKeyFreshOnReceive(peer: Peer, nowMs: number): void {
    const keypair = peer.keypairs.current;
    if (keypair === undefined || !keypair.isInitiator || peer.sentLastMinuteHandshake) return;
    if (keypair.ageMs(nowMs) < REKEY_ON_RECEIVE_MS) return;
    peer.sentLastMinuteHandshake = true;
    this.initiate(peer, nowMs, false);
  }

  #retransmit(peer: Peer, nowMs: number): void {
    const { timers, events } = this.#state;
    if (peer.handshakeAttempts >= ATTEMPTS_MAX) {
      timers.cancel(peer.id, PeerTimer.SendKeepalive);
      dropStaged(this.#state, peer, DropReason.StagedExpired);
      peer.statistics.cells[PeerCell.HandshakesGivenUp]++;
      // From the last initiation on: a daemon that was stopped meanwhile gives up late.
      const leftMs = peer.times[PeerTime.HandshakeSent] + ZERO_KEY_MATERIAL_MS - nowMs;
      timers.armIfIdle(peer.id, PeerTimer.ZeroKeyMaterial, nowMs, Math.max(0, leftMs));
      events.handshakeGivenUp?.(peer);
      return;
    }
    peer.handshakeAttempts++;
    this.#forgetSource(peer);
    this.initiate(peer, nowMs, true);
  }

  #keepaliveDue(peer: Peer, nowMs: number): void {
    this.#send.sendKeepalive(peer, nowMs);
    if (!peer.needAnotherKeepalive) return;
    peer.needAnotherKeepalive = false;
    // What was just sent takes the pending keepalive away when it leaves; it must have left before the next is armed.
    this.#state.outbox.flush();
    this.#arm(peer, PeerTimer.SendKeepalive, nowMs, KEEPALIVE_TIMEOUT_MS);
  }

  #forgetSource(peer: Peer): void {
    clearSource(this.#state.deps.endpoints, peer.id * ENDPOINT_BYTES);
  }

  #fineMs(nowMs: number): number {
    return this.#state.deps.fineMs?.() ?? nowMs;
  }

  #roundTrip(peer: Peer, since: number, nowMs: number): void {
    const sampleMs = this.#fineMs(nowMs) - peer.times[since];
    if (sampleMs >= 0 && sampleMs < REKEY_ATTEMPT_TIME_MS) peer.statistics.roundTrip(sampleMs, nowMs);
  }

  #controlSent(peer: Peer, nowMs: number): void {
    this.#state.timers.cancel(peer.id, PeerTimer.SendKeepalive);
    this.traversed(peer, nowMs);
  }

  #arm(peer: Peer, kind: PeerTimer, nowMs: number, delayMs: number): void {
    this.#state.timers.arm(peer.id, kind, nowMs, delayMs);
  }
}
