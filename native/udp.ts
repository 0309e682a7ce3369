// Batched UDP. Hot functions return a count or -errno and never throw; the others throw SystemCallError.

import { addon, attachBatch, lend } from "./addon.js";
import { type AdviceTable, adviceFor, SystemCallError } from "./errors.js";
import type { PacketBatch } from "./packet-batch.js";

/** Cells of {@link UdpSocket.stats}. native/src/udp.h has the same list; a test compares. */
export const UdpStat = {
  ReceiveCalls: 0, // recvmmsg calls that gave something
  ReceiveMessages: 1, // kernel messages, each one datagram or several merged by UDP_GRO
  ReceiveDatagrams: 2,
  ReceiveBytes: 3,
  MergedMessages: 4, // messages that held several datagrams
  Truncated: 5, // messages longer than the room for them: dropped
  NoSlot: 6, // datagrams dropped because the batch had no slot or run left for them
  RxOverflow: 7, // datagrams the kernel dropped because the socket's buffer was full (SO_RXQ_OVFL)
  SendCalls: 8, // sendmmsg calls
  SendMessages: 9, // kernel messages that were taken
  SendDatagrams: 10,
  SendBytes: 11,
  SegmentedMessages: 12, // messages that held several datagrams
  GsoRefused: 13, // UDP_SEGMENT messages that the kernel refused
  GsoRetried: 14, // datagrams of those, sent again singly
  SourceCleared: 15, // sticky sources given up because the kernel refused them
  SendWouldBlock: 16, // datagrams left unsent because the socket's buffer was full
  SendNoBuffers: 17, // datagrams refused with ENOBUFS: an interface queue was full
  SendFailures: 18, // datagrams refused for any other reason
  SmallDatagrams: 19, // received ones that came by the socket for small datagrams
} as const;
export const UDP_STAT_COUNT = 20;

/** Arena bytes of one kernel message of a receive; a batch for receiving holds a multiple of it. */
export const RECEIVE_STRETCH_BYTES = 65_536 + 192;
/** Slots that a receive keeps free for each kernel message: as many datagrams as UDP_GRO merges. */
export const DATAGRAMS_PER_MESSAGE = 64;

/** UDP payload of transport data that {@link UdpOptions.splitSmall} takes for small. */
export const SMALL_DATAGRAM_BYTES = 160;

export interface UdpOptions {
  /** 6 never carries IPv4: open one socket for each. */
  readonly family: 4 | 6;
  /** 0, the default: the kernel chooses. */
  readonly port?: number;
  /** Local address to bind to. Default: any. */
  readonly address?: string;
  /** SO_MARK of everything sent. Default 0: none. */
  readonly mark?: number;
  /** As `ss` shows it. Past the system's limit with CAP_NET_ADMIN, up to it without. Default: the system's. */
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
  /** UDP_SEGMENT and UDP_GRO where the kernel has them. Default true. */
  readonly offloads?: boolean;
  /**
   * A second socket on the port, to which the kernel gives transport data of up to {@link SMALL_DATAGRAM_BYTES}, so that it
   * need not stand in line behind bulk. Where the kernel refuses there is none, and all comes by the first. Default false.
   */
  readonly splitSmall?: boolean;
  /** A bound socket of this family to take over; port and address are as it was bound. It stays open on an error. */
  readonly fd?: number;
}

const advice: AdviceTable = {
  "socket(AF_INET6)": { EAFNOSUPPORT: "this kernel runs without IPv6: use an IPv4 socket alone" },
  "socket(AF_INET)": { EAFNOSUPPORT: "this kernel runs without IPv4: use an IPv6 socket alone" },
  bind: {
    EADDRINUSE: "another socket holds %s: stop that program, or choose another port",
    EADDRNOTAVAIL: "no interface here has the address of %s",
    EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose a higher port than in %s",
  },
  inet_pton: { EINVAL: "%s has no numeric address of this socket's family" },
  "setsockopt(SO_MARK)": { EPERM: "a firewall mark needs CAP_NET_ADMIN" },
  "getsockopt(SO_PROTOCOL)": {
    EBADF: "the inherited descriptor is not open in this process",
    ENOTSOCK: "the inherited descriptor is no socket",
  },
  "inherited UDP socket": { EPROTOTYPE: "the inherited descriptor is a socket of another kind or family" },
  attachEndpoints: { EINVAL: "the table must start at a multiple of 4 bytes in its buffer" },
  "closed UDP socket": { EBADF: "close() was called on it" },
};

function check(result: number, subject: string): number {
  if (result >= 0) return result;
  const syscall = addon.failedCall();
  throw new SystemCallError(syscall, -result, adviceFor(advice, syscall, -result, subject));
}

/**
 * Opens and binds a socket, non-blocking, in the network namespace of this process, where it stays.
 * Errors: SystemCallError (port taken, no IPv6, no CAP_NET_ADMIN for a mark; address of another family).
 */
export function openUdp(options: UdpOptions): UdpSocket {
  return new UdpSocket(options);
}

/** A bound UDP socket. It owns its descriptor. */
export class UdpSocket {
  readonly fd: number;
  /** The socket for small datagrams: watch it too. -1: there is none. */
  readonly smallFd: number;
  readonly family: 4 | 6;
  readonly port: number;
  readonly offloads: { readonly segment: boolean; readonly gro: boolean };
  /** As the kernel granted them. */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  /** Cells by {@link UdpStat}, written by native code. */
  readonly stats = new Float64Array(UDP_STAT_COUNT);
  #handle: number;

  constructor(options: UdpOptions) {
    const { family, port = 0, mark = 0, receiveBufferBytes = 0, sendBufferBytes = 0, offloads = true } = options;
    const address = options.address ?? (family === 4 ? "0.0.0.0" : "::");
    const subject = `${family === 4 ? address : `[${address}]`}:${port}`;
    this.#handle = check(
      addon.udpOpen(
        family,
        port,
        address,
        mark,
        receiveBufferBytes,
        sendBufferBytes,
        Number(offloads),
        lend(this.stats),
        options.fd ?? -1,
        Number(options.splitSmall ?? false),
      ),
      subject,
    );
    const info = new Int32Array(7);
    check(addon.udpInfo(this.#handle, info), subject);
    this.family = family;
    this.fd = info[0] as number;
    this.port = info[1] as number;
    this.offloads = { segment: info[2] === 1, gro: info[3] === 1 };
    this.receiveBufferBytes = info[4] as number;
    this.sendBufferBytes = info[5] as number;
    this.smallFd = info[6] as number;
  }

  /** @param mark  SO_MARK of everything sent from now on; 0: none */
  setMark(mark: number): void {
    check(addon.udpSetMark(this.#handle, mark), "");
  }

  /**
   * Lends the table of records that runEndpoint of a sent batch points into. Native code reads it on every send, and
   * writes to it when the kernel refuses a source address or UDP_SEGMENT. Replaces the table lent before.
   * @param table  64-byte records, see EndpointField
   */
  attachEndpoints(table: Uint8Array): void {
    check(addon.udpAttachEndpoints(this.#handle, lend(table)), "");
  }

  /**
   * Appends what one recvmmsg gives, sorted into runs. Allocates nothing.
   * @returns datagrams, > 0; -EAGAIN: none waiting; -ENOBUFS: the batch has no room for a message.
   */
  receiveBatch(batch: PacketBatch): number {
    return addon.udpReceiveBatch(this.#handle, attachBatch(batch));
  }

  /** The same from the socket for small datagrams. @returns -EAGAIN also without one */
  receiveSmallBatch(batch: PacketBatch): number {
    return addon.udpReceiveSmallBatch(this.#handle, attachBatch(batch));
  }

  /**
   * Sends, in order, the packets of status 0 in Raw runs and in Data runs with a key, where the run's endpoint is of
   * this socket's family. A refused one gets packetStatus -errno; when the socket is full, all the rest get -EAGAIN.
   * Allocates nothing.
   * @returns datagrams sent, or -errno.
   */
  sendBatch(batch: PacketBatch): number {
    return addon.udpSendBatch(this.#handle, attachBatch(batch));
  }

  /** Brings UdpStat.RxOverflow up to date; by itself it moves with the next datagram only. @returns 0 or -errno. */
  refreshOverflow(): number {
    return addon.udpRefreshOverflow(this.#handle);
  }

  /** Closes the descriptors. Idempotent. Later hot calls return -EBADF. */
  close(): void {
    addon.udpClose(this.#handle);
    this.#handle = -1;
  }
}
