// What a device tells of itself to whoever shows it: /metrics, the status page, `longhaul show`, `longhaul why`. Everything is
// a live typed array or a number: reading allocates nothing and costs the packets nothing. Call refresh() first, then read.

import type { DropReason } from "../drop-reason.js";
import type { DeviceState } from "./device-state.js";
import type { Ledger } from "./ledger.js";
import type { LoopStatistics } from "./loop-statistics.js";
import type { Peer } from "./peer.js";
import { RecentRates } from "./recent-rates.js";
import type { RefusalMemory } from "./refusal-memory.js";

/** Cells of {@link Statistics.kernel}: what system calls moved; over all sockets that the device has had. */
export const KernelCell = {
  /** Read calls that gave a packet or super-packet, packets in them, bytes. */
  TunReads: 0,
  TunReadPackets: 1,
  TunReadBytes: 2,
  /** Write calls that the device took, packets in them, bytes. */
  TunWrites: 3,
  TunWrittenPackets: 4,
  TunWriteBytes: 5,
  /** Merged writes that the kernel refused and that were sent again singly. */
  TunRetriedUncoalesced: 6,
  /** Of the interface, as `ip -s link` shows them; the first is the drop reason tun_queue_full. */
  TunTxDropped: 7,
  /** Includes writes that the kernel refused, which the ledger has as tun_write_failed. */
  TunRxDropped: 8,
  /** recvmmsg calls that gave something, kernel messages, datagrams in them, bytes. */
  UdpReceiveCalls: 9,
  UdpReceiveMessages: 10,
  UdpReceivedDatagrams: 11,
  UdpReceivedBytes: 12,
  /** sendmmsg calls, kernel messages, datagrams in them, bytes. */
  UdpSendCalls: 13,
  UdpSendMessages: 14,
  UdpSentDatagrams: 15,
  UdpSentBytes: 16,
  /** UDP_SEGMENT messages that the kernel refused, and their datagrams, sent again singly. */
  UdpGsoRefused: 17,
  UdpGsoRetried: 18,
  /** Sticky sources given up because the kernel refused them. */
  UdpSourceCleared: 19,
  /**
   * Of all UDP sockets of this network namespace, since the daemon started. The kernel does not tell a socket that a full
   * queue below swallowed its datagram (ENOBUFS), it counts it here; what the socket was told (EAGAIN) is in it too.
   */
  HostUdpSendBufferErrors: 20,
  HostUdpChecksumErrors: 21,
  /** Of the received datagrams, those that came by the sockets for small ones. */
  UdpSmallDatagrams: 22,
} as const;
export const KERNEL_CELLS = 23;
/** Peers sampled at a time: a fraction of a millisecond. */
const SAMPLE_PEERS = 512;

/** Clocks and the kernel's counters: what the statistics need of the world. */
export interface StatisticsSources {
  /** Device time, ms of boot time. */
  readonly nowMs: () => number;
  /** Wall time, ms since 1970. */
  readonly wallMs: () => number;
  /** By {@link KernelCell}. */
  readonly kernel: Float64Array;
  readonly loop: LoopStatistics;
  /** Reads the kernel's counters into `kernel` and the ledger; less than a millisecond. */
  readonly refreshKernel: () => void;
}

export class Statistics {
  /** Packets of the device: ledger.flow by FlowCell, ledger.inboundDrops and ledger.outboundDrops by DropReason. */
  readonly ledger: Ledger;
  readonly kernel: Float64Array;
  readonly loop: LoopStatistics;
  /** Bits a second and loss of late, of each peer. */
  readonly recent: RecentRates;
  /** Handshake messages refused of late, with where they came from. */
  readonly refusals: RefusalMemory;
  readonly #state: DeviceState;
  readonly #sources: StatisticsSources;
  /** Peers that the sample under way has not come to. */
  #sampling: Iterator<Peer, undefined> | undefined;

  constructor(state: DeviceState, sources: StatisticsSources) {
    this.#state = state;
    this.#sources = sources;
    this.ledger = state.ledger;
    this.refusals = state.refusals;
    this.kernel = sources.kernel;
    this.loop = sources.loop;
    this.recent = new RecentRates();
  }

  /** Brings the kernel's counters up to date. Call once before a reading. */
  refresh(): void {
    this.#sources.refreshKernel();
  }

  /**
   * Takes a sample of peers for {@link recent}, some hundreds at a time. The owner begins once a second and goes on soon
   * after, until it is done.
   * @returns whether every peer has been sampled
   */
  sample(): boolean {
    const nowMs = this.#sources.nowMs();
    this.#sampling ??= this.#state.peerByKey.values();
    for (let count = 0; count < SAMPLE_PEERS; count++) {
      const { done, value } = this.#sampling.next();
      if (done === true) {
        this.#sampling = undefined;
        return true;
      }
      this.recent.sample(value, nowMs);
    }
    return false;
  }

  /** Device time, to compare times in the cells with. */
  nowMs(): number {
    return this.#sources.nowMs();
  }

  /** @param deviceMs  a time out of a cell  @returns ms since 1970, by the wall clock of now; 0: never */
  toWallMs(deviceMs: number): number {
    if (!Number.isFinite(deviceMs)) return 0;
    return this.#sources.wallMs() - (this.#sources.nowMs() - deviceMs);
  }

  peers(): Iterable<Peer> {
    return this.#state.peerByKey.values();
  }

  get peerCount(): number {
    return this.#state.peerByKey.size;
  }

  /** Counts the gaps that are old enough in the peer's keypairs. Call before reading its path cells. */
  settlePath(peer: Peer): void {
    const { current, previous, next } = peer.keypairs;
    const nowMs = this.#sources.nowMs();
    current?.window.settleOld(nowMs);
    previous?.window.settleOld(nowMs);
    next?.window.settleOld(nowMs);
  }

  /** Packets that wait for a keypair. */
  get staged(): number {
    return this.#state.staged.total;
  }

  stagedOf(peer: Peer): number {
    return this.#state.staged.count(peer.id);
  }

  /** Packets that nothing accounts for; 0 unless there is a bug. */
  get inboundUnaccounted(): number {
    return this.ledger.inboundUnaccounted();
  }

  get outboundUnaccounted(): number {
    return this.ledger.outboundUnaccounted(this.#state.staged.total);
  }

  /** Drops of the device for one reason, both directions. */
  drops(reason: DropReason): number {
    return this.ledger.inboundDrops[reason] + this.ledger.outboundDrops[reason];
  }
}
