// Super-frames as a TAP with a virtio header gives them: how many wire packets they stand for, and how a part of them
// is made a frame of its own. Bytes in, bytes out. Source: virtio 1.2, 5.1.6; what Linux does in tcp_gso_segment,
// __udp_gso_segment and inet_gso_segment.
import { ETHERNET_HEADER_BYTES } from "./link-model.js";

export const VIRTIO_HEADER_BYTES = 10;
/** Room for the virtio header, the Ethernet header, IP with its options and TCP with its own. */
export const PIECE_HEAD_BYTES = 512;

const NEEDS_CHECKSUM = 1;
const GSO_NONE = 0;
const GSO_UDP = 5;
const GSO_ECN = 0x80;
const ETHERTYPE_IP4 = 0x0800;
const ETHERTYPE_IP6 = 0x86dd;
const ETHERTYPE_VLAN = 0x8100;
const FIN = 0x01;
const PSH = 0x08;
const CWR = 0x80;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;

/** One frame in a memory that it does not own; read() moves it to the next. All offsets count from the memory's start. */
export class Frame {
  /** Wire packets, at least 1. */
  segments = 1;
  /** Ethernet header to the end of the last header, which every segment has. */
  headerBytes = 0;
  /** Where the payload starts, and how long it is. */
  payloadAt = 0;
  payloadBytes = 0;
  /** Payload of every segment but the last. */
  segmentBytes = 0;
  readonly #memory: Buffer;
  #at = 0;
  #gsoType = GSO_NONE;
  #ipAt = 0;
  #l4At = 0;

  constructor(memory: Buffer) {
    this.#memory = memory;
  }

  /** @param at  of the virtio header. @param bytes  with it */
  read(at: number, bytes: number): void {
    const memory = this.#memory;
    this.#at = at;
    const ethernetAt = at + VIRTIO_HEADER_BYTES;
    const isTagged = memory.readUInt16BE(ethernetAt + 12) === ETHERTYPE_VLAN;
    this.#ipAt = ethernetAt + ETHERNET_HEADER_BYTES + (isTagged ? 4 : 0);
    this.#gsoType = memory[at + 1]! & ~GSO_ECN;
    this.#l4At = ethernetAt + memory.readUInt16LE(at + 6);
    this.segmentBytes = memory.readUInt16LE(at + 4);
    if (this.#gsoType === GSO_NONE || this.segmentBytes === 0) {
      this.headerBytes = bytes - VIRTIO_HEADER_BYTES;
      this.payloadAt = at + bytes;
      this.payloadBytes = 0;
      this.segments = 1;
      return;
    }
    const l4Bytes = this.#gsoType === GSO_UDP ? 8 : (memory[this.#l4At + 12]! >> 4) * 4;
    this.payloadAt = this.#l4At + l4Bytes;
    this.headerBytes = this.payloadAt - ethernetAt;
    this.payloadBytes = at + bytes - this.payloadAt;
    this.segments = Math.max(1, Math.ceil(this.payloadBytes / this.segmentBytes));
  }

  /** @returns bytes of one segment on the wire, with its Ethernet header */
  wireBytes(segment: number): number {
    return this.headerBytes + this.pieceBytes(segment, 1);
  }

  /** @returns payload bytes of `count` segments */
  pieceBytes(first: number, count: number): number {
    const start = first * this.segmentBytes;
    return Math.max(0, Math.min(count * this.segmentBytes, this.payloadBytes - start));
  }

  /**
   * Writes the headers of a frame that is made of some of the segments: it is followed by their payload.
   * @param head  of {@link PIECE_HEAD_BYTES}, all of which may be overwritten. @returns bytes written
   */
  writePieceHead(head: Buffer, first: number, count: number): number {
    const memory = this.#memory;
    const headBytes = VIRTIO_HEADER_BYTES + this.headerBytes;
    memory.copy(head, 0, this.#at, this.#at + headBytes);
    if (this.segments === 1) return headBytes;
    const isLast = first + count === this.segments;
    if (count === 1) {
      head[1] = GSO_NONE;
      head.writeUInt16LE(0, 4);
    } else if (first > 0) head[1] = this.#gsoType; // CWR, and with it the mark, is for the first segment
    const ipAt = this.#ipAt - this.#at;
    const l4At = this.#l4At - this.#at;
    const l4Bytes = headBytes - l4At + this.pieceBytes(first, count);
    this.#fixIp(head, ipAt, l4At, l4Bytes, first);
    const isUdp = this.#gsoType === GSO_UDP;
    if (isUdp) head.writeUInt16BE(l4Bytes, l4At + 4);
    else {
      head.writeUInt32BE((head.readUInt32BE(l4At + 4) + first * this.segmentBytes) >>> 0, l4At + 4);
      if (!isLast) head[l4At + 13]! &= ~(FIN | PSH);
      if (first > 0) head[l4At + 13]! &= ~CWR;
    }
    const isIp4 = head[ipAt]! >> 4 === 4;
    const sum =
      sumWords(head, ipAt + (isIp4 ? 12 : 8), isIp4 ? 8 : 32) + (isUdp ? PROTOCOL_UDP : PROTOCOL_TCP) + l4Bytes;
    head.writeUInt16BE(fold(sum), l4At + (isUdp ? 6 : 16)); // the pseudo-header's sum: the rest is the receiver's
    return headBytes;
  }

  /**
   * Writes one segment as a complete frame, checksum computed, and flips a bit behind the IP header's start, so that the
   * receiver has something to notice. @param into  of at least the frame's bytes. @returns bytes
   */
  writeCorrupted(into: Buffer, segment: number, random: number): number {
    const headBytes = this.writePieceHead(into, segment, 1);
    const payloadBytes = this.segments === 1 ? this.payloadBytes : this.pieceBytes(segment, 1);
    const payloadAt = this.payloadAt + (this.segments === 1 ? 0 : segment * this.segmentBytes);
    this.#memory.copy(into, headBytes, payloadAt, payloadAt + payloadBytes);
    const bytes = headBytes + payloadBytes;
    if ((into[0]! & NEEDS_CHECKSUM) !== 0) {
      const start = VIRTIO_HEADER_BYTES + into.readUInt16LE(6);
      const sum = fold(sumWords(into, start, bytes - start));
      into.writeUInt16BE(~sum & 0xffff || 0xffff, start + into.readUInt16LE(8));
    }
    into.fill(0, 0, VIRTIO_HEADER_BYTES);
    const ipAt = this.#ipAt - this.#at;
    const bit = Math.floor(random * (bytes - ipAt) * 8);
    into[ipAt + (bit >> 3)]! ^= 1 << (bit & 7);
    return bytes;
  }

  #fixIp(head: Buffer, ipAt: number, l4At: number, l4Bytes: number, first: number): void {
    const ethertype = head.readUInt16BE(ipAt - 2);
    if (ethertype === ETHERTYPE_IP4) {
      head.writeUInt16BE(l4At - ipAt + l4Bytes, ipAt + 2);
      head.writeUInt16BE((head.readUInt16BE(ipAt + 4) + first) & 0xffff, ipAt + 4);
      head.writeUInt16BE(0, ipAt + 10);
      head.writeUInt16BE(~fold(sumWords(head, ipAt, (head[ipAt]! & 15) * 4)) & 0xffff, ipAt + 10);
    } else if (ethertype === ETHERTYPE_IP6) {
      head.writeUInt16BE(l4At - ipAt - 40 + l4Bytes, ipAt + 4);
    }
  }
}

/** @returns sum of 16-bit words, unfolded; an odd last byte counts as if a zero followed */
function sumWords(bytes: Buffer, at: number, length: number): number {
  let sum = 0;
  const end = at + length;
  for (let i = at; i + 1 < end; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (length % 2 === 1) sum += bytes[end - 1]! << 8;
  return sum;
}

/** @returns one's complement sum in 16 bits */
function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum;
}
