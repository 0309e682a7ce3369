// The ICMP message that tells a host that its packet went nowhere. Cold: bytes in, bytes out; whether and how often is the caller's.
// Sources: RFC 792, 1122 3.2.2, 1812 4.3.2 (what must not be answered, how much to quote); RFC 4443 2.4, 3.1.

const HEADER4_BYTES = 20;
const HEADER6_BYTES = 40;
const ICMP_HEADER_BYTES = 8;
/** A whole message is at most so long: what every host takes. */
const ANSWER4_BYTES_MAX = 576;
const ANSWER6_BYTES_MAX = 1_280;
/** Room for any message. */
export const UNREACHABLE_BYTES_MAX = ANSWER6_BYTES_MAX;

const PROTOCOL_ICMP = 1;
const PROTOCOL_FRAGMENT6 = 44;
const PROTOCOL_ICMP6 = 58;
const TTL = 64;
/** Internetwork control, as Linux marks its ICMP errors. */
const TOS = 0xc0;
const UNREACHABLE4 = { type: 3, code: 1 } as const; // host unreachable
const UNREACHABLE6 = { type: 1, code: 3 } as const; // address unreachable
const errors4: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);
const INFORMATIONAL6 = 128;

/**
 * Writes the answer to an inner packet. It comes from the address that was asked for: we have none of our own.
 * @param into  UNREACHABLE_BYTES_MAX
 * @returns its length; 0: the packet must not be answered (an ICMP error, a later fragment, to or from many)
 */
export function writeUnreachable(packet: Uint8Array, into: Uint8Array): number {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4 && packet.length >= HEADER4_BYTES) return writeUnreachable4(packet, into);
  if (version === 6 && packet.length >= HEADER6_BYTES) return writeUnreachable6(packet, into);
  return 0;
}

function writeUnreachable4(packet: Uint8Array, into: Uint8Array): number {
  const headerBytes = (packet[0] & 15) * 4;
  const isLaterFragment = (packet[6] & 0x1f) !== 0 || packet[7] !== 0;
  if (isLaterFragment || !isUnicast4(packet, 12) || !isUnicast4(packet, 16)) return 0;
  if (packet[9] === PROTOCOL_ICMP && errors4.has(packet[headerBytes] ?? 0)) return 0;
  const quoted = Math.min(packet.length, ANSWER4_BYTES_MAX - HEADER4_BYTES - ICMP_HEADER_BYTES);
  const length = HEADER4_BYTES + ICMP_HEADER_BYTES + quoted;
  into.fill(0, 0, HEADER4_BYTES + ICMP_HEADER_BYTES);
  into[0] = 0x45;
  into[1] = TOS;
  putU16(into, 2, length);
  into[8] = TTL;
  into[9] = PROTOCOL_ICMP;
  into.set(packet.subarray(16, 20), 12);
  into.set(packet.subarray(12, 16), 16);
  putU16(into, 10, checksum(into, 0, HEADER4_BYTES, 0));
  into[HEADER4_BYTES] = UNREACHABLE4.type;
  into[HEADER4_BYTES + 1] = UNREACHABLE4.code;
  into.set(packet.subarray(0, quoted), HEADER4_BYTES + ICMP_HEADER_BYTES);
  putU16(into, HEADER4_BYTES + 2, checksum(into, HEADER4_BYTES, length, 0));
  return length;
}

function writeUnreachable6(packet: Uint8Array, into: Uint8Array): number {
  const next = packet[6];
  const behind = HEADER6_BYTES;
  if (!isUnicast6(packet, 8) || !isUnicast6(packet, 24)) return 0;
  if (next === PROTOCOL_ICMP6 && (packet[behind] ?? 0) < INFORMATIONAL6) return 0;
  const isLaterFragment = (packet[behind + 2] ?? 0) !== 0 || ((packet[behind + 3] ?? 0) & 0xf8) !== 0;
  if (next === PROTOCOL_FRAGMENT6 && isLaterFragment) return 0;
  const quoted = Math.min(packet.length, ANSWER6_BYTES_MAX - HEADER6_BYTES - ICMP_HEADER_BYTES);
  const payload = ICMP_HEADER_BYTES + quoted;
  into.fill(0, 0, HEADER6_BYTES + ICMP_HEADER_BYTES);
  into[0] = 0x60;
  putU16(into, 4, payload);
  into[6] = PROTOCOL_ICMP6;
  into[7] = TTL;
  into.set(packet.subarray(24, 40), 8);
  into.set(packet.subarray(8, 24), 24);
  into[HEADER6_BYTES] = UNREACHABLE6.type;
  into[HEADER6_BYTES + 1] = UNREACHABLE6.code;
  into.set(packet.subarray(0, quoted), HEADER6_BYTES + ICMP_HEADER_BYTES);
  // The pseudo-header: both addresses, which stand right before, the length and the protocol.
  putU16(into, HEADER6_BYTES + 2, checksum(into, 8, HEADER6_BYTES + payload, payload + PROTOCOL_ICMP6));
  return HEADER6_BYTES + payload;
}

/** No multicast, no broadcast to all, not 0.0.0.0 and its net. */
function isUnicast4(packet: Uint8Array, at: number): boolean {
  return packet[at] !== 0 && packet[at] < 224;
}

/** No multicast, not `::`. */
function isUnicast6(packet: Uint8Array, at: number): boolean {
  if (packet[at] === 0xff) return false;
  for (let i = at; i < at + 16; i++) if (packet[i] !== 0) return true;
  return false;
}

/** Internet checksum of [from, to), continued from `sum`. */
function checksum(bytes: Uint8Array, from: number, to: number, initial: number): number {
  let sum = initial;
  for (let i = from; i < to; i += 2) sum += (bytes[i] << 8) | (i + 1 < to ? bytes[i + 1] : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}
