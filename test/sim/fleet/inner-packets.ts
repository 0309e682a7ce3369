// Inner packets that know what they are: an IPv4 or IPv6 header and, in the payload, the number under which the fleet knows them.

export const HEADER_BYTES = { 4: 20, 6: 40 } as const;
const NUMBER_BYTES = 4;
const UNASSIGNED_PROTOCOL = 253;

/** @param payloadBytes  at least 4 */
export function innerPacket(from: Uint8Array, to: Uint8Array, number: number, payloadBytes: number): Uint8Array {
  const family = from.length === 4 ? 4 : 6;
  const headerBytes = HEADER_BYTES[family];
  const packet = new Uint8Array(headerBytes + payloadBytes);
  const view = new DataView(packet.buffer);
  if (family === 4) {
    packet[0] = 0x45;
    view.setUint16(2, packet.length);
    packet[8] = 64;
    packet[9] = UNASSIGNED_PROTOCOL;
    packet.set(from, 12);
    packet.set(to, 16);
  } else {
    packet[0] = 0x60;
    view.setUint16(4, payloadBytes);
    packet[6] = UNASSIGNED_PROTOCOL;
    packet[7] = 64;
    packet.set(from, 8);
    packet.set(to, 24);
  }
  view.setUint32(headerBytes, number, true);
  for (let i = headerBytes + NUMBER_BYTES; i < packet.length; i++) packet[i] = number + i;
  return packet;
}

/** @returns undefined for what no {@link innerPacket} is */
export function numberOf(packet: Uint8Array): number | undefined {
  const headerBytes = packet[0] >> 4 === 4 ? HEADER_BYTES[4] : HEADER_BYTES[6];
  if (packet.length < headerBytes + NUMBER_BYTES) return undefined;
  return new DataView(packet.buffer, packet.byteOffset).getUint32(headerBytes, true);
}

/** @returns a copy of the source address, or undefined: no IP packet, or its lengths contradict what there is */
export function sourceOf(bytes: Uint8Array): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes.length < HEADER_BYTES[4] ? 0 : bytes[0] >> 4;
  if (version === 4) {
    const headerBytes = (bytes[0] & 15) * 4;
    const total = view.getUint16(2);
    return headerBytes >= HEADER_BYTES[4] && headerBytes <= total && total <= bytes.length
      ? bytes.slice(12, 16)
      : undefined;
  }
  if (version !== 6 || bytes.length < HEADER_BYTES[6]) return undefined;
  return HEADER_BYTES[6] + view.getUint16(4) <= bytes.length ? bytes.slice(8, 24) : undefined;
}
