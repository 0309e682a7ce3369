// Super-frames for tests, and a second opinion on what they are on the wire: segmentation written from the standards,
// with every checksum complete.

export interface SuperFrame {
  readonly family: 4 | 6;
  readonly protocol: "tcp" | "udp";
  readonly payloadBytes: number;
  readonly segmentBytes: number;
  readonly tcpFlags?: number;
  readonly ecn?: boolean;
}

const TCP_OPTIONS = Buffer.from("0101080a0000000100000002", "hex");

/** A frame as a TAP with a virtio header gives it; the checksum field holds the pseudo-header's sum. */
export function superFrame(options: SuperFrame): Buffer {
  const { family, protocol, payloadBytes, segmentBytes } = options;
  const ethernet = Buffer.from(`020000000002020000000001${family === 4 ? "0800" : "86dd"}`, "hex");
  const isTcp = protocol === "tcp";
  const l4 = Buffer.alloc(isTcp ? 20 + TCP_OPTIONS.length : 8);
  l4.writeUInt16BE(40_000, 0);
  l4.writeUInt16BE(5_201, 2);
  if (isTcp) {
    l4.writeUInt32BE(0xffff_f000, 4); // the sequence number wraps inside
    l4.writeUInt32BE(12_345, 8);
    l4[12] = (l4.length / 4) << 4;
    l4[13] = options.tcpFlags ?? 0x18;
    l4.writeUInt16BE(501, 14);
    TCP_OPTIONS.copy(l4, 20);
  }
  const payload = Buffer.from(Array.from({ length: payloadBytes }, (_, i) => (i * 7 + (i >> 8)) & 255));
  const l4Bytes = l4.length + payloadBytes;
  if (!isTcp) l4.writeUInt16BE(l4Bytes, 4);
  const ip = ipHeader(family, isTcp ? 6 : 17, l4Bytes, 0xfff0);
  l4.writeUInt16BE(fold(pseudoSum(ip, l4Bytes)), isTcp ? 16 : 6);
  const virtio = Buffer.alloc(10);
  virtio[0] = 1;
  if (payloadBytes > segmentBytes) {
    virtio[1] = (isTcp ? (family === 4 ? 1 : 4) : 5) | (options.ecn === true ? 0x80 : 0);
    virtio.writeUInt16LE(segmentBytes, 4);
  }
  virtio.writeUInt16LE(14 + ip.length + l4.length, 2);
  virtio.writeUInt16LE(14 + ip.length, 6);
  virtio.writeUInt16LE(isTcp ? 16 : 6, 8);
  return Buffer.concat([virtio, ethernet, ip, l4, payload]);
}

/** @returns the frames that this one is on the wire, Ethernet header first, checksums complete */
export function wirePackets(frame: Buffer): Buffer[] {
  const family = frame.readUInt16BE(22) === 0x0800 ? 4 : 6;
  const ipBytes = family === 4 ? (frame[24]! & 15) * 4 : 40;
  const isTcp = frame[24 + (family === 4 ? 9 : 6)] === 6;
  const l4At = 24 + ipBytes;
  const l4Bytes = isTcp ? (frame[l4At + 12]! >> 4) * 4 : 8;
  const payload = frame.subarray(l4At + l4Bytes);
  const mss = frame[1] === 0 ? payload.length : frame.readUInt16LE(4);
  const packets: Buffer[] = [];
  for (let at = 0; at < payload.length; at += mss) {
    const part = payload.subarray(at, at + mss);
    const isLast = at + mss >= payload.length;
    const l4 = Buffer.from(frame.subarray(l4At, l4At + l4Bytes));
    if (isTcp) {
      l4.writeUInt32BE((l4.readUInt32BE(4) + at) % 2 ** 32, 4);
      if (!isLast) l4[13]! &= 0xf6;
      if (at > 0) l4[13]! &= 0x7f;
    } else l4.writeUInt16BE(8 + part.length, 4);
    const identifier = family === 4 ? frame.readUInt16BE(28) + packets.length : 0;
    const ip = ipHeader(family, isTcp ? 6 : 17, l4Bytes + part.length, identifier % 2 ** 16);
    const field = isTcp ? 16 : 6;
    l4.writeUInt16BE(0, field);
    l4.writeUInt16BE(~fold(pseudoSum(ip, l4Bytes + part.length) + words(l4) + words(part)) & 0xffff, field);
    packets.push(Buffer.concat([frame.subarray(10, 24), ip, l4, part]));
  }
  return packets;
}

/** Whether IP header and TCP or UDP checksum of a complete frame hold. */
export function checksumsHold(packet: Buffer): boolean {
  const isIp4 = packet[14]! >> 4 === 4;
  const ipBytes = isIp4 ? (packet[14]! & 15) * 4 : 40;
  const ip = packet.subarray(14, 14 + ipBytes);
  const l4 = packet.subarray(14 + ipBytes);
  if (isIp4 && fold(words(ip)) !== 0xffff) return false;
  return fold(pseudoSum(ip, l4.length) + words(l4)) === 0xffff;
}

function ipHeader(family: 4 | 6, protocol: number, l4Bytes: number, identifier: number): Buffer {
  if (family === 6) {
    const ip = Buffer.from(
      "6000000000000040" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002",
      "hex",
    );
    ip.writeUInt16BE(l4Bytes, 4);
    ip[6] = protocol;
    return ip;
  }
  const ip = Buffer.from("4500000000004000" + "40000000" + "c0000201" + "c0000202", "hex");
  ip.writeUInt16BE(20 + l4Bytes, 2);
  ip.writeUInt16BE(identifier, 4);
  ip[9] = protocol;
  ip.writeUInt16BE(~fold(words(ip)) & 0xffff, 10);
  return ip;
}

function pseudoSum(ip: Buffer, l4Bytes: number): number {
  const isIp4 = ip[0]! >> 4 === 4;
  return words(isIp4 ? ip.subarray(12, 20) : ip.subarray(8, 40)) + (isIp4 ? ip[9]! : ip[6]!) + l4Bytes;
}

function words(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!;
  return sum;
}

function fold(sum: number): number {
  return sum === 0 ? 0 : sum % 0xffff || 0xffff;
}
