// What system calls moved and what the kernel lost, gathered from the native parts into one array and into the ledger. Sockets
// come and go with the interface; the sums go on. Read when somebody asks, never per packet.

import { type Tun, TunStat, type UdpSocket, UdpStat } from "tun-tap-ts";
import type { Ledger } from "../core/device/ledger.js";
import { KERNEL_CELLS, KernelCell } from "../core/device/statistics.js";
import { DropReason } from "../core/drop-reason.js";
import { readHostUdpLosses } from "./host-udp.js";

/** Which native cell adds to which of ours: pairs, one behind the other, read by index. What iterates makes garbage each second. */
const pairs = (...rows: readonly (readonly [from: number, to: number])[]): Int32Array => Int32Array.from(rows.flat());
const tunSums = pairs(
  [TunStat.Reads, KernelCell.TunReads],
  [TunStat.Segments, KernelCell.TunReadPackets],
  [TunStat.ReadBytes, KernelCell.TunReadBytes],
  [TunStat.Writes, KernelCell.TunWrites],
  [TunStat.WrittenPackets, KernelCell.TunWrittenPackets],
  [TunStat.WriteBytes, KernelCell.TunWriteBytes],
  [TunStat.RetriedUncoalesced, KernelCell.TunRetriedUncoalesced],
  [TunStat.QueueDropped, KernelCell.TunTxDropped],
  [TunStat.KernelDropped, KernelCell.TunRxDropped],
);
const udpSums = pairs(
  [UdpStat.ReceiveCalls, KernelCell.UdpReceiveCalls],
  [UdpStat.ReceiveMessages, KernelCell.UdpReceiveMessages],
  [UdpStat.ReceiveDatagrams, KernelCell.UdpReceivedDatagrams],
  [UdpStat.ReceiveBytes, KernelCell.UdpReceivedBytes],
  [UdpStat.SendCalls, KernelCell.UdpSendCalls],
  [UdpStat.SendMessages, KernelCell.UdpSendMessages],
  [UdpStat.SendDatagrams, KernelCell.UdpSentDatagrams],
  [UdpStat.SendBytes, KernelCell.UdpSentBytes],
  [UdpStat.GsoRefused, KernelCell.UdpGsoRefused],
  [UdpStat.GsoRetried, KernelCell.UdpGsoRetried],
  [UdpStat.SourceCleared, KernelCell.UdpSourceCleared],
  [UdpStat.SmallDatagrams, KernelCell.UdpSmallDatagrams],
);
/** Losses that only native code sees: datagrams, and reads of the TUN. */
const udpLosses = pairs(
  [UdpStat.RxOverflow, DropReason.SocketOverflow],
  [UdpStat.Truncated, DropReason.DatagramTruncated],
  [UdpStat.NoSlot, DropReason.BatchFull],
);
const tunLosses = pairs(
  [TunStat.QueueDropped, DropReason.TunQueueFull],
  [TunStat.Malformed, DropReason.TunMalformed],
  [TunStat.TooLarge, DropReason.TunTooLarge],
);

export class KernelCounters {
  /** By KernelCell. */
  readonly cells = new Float64Array(KERNEL_CELLS);
  readonly #ledger: Ledger;
  readonly #tun: Tun;
  readonly #tunSeen: Float64Array;
  readonly #hostBefore = readHostUdpLosses();
  readonly #socketSeen = new WeakMap<UdpSocket, Float64Array>();

  constructor(ledger: Ledger, tun: Tun) {
    this.#ledger = ledger;
    this.#tun = tun;
    this.#tunSeen = new Float64Array(tun.stats.length);
  }

  /** Everything of now. @param sockets  those that are open */
  read(...sockets: (UdpSocket | undefined)[]): void {
    this.readParts(...sockets);
    const host = readHostUdpLosses();
    this.cells[KernelCell.HostUdpSendBufferErrors] = host.sendBufferErrors - this.#hostBefore.sendBufferErrors;
    this.cells[KernelCell.HostUdpChecksumErrors] = host.checksumErrors - this.#hostBefore.checksumErrors;
  }

  /** Only what enters the ledger: cheap enough for once a second. */
  readParts(...sockets: (UdpSocket | undefined)[]): void {
    this.readTun();
    for (const socket of sockets) this.readSocket(socket);
  }

  /** Takes in what the interface and its device have counted since the last call. */
  readTun(): void {
    this.#tun.refreshLosses();
    const { stats } = this.#tun;
    this.#add(tunSums, stats, this.#tunSeen);
    for (let i = 0; i < tunLosses.length; i += 2) {
      const from = tunLosses[i]!;
      if (stats[from] === this.#tunSeen[from]) continue;
      this.#ledger.lostBeforeOutbound(tunLosses[i + 1] as DropReason, stats[from]! - this.#tunSeen[from]!);
    }
    this.#tunSeen.set(stats);
  }

  /** The same of a socket; before it is closed, for the last time. */
  readSocket(socket: UdpSocket | undefined): void {
    if (socket === undefined) return;
    socket.refreshOverflow();
    const { stats } = socket;
    const seen = this.#socketSeen.get(socket) ?? new Float64Array(stats.length);
    this.#socketSeen.set(socket, seen);
    this.#add(udpSums, stats, seen);
    for (let i = 0; i < udpLosses.length; i += 2) {
      const from = udpLosses[i]!;
      if (stats[from] === seen[from]) continue;
      this.#ledger.lostBeforeInbound(udpLosses[i + 1] as DropReason, stats[from]! - seen[from]!);
    }
    seen.set(stats);
  }

  #add(sums: Int32Array, stats: Float64Array, seen: Float64Array): void {
    for (let i = 0; i < sums.length; i += 2) {
      const from = sums[i]!;
      this.cells[sums[i + 1]!]! += stats[from]! - seen[from]!;
    }
  }
}
