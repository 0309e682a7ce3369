// The facade of the protocol core: one WireGuard interface. Time, randomness, bytes on the wire and the TUN are given
// to it; it never does I/O, reads a clock or awaits. Same code in the daemon and in the simulator.

import { DropReason } from "../drop-reason.js";
import { HandshakeContext } from "../noise/handshake.js";
import { Identity } from "../noise/identity.js";
import { TimestampSource } from "../noise/tai64n.js";
import { PeerTimers, TIMERS_PER_PEER } from "../timers/peer-timers.js";
import { TimerWheel } from "../timers/timer-wheel.js";
import { ENDPOINT_BYTES } from "../transport/endpoint-record.js";
import { HeaderCell, type PacketBatch } from "../transport/packet-batch.js";
import { StagedPackets } from "../transport/staging.js";
import { AllowedIps } from "./allowed-ips.js";
import { Configurator } from "./configure.js";
import { type DeviceDependencies, type DeviceState, dropStaged, REPLY_ROWS } from "./device-state.js";
import { HandshakeExchange } from "./handshake-exchange.js";
import { HostAnswers } from "./host-answers.js";
import { IndexTable } from "./index-table.js";
import { KeypairPool } from "./keypair-pool.js";
import { Ledger } from "./ledger.js";
import { Outbox } from "./outbox.js";
import type { Peer } from "./peer.js";
import { RateLimiter } from "./rate-limiter.js";
import { ReceivePath } from "./receive-path.js";
import { RefusalMemory } from "./refusal-memory.js";
import { SendPath } from "./send-path.js";
import type { DeviceUpdate, PeerSnapshot } from "./update.js";
import { WorkBudget } from "./work-budget.js";

const TIMER_TICK_MS = 4;
/** Most find nothing to do, or put a handshake in line. */
const TIMERS_PER_TURN = 256;
const STAGED_POOL_BYTES = 16 * 1024 * 1024;
const STAGED_PEER_PACKETS_MAX = 128;
const TIMER_PEERS_AT_START = 64;

export class Device {
  readonly state: DeviceState;
  readonly #send: SendPath;
  readonly #receive: ReceivePath;
  readonly #exchange: HandshakeExchange;
  readonly #configurator: Configurator;
  #nowMs = 0;

  /** @param inboundRunsMax  runs of the largest inbound batch */
  constructor(deps: DeviceDependencies, inboundRunsMax: number) {
    const random32 = (into: Uint32Array): void =>
      deps.random(new Uint8Array(into.buffer, into.byteOffset, into.byteLength));
    const indices = new IndexTable(random32);
    const wheel = new TimerWheel({ tickMs: TIMER_TICK_MS, capacity: TIMER_PEERS_AT_START * TIMERS_PER_PEER });
    const timers = new PeerTimers(wheel, TIMER_PEERS_AT_START, (id, kind, nowMs) =>
      this.#exchange.expired(id, kind, nowMs),
    );
    const ledger = new Ledger();
    this.state = {
      deps,
      events: deps.events ?? {},
      peers: [],
      peerByKey: new Map(),
      peersMax: deps.endpoints.length / ENDPOINT_BYTES - REPLY_ROWS,
      allowedIps: new AllowedIps(),
      indices,
      keypairs: new KeypairPool(deps.dataPath, indices),
      staged: new StagedPackets({
        peerPacketsMax: STAGED_PEER_PACKETS_MAX,
        poolBytes: deps.stagedPoolBytes ?? STAGED_POOL_BYTES,
        onOverflow: (peerId) => this.#stagedOverflowed(peerId),
      }),
      timers,
      limiter: new RateLimiter(deps.random),
      timestamps: new TimestampSource(),
      ledger,
      refusals: new RefusalMemory(),
      hostAnswers: new HostAnswers(ledger, deps.writeToHost),
      outbox: new Outbox(deps.outbox, (batch) => this.#flushBatch(batch)),
      budget: new WorkBudget(),
      identity: undefined,
      noise: new HandshakeContext(deps.primitives, new Identity(deps.primitives, new Uint8Array(32))),
      cookies: undefined,
      isUp: false,
    };
    this.#exchange = new HandshakeExchange(this.state, TIMER_PEERS_AT_START);
    this.#send = new SendPath(this.state, this.#exchange);
    this.#exchange.attachSendPath(this.#send);
    this.#receive = new ReceivePath(this.state, this.#exchange, inboundRunsMax);
    this.#configurator = new Configurator(this.state, this.#exchange, this.#send);
  }

  /**
   * TUN → network: routes, seals, sends and accounts for a batch that the TUN filled. Allocates nothing for peers with
   * a keypair.
   * @param nowMs  boot-time ms
   */
  send(batch: PacketBatch, nowMs: number): void {
    this.#nowMs = nowMs;
    this.state.budget.carried(batch.header[HeaderCell.PacketCount], nowMs);
    this.#send.route(batch, nowMs);
    this.#transmit(batch);
  }

  /**
   * Network → TUN: takes a batch that a socket filled and leaves what the TUN shall take, status 0 and a length.
   * @returns packets for the TUN
   */
  receive(batch: PacketBatch, nowMs: number): number {
    this.#nowMs = nowMs;
    const deliverable = this.#receive.receive(batch, nowMs);
    this.state.budget.carried(deliverable, nowMs);
    return deliverable;
  }

  /** Accounts for the TUN write of a received batch. @param delivered  packets that the TUN took */
  delivered(batch: PacketBatch, delivered: number): void {
    this.#receive.account(batch, delivered);
  }

  /** Fires due timers, goes on with handshakes that wait, and sends what the core has to say. Call at the end of every turn. */
  finishTurn(nowMs: number): void {
    this.#nowMs = nowMs;
    this.state.timers.expire(nowMs, TIMERS_PER_TURN);
    this.state.budget.refill(nowMs);
    this.#exchange.goOn(nowMs);
    this.state.outbox.flush();
  }

  /** @returns boot-time ms by which finishTurn must be called again; Infinity: only when there is traffic. */
  nextDeadlineMs(): number {
    const timerMs = this.state.timers.nextDeadlineMs();
    return this.#exchange.isWaiting ? Math.min(timerMs, this.state.budget.nextMs(this.#nowMs)) : timerMs;
  }

  /**
   * Applies keys and peers; listen port and mark belong to the owner of the sockets.
   * Errors: ConfigureError, with nothing applied.
   */
  configure(update: DeviceUpdate, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#configurator.apply(update, nowMs);
    this.state.outbox.flush();
  }

  /** Handshake messages that came and wait for a turn with budget: they enter the ledger when it comes. */
  get messagesWaiting(): number {
    return this.#exchange.messagesWaiting;
  }

  /**
   * {@link configure} in steps, see {@link Configurator.steps}.
   * @param now  reads device time
   * Errors: ConfigureError out of the first step, with nothing applied.
   */
  *configureInSteps(update: DeviceUpdate, now: () => number): Generator<void, void, void> {
    for (const _ of this.#configurator.steps(update, now)) {
      this.#nowMs = now();
      this.state.outbox.flush();
      yield;
    }
  }

  /** The interface came up: peers with a persistent keepalive speak first, and those that something was staged for. */
  up(nowMs: number): void {
    if (this.state.isUp) return;
    this.#nowMs = nowMs;
    this.state.isUp = true;
    for (const peer of this.peers()) {
      this.#exchange.keepaliveChanged(peer, nowMs);
      const isAwaited = peer.persistentKeepaliveMs > 0 || this.state.staged.count(peer.id) > 0;
      if (isAwaited) this.#send.sendKeepalive(peer, nowMs);
    }
    this.state.outbox.flush();
  }

  /** Speaks to a peer first, which begins a handshake where there is no keypair. It has to have an endpoint. */
  greet(peer: Peer, nowMs: number): void {
    if (!this.state.isUp || !peer.hasEndpoint) return;
    this.#nowMs = nowMs;
    this.#send.sendKeepalive(peer, nowMs);
    this.state.outbox.flush();
  }

  /** The interface went down: keys are zeroed, timers stop, staged packets are dropped; configuration stays. */
  down(): void {
    this.state.isUp = false;
    for (const peer of this.peers()) {
      this.#exchange.forgetKeys(peer);
      this.state.timers.cancelAll(peer.id);
      dropStaged(this.state, peer, DropReason.StagedExpired);
    }
  }

  /** Zeroes every key. The device is of no use afterwards. */
  close(): void {
    this.down();
    this.#configurator.wipe();
  }

  /** Peers in the order they were added. */
  peers(): Iterable<Peer> {
    return this.state.peerByKey.values();
  }

  /** @returns what `wg show` tells of one peer */
  snapshotPeer(peer: Peer): PeerSnapshot {
    return this.#configurator.snapshotPeer(peer);
  }

  #transmit(batch: PacketBatch): void {
    if (this.state.deps.dataPath.seal(batch) < 0) this.#send.refuseUnsealed(batch);
    this.state.deps.transmitter.transmit(batch);
    this.#send.account(batch, this.#nowMs);
  }

  /** A packet had to make room: of the peer that staged one, or the device's oldest. */
  #stagedOverflowed(peerId: number): void {
    this.state.ledger.outboundDrops[DropReason.StagedOverflow]++;
    const peer = this.state.peers[peerId];
    if (peer !== undefined) peer.statistics.outboundDrops[DropReason.StagedOverflow]++;
  }

  #flushBatch(batch: PacketBatch): void {
    this.#transmit(batch);
    this.#exchange.outboxFlushed();
  }
}
