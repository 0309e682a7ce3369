// One interface at work: TUN, sockets, device and event loop wired together, and what a `set` or the admin's `ip link` does
// to them. Knows no command line, no signals, no UAPI text.

import type { AeadChoice } from "../config/daemon-choices.js";
import { Device } from "../core/device/device.js";
import { REPLY_ROWS } from "../core/device/device-state.js";
import { LoopStatistics } from "../core/device/loop-statistics.js";
import type { Peer } from "../core/device/peer.js";
import { Statistics } from "../core/device/statistics.js";
import type { DeviceUpdate, PeerSnapshot } from "../core/device/update.js";
import { secretCopy } from "../core/noise/secret-bytes.js";
import { bootMs, fillRandom, fineMs, wallMs } from "../io/entropy.js";
import { EventLoop, INBOUND_RUNS } from "../io/event-loop.js";
import { KernelCounters } from "../io/kernel-counters.js";
import { LinkWatch } from "../io/link-watch.js";
import type { NativeParts } from "../io/native-parts.js";
import type { createNativePrimitives } from "../io/native-primitives.js";
import { Network } from "../io/network.js";
import { RouteWatch } from "../io/route-watch.js";
import { peerSentence } from "../metrics/peer-sentence.js";
import type { EndpointNameStatus } from "../metrics/status.js";
import { readPeerStatus } from "../metrics/status-reading.js";
import type { StatusSource } from "../metrics/status-source.js";
import { inSlices } from "../system/in-slices.js";
import { StateDirectory, stateDirectoryPath } from "../system/state-directory.js";
import { deviceEvents } from "./device-events.js";
import { DropLog } from "./drop-log.js";
import { gatewayStatus } from "./gateway-status.js";
import type { DaemonLog } from "./log.js";
import { OneAtATime } from "./one-at-a-time.js";
import { TimestampFloor } from "./timestamp-floor.js";
import { TunFailures } from "./tun-failures.js";

/** Peers that a device can hold. */
export const PEERS_MAX = 16_384;
const ENDPOINT_BYTES = 64;
/** Bytes on the wire around an inner packet over IPv6: 40 + 8 + 32; 1,500 − 80. */
export const DEFAULT_MTU = 1_420;
const SAMPLE_MS = 1_000;

export interface GatewayOptions {
  readonly interfaceName: string;
  readonly tunFd?: number | undefined;
  /** The same, with all the queues of the interface. */
  readonly tunFds?: readonly number[] | undefined;
  /** Bound UDP sockets to begin with, one a family. */
  readonly udpFds?: readonly number[] | undefined;
  readonly aead: AeadChoice;
  /** False: no segmentation offload anywhere; for tests. */
  readonly offloads: boolean;
  readonly log: DaemonLog;
  /** Where sent timestamps are kept across restarts. Default: what systemd gives the service, or the system's. */
  readonly stateDirectory?: string | undefined;
  /** The interface was deleted, or cannot be used any more. */
  readonly onGone: (reason: string) => void;
}

export class Gateway {
  readonly device: Device;
  /** What the device tells of itself. */
  readonly statistics: Statistics;
  readonly #kernel: KernelCounters;
  /** What became of the names that the file has for endpoints, by public key in base64. */
  readonly endpointNames = new Map<string, EndpointNameStatus>();
  /** For whoever wants to tell something of a peer; made when it is first needed. */
  #status: StatusSource | undefined;
  readonly #sampling: NodeJS.Timeout;
  readonly #log: DaemonLog;
  readonly #aead: NativeParts["aead"];
  readonly #tun: NativeParts["tun"];
  readonly #network: Network;
  readonly #loop: EventLoop;
  readonly #links: LinkWatch;
  readonly #routes: RouteWatch;
  readonly #timestampFloor: TimestampFloor;
  #listenPort = 0;
  #mark = 0;
  #mtu = DEFAULT_MTU;
  #lastName = "";
  #isClosed = false;
  readonly #changes = new OneAtATime();
  /** Why an interface that is up has no sockets. */
  #socketProblem: unknown;

  constructor(
    options: GatewayOptions,
    primitives: Awaited<ReturnType<typeof createNativePrimitives>>,
    { tun, aead, outbox }: NativeParts,
  ) {
    this.#log = options.log;
    this.#aead = aead;
    this.#tun = tun;
    this.#timestampFloor = new TimestampFloor({
      directory: new StateDirectory(options.stateDirectory ?? stateDirectoryPath(process.env)),
      wallMs,
      bootMs,
      log: options.log,
    });
    const endpoints = new Uint8Array((PEERS_MAX + REPLY_ROWS) * ENDPOINT_BYTES);
    this.#network = new Network(endpoints, {
      offloads: options.offloads,
      inherited: options.udpFds,
      closing: (socket) => this.#kernel.readSocket(socket),
    });
    this.device = new Device(
      {
        primitives,
        dataPath: aead as unknown as ConstructorParameters<typeof Device>[0]["dataPath"],
        transmitter: this.#network,
        random: fillRandom,
        wallMs,
        fineMs,
        endpoints,
        canAnswerFrom: (record) => this.#routes.agrees(record),
        outbox,
        events: deviceEvents(options.log, undefined, (peer) => this.#sentenceOf(peer)),
        writeToHost: (packet) => tun.writePacket(packet) >= 0,
        timestampKeeper: this.#timestampFloor,
      },
      INBOUND_RUNS,
    );
    this.#routes = new RouteWatch(this.device.state, () => this.#mark, options.log);
    this.#kernel = new KernelCounters(this.device.state.ledger, tun);
    const loop = new LoopStatistics();
    const tunFailures = new TunFailures(options.log);
    const tunFailed = (errno: number): void => {
      // down or gone: the look said so
      if (this.#links.look() && this.device.state.isUp) tunFailures.tell(errno, this.#loop.readNowMs());
    };
    this.#loop = new EventLoop(
      this.device,
      tun,
      this.#network,
      { tunFailed, tunSpokeWhileDown: () => void this.#links.look() },
      loop,
    );
    this.statistics = this.#makeStatistics(loop);
    const drops = new DropLog(this.statistics, options.log);
    this.#sampling = setInterval(() => {
      if (this.#socketProblem !== undefined) this.#openSockets();
      this.#kernel.readParts(this.#network.socket4, this.#network.socket6);
      this.#sample();
      drops.tell(this.statistics.nowMs());
    }, SAMPLE_MS);
    this.#links = new LinkWatch(tun, {
      mtuChanged: (mtu) => this.#mtuChanged(mtu),
      upChanged: (isUp) => this.#upChanged(isUp),
      gone: () => options.onGone("the interface was deleted"),
    });
    this.#links.look();
  }

  /** A second's sample, a part of the peers at a time. */
  #sample(): void {
    if (!this.#isClosed && !this.statistics.sample()) setImmediate(() => this.#sample());
  }

  #sentenceOf(peer: Peer): string {
    this.#status ??= gatewayStatus(this);
    return peerSentence(readPeerStatus(this.#status, peer), wallMs());
  }

  /** Name of the interface now; it may have been renamed. Errors: SystemCallError when it is gone. */
  interfaceName(): string {
    this.#lastName = this.#tun.currentName();
    return this.#lastName;
  }

  /** Its name now, or the last one if it is gone. */
  get lastName(): string {
    try {
      return this.interfaceName();
    } catch {
      return this.#lastName;
    }
  }

  /** Of the interface, as last seen. */
  get mtu(): number {
    return this.#mtu;
  }

  /** Device time, read from the clock. */
  nowMs(): number {
    return this.#loop.readNowMs();
  }

  get aeadBackend(): string {
    return this.#aead.backend;
  }

  get offloads(): { tso: boolean; uso: boolean } {
    return this.#tun.offloads;
  }

  /** Open descriptors that a later run could go on with. */
  get descriptors(): { readonly tun: readonly number[]; readonly udp: readonly number[] } {
    return { tun: this.#tun.fds, udp: this.#network.fds };
  }

  /** Port in use, or the one that will be asked for. */
  get listenPort(): number {
    return this.#network.isOpen ? this.#network.port : this.#listenPort;
  }

  get mark(): number {
    return this.#mark;
  }

  /** @param publicKey  of a peer, base64 */
  friendlyName(publicKey: string): string | undefined {
    return this.#log.friendlyName(publicKey);
  }

  /** Copy of the private key, or undefined; the caller wipes it. */
  privateKey(): Uint8Array | undefined {
    const privateKey = this.device.state.identity?.privateKey;
    return privateKey === undefined ? undefined : secretCopy(privateKey);
  }

  /** @returns what `wg show` tells of one peer */
  snapshotPeer(peer: Peer): PeerSnapshot {
    return this.device.snapshotPeer(peer);
  }

  /**
   * Applies an update. Errors: SystemCallError (port taken), ConfigureError; then nothing is applied and the tunnel
   * runs as before.
   */
  configure(update: DeviceUpdate): void {
    const steps = this.#configuring(update);
    while (steps.next().done !== true);
    this.#loop.armTimer();
  }

  /**
   * The same, without holding up the event loop for long. Call it within {@link exclusively}: between the slices packets
   * pass, and nothing else may add or remove peers. Errors as configure(), with nothing applied.
   */
  async configureInSlices(update: DeviceUpdate): Promise<void> {
    this.#links.look(); //  a peer is not spoken to over an interface that was set down a moment ago
    await inSlices(this.#configuring(update), () => this.#loop.armTimer());
    this.#loop.armTimer();
  }

  /** Does one thing at a time of all that read or change the whole configuration, in the order of the calls. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#changes.run(work);
  }

  *#configuring(update: DeviceUpdate): Generator<void, void, void> {
    const previousPort = this.#listenPort;
    const previousMark = this.#mark;
    try {
      if (update.fwmark !== undefined) this.#setMark(update.fwmark);
      if (update.listenPort !== undefined) this.#setListenPort(update.listenPort);
      for (const _ of this.device.configureInSteps(update, () => this.#loop.readNowMs())) {
        yield;
        if (this.#isClosed) return;
      }
    } catch (error) {
      this.#restore(previousPort, previousMark);
      throw error;
    }
  }

  /** Speaks to a peer first: it may hold keys that this process never had. */
  greet(peer: Peer): void {
    this.device.greet(peer, this.#loop.readNowMs());
    this.#loop.armTimer();
  }

  /**
   * Looks at the interface now, instead of a little later: who has just brought it up wants to know whether it listens.
   * Errors: SystemCallError when it is up and its UDP port is not to be had.
   */
  expectListening(): void {
    this.#links.look();
    if (this.#socketProblem !== undefined) throw this.#socketProblem;
  }

  /** Zeroes every key, closes sockets and TUN. An interface that is not persistent goes with it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#links.close();
    this.#routes.close();
    clearInterval(this.#sampling);
    this.#loop.close();
    this.device.close();
    this.#timestampFloor.close();
    this.#network.close();
    this.#aead.close();
    this.#tun.close();
  }

  #makeStatistics(loop: LoopStatistics): Statistics {
    return new Statistics(this.device.state, {
      nowMs: () => this.#loop.readNowMs(),
      wallMs,
      kernel: this.#kernel.cells,
      loop,
      refreshKernel: () => this.#kernel.read(this.#network.socket4, this.#network.socket6),
    });
  }

  #setMark(mark: number): void {
    this.#network.setMark(mark);
    this.#mark = mark;
  }

  #setListenPort(port: number): void {
    // 0 again: the one that was chosen is as good as another, and peers know it
    const isSame = port === 0 ? this.#listenPort === 0 : port === this.#network.port;
    if (this.#network.isOpen && isSame) {
      this.#listenPort = port;
      return;
    }
    if (this.#network.isOpen) this.#rebind(port);
    else if (this.#socketProblem !== undefined) this.#listenOn(port);
    this.#listenPort = port;
  }

  #rebind(port: number): void {
    const previous = this.#network.port;
    this.#loop.unwatchSockets();
    this.#network.close();
    try {
      this.#network.open(port, this.#mark);
    } catch (error) {
      this.#openAgain(previous);
      throw error;
    } finally {
      this.#loop.watchSockets();
    }
  }

  /** The port that was left a moment ago. Somebody may have taken it meanwhile: then it is waited for. */
  #openAgain(port: number): void {
    try {
      this.#network.open(port, this.#mark);
    } catch (error) {
      this.#noSockets(error, port);
    }
  }

  /** A failed update: port and mark go back to what they were. */
  #restore(port: number, mark: number): void {
    try {
      if (mark !== this.#mark) this.#setMark(mark);
      if (port !== this.#listenPort) this.#setListenPort(port);
    } catch (error) {
      this.#log.error({ err: error }, "could not restore port and mark after a refused update");
    }
  }

  #mtuChanged(mtu: number): void {
    this.#mtu = mtu;
    this.#loop.setMtu(mtu);
    this.#log.debug({ mtu }, "interface MTU");
  }

  #upChanged(isUp: boolean): void {
    this.#socketProblem = undefined;
    if (isUp) {
      this.#openSockets();
      return;
    }
    this.device.down();
    this.#loop.unwatchSockets();
    this.#network.close();
    this.#log.info("interface down");
  }

  /** The port may be taken, or descriptors used up: then it is tried again once a second while the interface is up. */
  #openSockets(): void {
    try {
      this.#listenOn(this.#listenPort);
    } catch (error) {
      this.#noSockets(error, this.#listenPort);
    }
  }

  /** Errors: SystemCallError (port taken), with nothing open. */
  #listenOn(port: number): void {
    this.#network.open(port, this.#mark);
    this.#socketProblem = undefined;
    this.#loop.watchSockets();
    this.device.up(this.#loop.readNowMs());
    this.#loop.armTimer();
    this.#log.info({ port: this.#network.port }, "interface up");
  }

  #noSockets(error: unknown, port: number): void {
    if (this.#socketProblem === undefined) {
      this.#log.error({ err: error, port }, "interface up, but no UDP socket: nothing will pass until there is one");
    }
    this.#socketProblem = error;
  }
}
