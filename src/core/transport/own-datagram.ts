// HOT PATH: whether a packet from the TUN is a datagram that this device itself sealed for the peer: a route leads the peer's
// endpoint into the tunnel. Sealed again it would come back again, for ever, and take a processor with it.

import { readU32 } from "../little-endian.js";
import { DATA_MIN_BYTES, DATA_RECEIVER_INDEX_OFFSET, MessageType } from "../noise/constants.js";
import { EndpointField, FAMILY_IPV4, FAMILY_IPV6, familyOf } from "./endpoint-record.js";
import { IPV4_DESTINATION, IPV6_DESTINATION } from "./inner-packet.js";

const PROTOCOL_UDP = 17;
const IPV4_PROTOCOL = 9;
const IPV4_FRAGMENT = 6;
const IPV6_HEADER_BYTES = 40;
const IPV6_NEXT_HEADER = 6;
const UDP_DESTINATION_PORT = 2;
const UDP_HEADER_BYTES = 8;

/**
 * @param packet    holds an IP packet of `length` bytes at `offset`
 * @param records   endpoint table, the peer's record at `record`
 * @param receiver  index of the peer's that the device seals for, unsigned
 * @returns whether it is transport data to that endpoint and for that receiver. Two sessions of one peer's have two indices, so that
 * the tunnel of another host through this one is none of it.
 */
export function isOwnDatagram(
  packet: Uint8Array,
  offset: number,
  length: number,
  records: Uint8Array,
  record: number,
  receiver: number,
): boolean {
  const udp = udpTo(packet, offset, length, records, record);
  if (udp === 0) return false;
  const message = udp + UDP_HEADER_BYTES;
  if (packet[message] !== MessageType.Data) return false;
  return readU32(packet, message + DATA_RECEIVER_INDEX_OFFSET) === receiver;
}

/** @returns where the UDP header stands; 0: it is not UDP to that endpoint, not its beginning, or too short for transport data */
function udpTo(packet: Uint8Array, offset: number, length: number, records: Uint8Array, record: number): number {
  const address = record + EndpointField.Address;
  let udp = 0;
  if (packet[offset] >>> 4 === 4) {
    if (packet[offset + IPV4_PROTOCOL] !== PROTOCOL_UDP) return 0;
    if (!areEqual(packet, offset + IPV4_DESTINATION, records, address, 4)) return 0;
    if (familyOf(records, record) !== FAMILY_IPV4) return 0;
    if (((packet[offset + IPV4_FRAGMENT] & 0x1f) | packet[offset + IPV4_FRAGMENT + 1]) !== 0) return 0;
    udp = offset + (packet[offset] & 15) * 4;
  } else {
    if (packet[offset + IPV6_NEXT_HEADER] !== PROTOCOL_UDP) return 0;
    if (!areEqual(packet, offset + IPV6_DESTINATION, records, address, 16)) return 0;
    if (familyOf(records, record) !== FAMILY_IPV6) return 0;
    udp = offset + IPV6_HEADER_BYTES;
  }
  if (udp + UDP_HEADER_BYTES + DATA_MIN_BYTES > offset + length) return 0;
  return areEqual(packet, udp + UDP_DESTINATION_PORT, records, record + EndpointField.Port, 2) ? udp : 0;
}

function areEqual(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number, bytes: number): boolean {
  for (let i = 0; i < bytes; i++) if (a[aOffset + i] !== b[bOffset + i]) return false;
  return true;
}
