// TUN and TAP devices. Hot functions return a count or -errno and never throw; the others throw SystemCallError.

import { constants } from "node:os";
import { addon, attachBatch, lend } from "./addon.js";
import { type AdviceTable, adviceFor, SystemCallError } from "./errors.js";
import type { PacketBatch } from "./packet-batch.js";

/** Cells of {@link Tun.stats}. native/src/tun.h has the same list; a test compares. */
export const TunStat = {
  Reads: 0, // read calls that gave a packet or super-packet
  ReadBytes: 1, // bytes of them, without virtio headers
  SuperPackets: 2, // reads that were split
  Segments: 3, // packets placed in batches
  Malformed: 4, // reads dropped: not what the virtio header promised
  TooLarge: 5, // reads dropped: did not fit even an empty batch
  Writes: 6, // write calls that the device took
  WriteBytes: 7, // bytes of them, without virtio headers
  CoalescedWrites: 8, // writes that carried several packets
  WrittenPackets: 9, // packets delivered
  WriteFailures: 10, // packets that the device refused
  RetriedUncoalesced: 11, // merged writes refused with EINVAL and sent again singly
  QueueDropped: 12, // (super-)packets that the interface dropped before a read: its queue was full (tx_dropped)
  KernelDropped: 13, // packets dropped behind a write, those that it refused included (rx_dropped)
} as const;
export const TUN_STAT_COUNT = 14;

/** Cells that {@link Tun.linkState} fills. */
export const LinkCell = { Ifindex: 0, Mtu: 1, Up: 2 } as const;
export const LINK_CELLS = 3;

/** What {@link Tun.readFrame} needs free behind `at`: virtio and Ethernet header and the largest packet. */
export const FRAME_BYTES_MAX = 65_563;

export interface TunOptions {
  /** Up to 15 characters; one `%d` lets the kernel number it; left out, the kernel names it. */
  readonly name?: string;
  /** Bare IP packets, or Ethernet frames. Default "tun". */
  readonly mode?: "tun" | "tap";
  /** IFF_VNET_HDR: super-packets of up to 64 KiB a call. Default: true for TUN, false for TAP. */
  readonly vnetHeader?: boolean;
  /** The interface stays when the descriptor closes. Default false. */
  readonly persist?: boolean;
  /**
   * Queues to ask for, 1 to 8. The kernel sorts flows onto them and reads take turns, so that a flow's backlog delays only
   * itself. An interface that existed, or a descriptor of one, may have a single queue. Default 1.
   */
  readonly queues?: number;
  /** An attached descriptor to take over, opened with IFF_NO_PI; name, mode and vnetHeader are as it was opened. */
  readonly fd?: number;
  /** The same with all its queues, in any order; `fd` is left out then. They stay open on an error. */
  readonly fds?: readonly number[];
  /** The 4-byte header of old TUN programs is not supported. */
  readonly packetInformation?: false;
}

const IFNAME_BYTES_MAX = 15;
const QUEUES_MAX = 8;
/** Cells of the addon's tunInfo in front of the descriptors. */
const INFO_CELLS = 5;

/** Exported for the tests of this package. */
export const tunAdvice: AdviceTable = {
  "open /dev/net/tun": {
    ENOENT: "load the module (modprobe tun); in a container, pass the device in (--device /dev/net/tun)",
    ENODEV: "load the module (modprobe tun); this kernel may lack TUN support",
    ENXIO: "load the module (modprobe tun); this kernel may lack TUN support",
    EACCES: "the device may not be opened by this user: run as root, or give the user access to /dev/net/tun",
    EPERM: "a sandbox forbids the device: allow /dev/net/tun (systemd: DeviceAllow=/dev/net/tun rw)",
  },
  "ioctl(TUNSETIFF)": {
    EPERM: "creating or attaching to %s needs CAP_NET_ADMIN in this network namespace, or to own the interface",
    EBUSY: "another program has %s open: stop it, or choose another name",
    EINVAL: "%s is not a valid name, or exists and is of another kind: choose another name, or delete it first",
    ENAMETOOLONG: "an interface name has 1 to 15 bytes",
  },
  "ioctl(TUNGETIFF)": {
    EBADFD: "the interface is gone: it was deleted; open a new one",
    ENOTTY: "the inherited descriptor is not /dev/net/tun",
    EBADF: "the inherited descriptor is not open in this process",
  },
  "inherited TUN queues": {
    EINVAL: "the inherited descriptors belong to different interfaces",
    E2BIG: "an interface has at most 8 queues here",
  },
  "ioctl(TUNSETOFFLOAD)": { EBADFD: "the interface is gone: it was deleted; open a new one" },
  "ioctl(TUNGETDEVNETNS)": { EBADFD: "the interface is gone: it was deleted; open a new one" },
  "ioctl(SIOCGIFINDEX)": { ENODEV: "%s is in another network namespace, and reaching it needs CAP_SYS_ADMIN" },
  setns: { EPERM: "%s was moved to another network namespace, and reaching it needs CAP_SYS_ADMIN" },
  "ioctl(SIOCSIFMTU)": {
    EINVAL: "the MTU of %s may be 68 to 65535, and at least 1280 for IPv6",
    EPERM: "changing the MTU of %s needs CAP_NET_ADMIN",
  },
  "ioctl(SIOCSIFFLAGS)": { EPERM: "bringing %s up or down needs CAP_NET_ADMIN" },
  "ioctl(SIOCSIFTXQLEN)": { EPERM: "changing the queue of %s needs CAP_NET_ADMIN" },
  "closed TUN": { EBADF: "close() was called on it" },
};

function failure(errno: number, subject: string): SystemCallError {
  const syscall = addon.failedCall();
  return new SystemCallError(syscall, errno, adviceFor(tunAdvice, syscall, errno, subject));
}

function check(result: number, subject: string): number {
  if (result < 0) throw failure(-result, subject);
  return result;
}

function checkName(name: string): void {
  let errno = 0;
  if (Buffer.byteLength(name) > IFNAME_BYTES_MAX) errno = constants.errno.ENAMETOOLONG;
  else if (/[\s/:\0]/.test(name) || name === "." || name === "..") errno = constants.errno.EINVAL;
  if (errno === 0) return;
  const call = "ioctl(TUNSETIFF)";
  throw new SystemCallError(call, errno, adviceFor(tunAdvice, call, errno, JSON.stringify(name)));
}

/**
 * Makes an interface or attaches to a persistent one.
 * @returns the device, non-blocking. The interface is down and has no address yet.
 * Errors: SystemCallError (no /dev/net/tun, no CAP_NET_ADMIN, name taken or invalid).
 */
export function openTun(options: TunOptions = {}): Tun {
  return new Tun(options);
}

/** A TUN or TAP device. It owns its descriptor; close() or the end of the process releases it. */
export class Tun {
  /** The first queue's. */
  readonly fd: number;
  /** Every queue's: all of them have to be watched for readability. */
  readonly fds: readonly number[];
  /** As opened; {@link currentName} follows a rename. */
  readonly name: string;
  readonly mode: "tun" | "tap";
  readonly vnetHeader: boolean;
  /** Cells by {@link TunStat}, written by native code. */
  readonly stats = new Float64Array(TUN_STAT_COUNT);
  #offloads = { tso: false, uso: false };
  #handle: number;
  readonly #link = new Int32Array(LINK_CELLS);

  constructor(options: TunOptions) {
    const { name = "", mode = "tun", persist = false, queues = 1 } = options;
    const fds = options.fds ?? (options.fd === undefined ? [] : [options.fd]);
    const vnetHeader = options.vnetHeader ?? mode === "tun";
    checkName(name);
    const subject = name === "" ? "an interface" : name;
    const flags = [mode === "tap", vnetHeader, persist].map(Number) as [number, number, number];
    this.#handle = check(
      addon.tunOpen(name, ...flags, queues, Int32Array.from(fds), fds.length, lend(this.stats)),
      subject,
    );
    const info = this.#info();
    this.fds = Array.from(info.subarray(INFO_CELLS, INFO_CELLS + (info[0] as number)));
    this.fd = this.fds[0] as number;
    this.mode = info[1] === 1 ? "tap" : "tun";
    this.vnetHeader = info[2] === 1;
    this.name = String(addon.tunOpenedName(this.#handle));
  }

  /** Which super-packets the device gives and takes. */
  get offloads(): { readonly tso: boolean; readonly uso: boolean } {
    return this.#offloads;
  }

  /** Name now. Errors: SystemCallError when the interface is gone. */
  currentName(): string {
    const name = addon.tunCurrentName(this.#handle);
    if (typeof name === "number") throw failure(-name, this.name);
    return name;
  }

  ifindex(): number {
    return this.#readLink(LinkCell.Ifindex);
  }

  mtu(): number {
    return this.#readLink(LinkCell.Mtu);
  }

  isUp(): boolean {
    return this.#readLink(LinkCell.Up) === 1;
  }

  /** @param bytes  68 to 65,535; at least 1,280 where IPv6 is used. */
  setMtu(bytes: number): void {
    check(addon.tunSetMtu(this.#handle, bytes), this.name);
  }

  setUp(up: boolean): void {
    check(addon.tunSetUp(this.#handle, Number(up)), this.name);
  }

  /** @param packets  (super-)packets that wait for a read at most; when there are as many, new ones are dropped */
  setTxQueueLength(packets: number): void {
    check(addon.tunSetTxQueueLength(this.#handle, packets), this.name);
  }

  setPersist(persist: boolean): void {
    check(addon.tunSetPersist(this.#handle, Number(persist)), this.name);
  }

  /** Switches segmentation offloads on a device with a virtio header. What the kernel lacks stays off: see offloads. */
  setOffloads(wanted: { readonly tso: boolean; readonly uso: boolean }): void {
    check(addon.tunSetOffloads(this.#handle, Number(wanted.tso), Number(wanted.uso)), this.name);
    this.#info();
  }

  /**
   * Fills {@link LINK_CELLS} cells, even after a rename or a move to another network namespace. Hot-safe.
   * @returns 0, or -errno: -EBADFD when the interface is gone.
   */
  linkState(into: Int32Array): number {
    return addon.tunLinkState(this.#handle, into);
  }

  /**
   * Brings TunStat.QueueDropped and TunStat.KernelDropped up to date: the kernel tells them only when asked. What the
   * interface dropped before it was opened does not count. Some tens of µs. @returns 0 or -errno.
   */
  refreshLosses(): number {
    return addon.tunRefreshLosses(this.#handle);
  }

  /**
   * Appends packets, one run a read, until the batch lacks room for another super-packet, some hundreds are there, or
   * the device has no more. HeaderCell.More tells: while it is 1 call again, a packet that did not fit may be held.
   * Allocates nothing.
   * @returns runs appended, > 0; -EAGAIN; -EBADFD: interface gone; -ENOBUFS: the batch was already full.
   */
  readBatch(batch: PacketBatch): number {
    return addon.tunReadBatch(this.#handle, attachBatch(batch));
  }

  /**
   * Writes the packets of Data runs with a key, status 0 and a length, merged into super-packets where the device takes
   * them. A refused packet gets packetStatus -errno. Allocates nothing.
   * @returns packets delivered, or -errno.
   */
  writeBatch(batch: PacketBatch): number {
    return addon.tunWriteBatch(this.#handle, attachBatch(batch));
  }

  /**
   * One packet, or one Ethernet frame. Do not mix with readBatch: a super-packet is handed out piece by piece.
   * @returns bytes; -EAGAIN: none ready; -EMSGSIZE: `into` was too small and the packet is lost.
   */
  readPacket(into: Uint8Array): number {
    return addon.tunReadPacket(this.#handle, into);
  }

  /** @returns bytes written, or -errno (-EIO: the interface is down, -EINVAL: not a packet). */
  writePacket(from: Uint8Array): number {
    return addon.tunWritePacket(this.#handle, from);
  }

  /**
   * Lets a TAP with a virtio header give and take super-frames, which only {@link readFrame} and {@link writeFrame}
   * handle: readBatch does not split frames. @returns what the kernel has. Errors: SystemCallError.
   */
  setFrameOffloads(wanted: { readonly tso: boolean; readonly uso: boolean }): {
    readonly tso: boolean;
    readonly uso: boolean;
  } {
    const bits = check(addon.tunSetFrameOffloads(this.#handle, Number(wanted.tso), Number(wanted.uso)), this.name);
    return { tso: (bits & 1) !== 0, uso: (bits & 2) !== 0 };
  }

  /**
   * One read as the device gives it: virtio header if it has one, then the packet or frame, super-packets whole. Do not
   * mix with the other reads. @returns bytes; -EAGAIN: none ready; -ENOBUFS: under {@link FRAME_BYTES_MAX} behind `at`.
   */
  readFrame(into: Uint8Array, at: number): number {
    return addon.tunReadFrame(this.#handle, into, at);
  }

  /** Writes one frame from two pieces, laid out as {@link readFrame} gives it. @returns bytes written, or -errno. */
  writeFrame(head: Uint8Array, headBytes: number, body: Uint8Array, at: number, bytes: number): number {
    return addon.tunWriteFrame(this.#handle, head, headBytes, body, at, bytes);
  }

  /** Closes the descriptor; unless persistent, the interface goes. Idempotent. Later hot calls return -EBADF. */
  close(): void {
    addon.tunClose(this.#handle);
    this.#handle = -1;
  }

  #readLink(cell: number): number {
    check(this.linkState(this.#link), this.name);
    return this.#link[cell] as number;
  }

  #info(): Int32Array {
    const info = new Int32Array(INFO_CELLS + QUEUES_MAX);
    check(addon.tunInfo(this.#handle, info), "");
    this.#offloads = { tso: info[3] === 1, uso: info[4] === 1 };
    return info;
  }
}
