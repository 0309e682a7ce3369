// HOT PATH: one turn of the event loop. Reads the clock once, takes a bounded number of batches each way in alternation, fires
// timers, flushes. Never awaits; between turns UAPI and signals run. Owns the batches, not the descriptors.

import {
  HeaderCell,
  PacketBatch,
  Poller,
  RECEIVE_STRETCH_BYTES,
  readClock,
  TIMER_BIT,
  type Tun,
  type UdpSocket,
  watchAbsences,
} from "tun-tap-ts";
import type { Device } from "../core/device/device.js";
import { LOOP_BOUNDS_MS, type LoopStatistics } from "../core/device/loop-statistics.js";
import type { Network } from "./network.js";

/** Batches each way before timers and everybody else get their turn. */
const BATCHES_PER_TURN = 4;
/**
 * A run takes at most 64 packets; one kernel message at most 64 KiB. A batch of bulk takes half a millisecond: the larger it is, the
 * seldomer do both ends of a path go to sleep and wake each other.
 */
const OUTBOUND_SIZE = { slots: 2_048, runs: 2_048, endpoints: 0, arenaBytes: 1 << 19 } as const;
const INBOUND_MESSAGES = 64;
const INBOUND_SIZE = {
  slots: 4_096,
  runs: 4_096,
  endpoints: INBOUND_MESSAGES,
  arenaBytes: INBOUND_MESSAGES * RECEIVE_STRETCH_BYTES,
} as const;
export const OUTBOX_SIZE = { slots: 256, runs: 256, endpoints: 0, arenaBytes: 1 << 18 } as const;
/** Runs of the largest inbound batch. */
export const INBOUND_RUNS = INBOUND_SIZE.runs;

const TUN_BIT = 1;
const SOCKET4_BIT = 2;
const SOCKET6_BIT = 4;
/** The same sockets' ways in for small datagrams, which are looked at first. */
const SMALL4_BIT = 8;
const SMALL6_BIT = 16;
const SMALL_BITS = SMALL4_BIT | SMALL6_BIT;
const BULK_BITS = SOCKET4_BIT | SOCKET6_BIT;
const ALL_BITS = TUN_BIT | BULK_BITS | SMALL_BITS;
const EAGAIN = 11;
/** How long a TUN that cannot be read is left alone: it stays readable, and the loop would spin. */
const TUN_REST_MS = 20;
/** No deadline of the device. */
const FIRED_MS = -1;
/** Cells of the poller's clock. */
const BOOT_MS = 0;

/** What the loop tells its owner; none is called per packet. */
export interface EventLoopListener {
  /** A TUN read failed with this errno, most likely because the interface is down or gone. It is tried again. */
  tunFailed(errno: number): void;
  /** Packets came out of the TUN while the device is down: it must be up. */
  tunSpokeWhileDown(): void;
}

export class EventLoop {
  readonly #device: Device;
  readonly #tun: Tun;
  readonly #network: Network;
  readonly #listener: EventLoopListener;
  readonly #poller: Poller;
  readonly #outbound = new PacketBatch(OUTBOUND_SIZE);
  readonly #inbound = new PacketBatch(INBOUND_SIZE);
  readonly #epochMs: number;
  readonly #statistics: LoopStatistics;
  #armedMs = Number.POSITIVE_INFINITY;
  #socket4: UdpSocket | undefined;
  #socket6: UdpSocket | undefined;
  /** Bits of the sockets that are watched. */
  #socketBits = 0;
  /** Runs while the TUN is left alone. */
  #tunRest: NodeJS.Timeout | undefined;

  constructor(device: Device, tun: Tun, network: Network, listener: EventLoopListener, statistics: LoopStatistics) {
    this.#device = device;
    this.#tun = tun;
    this.#network = network;
    this.#listener = listener;
    this.#statistics = statistics;
    this.#poller = new Poller(this.#turn.bind(this));
    watchAbsences(statistics.cells, statistics.absences, LOOP_BOUNDS_MS);
    readClock(this.#poller.clock);
    this.#epochMs = Math.floor(this.#poller.clock[BOOT_MS]) - 1;
    this.#watchTun();
  }

  /** Reads the clock outside a turn. @returns device time: whole ms of boot time since the loop was made */
  readNowMs(): number {
    readClock(this.#poller.clock);
    return this.#deviceMs();
  }

  /** Tells the loop the interface MTU: padding never goes beyond it. */
  setMtu(mtu: number): void {
    this.#outbound.header[HeaderCell.PadLimit] = mtu;
    this.#device.state.deps.outbox.header[HeaderCell.PadLimit] = mtu;
  }

  /** Watches the network's sockets as they are now; call after they were opened and before they are closed. */
  watchSockets(): void {
    this.unwatchSockets();
    this.#socket4 = this.#network.socket4;
    this.#socket6 = this.#network.socket6;
    this.#watch(this.#socket4, SOCKET4_BIT, SMALL4_BIT);
    this.#watch(this.#socket6, SOCKET6_BIT, SMALL6_BIT);
  }

  /** Forgets the sockets. */
  // cold: once an interface comes up or goes down
  unwatchSockets(): void {
    for (const socket of [this.#socket4, this.#socket6]) {
      if (socket === undefined) continue;
      this.#poller.remove(socket.fd);
      if (socket.smallFd >= 0) this.#poller.remove(socket.smallFd);
    }
    this.#socket4 = undefined;
    this.#socket6 = undefined;
    this.#socketBits = 0;
  }

  /** Sets the timer to the device's next deadline; call after configuration changes. */
  armTimer(): void {
    const deadlineMs = this.#device.nextDeadlineMs();
    if (deadlineMs === this.#armedMs) return;
    this.#armedMs = deadlineMs;
    this.#poller.setTimer(deadlineMs === Number.POSITIVE_INFINITY ? 0 : this.#epochMs + deadlineMs);
  }

  /** Stops. The descriptors stay open. */
  close(): void {
    clearTimeout(this.#tunRest);
    this.#poller.close();
  }

  // cold: at the beginning, and after a read that failed
  #watchTun(): void {
    for (const fd of this.#tun.fds) this.#poller.add(fd, TUN_BIT);
  }

  // cold: a read failed
  #restTun(): void {
    for (const fd of this.#tun.fds) this.#poller.remove(fd);
    this.#tunRest = setTimeout(() => {
      this.#tunRest = undefined;
      this.#watchTun();
    }, TUN_REST_MS);
  }

  #watch(socket: UdpSocket | undefined, bit: number, smallBit: number): void {
    if (socket === undefined) return;
    this.#poller.add(socket.fd, bit);
    this.#socketBits |= bit;
    if (socket.smallFd < 0) return;
    this.#poller.add(socket.smallFd, smallBit);
    this.#socketBits |= smallBit;
  }

  /** Small integers for the first 24 days: a number that V8 need not put on the heap. */
  #deviceMs(): number {
    return Math.floor(this.#poller.clock[BOOT_MS] - this.#epochMs);
  }

  #turn(mask: number): void {
    const { clock } = this.#poller;
    this.#statistics.turnBegan(clock, BOOT_MS);
    const nowMs = this.#deviceMs();
    // What is due may be more than a turn does: then the same deadline is armed again.
    if ((mask & TIMER_BIT) !== 0) this.#armedMs = FIRED_MS;
    let ready = mask & ALL_BITS;
    let isSmallsTurn = false;
    for (let i = 0; i < BATCHES_PER_TURN && ready !== 0; i++) {
      // In turns while there are both: a flood of small datagrams must not keep bulk waiting.
      isSmallsTurn = (ready & SMALL_BITS) !== 0 && !(isSmallsTurn && (ready & BULK_BITS) !== 0);
      ready = isSmallsTurn
        ? this.#take(nowMs, ready, SMALL4_BIT, SMALL6_BIT)
        : this.#take(nowMs, ready, SOCKET4_BIT, SOCKET6_BIT);
      if ((ready & TUN_BIT) === 0) continue;
      // While there is bulk to send, what came meanwhile is not left until the next turn.
      if (this.#outboundBatch(nowMs)) ready |= this.#socketBits;
      else ready &= ~TUN_BIT;
    }
    this.#device.finishTurn(nowMs);
    this.armTimer();
    readClock(clock);
    this.#statistics.turnEnded(clock, BOOT_MS);
  }

  /** A batch of each family, of one size: small goes in alone, so that its answers leave before the next batch of bulk is taken. */
  #take(nowMs: number, ready: number, bit4: number, bit6: number): number {
    if ((ready & bit4) !== 0) ready = this.#inboundBatch(this.#socket4, nowMs, ready, bit4);
    if ((ready & bit6) !== 0) ready = this.#inboundBatch(this.#socket6, nowMs, ready, bit6);
    return ready;
  }

  /** @returns the ready bits, without `bit` when the socket is empty, with the TUN's when an answer may stand there */
  #inboundBatch(socket: UdpSocket | undefined, nowMs: number, ready: number, bit: number): number {
    if (socket === undefined) return ready & ~bit;
    const batch = this.#inbound;
    batch.clear();
    const datagrams = (bit & SMALL_BITS) === 0 ? socket.receiveBatch(batch) : socket.receiveSmallBatch(batch);
    if (datagrams <= 0) return ready & ~bit;
    if (batch.header[HeaderCell.More] === 0) ready &= ~bit;
    // Small datagrams that came meanwhile go before the next batch of bulk.
    else if ((bit & SMALL_BITS) === 0) ready |= this.#socketBits & SMALL_BITS;
    this.#statistics.took(batch.header[HeaderCell.PacketCount]);
    if (this.#device.receive(batch, nowMs) === 0) {
      this.#device.delivered(batch, 0);
      return ready;
    }
    // The kernel answers pings and acknowledges TCP for local sockets while it takes the packet: look at once.
    this.#device.delivered(batch, this.#tun.writeBatch(batch));
    return ready | TUN_BIT;
  }

  /** @returns whether there may be more */
  #outboundBatch(nowMs: number): boolean {
    if (this.#tunRest !== undefined) return false;
    const batch = this.#outbound;
    batch.clear();
    const runs = this.#tun.readBatch(batch);
    if (runs < 0) {
      if (runs === -EAGAIN) return false;
      this.#restTun();
      this.#listener.tunFailed(-runs);
      return false;
    }
    if (runs === 0) return false;
    if (!this.#device.state.isUp) this.#listener.tunSpokeWhileDown();
    this.#statistics.took(batch.header[HeaderCell.PacketCount]);
    this.#device.send(batch, nowMs);
    return batch.header[HeaderCell.More] !== 0;
  }
}
