// HOT PATH: what the tunnel reads and changes in an inner IP packet: version, lengths, where its addresses stand, and
// the two ECN bits. It must not know transport protocols. Sources: RFC 791, RFC 8200, RFC 6040, RFC 1624.

import { DropReason } from "../drop-reason.js";

const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;

/** Offsets of addresses from the start of an inner packet. */
export const IPV4_SOURCE = 12;
export const IPV4_DESTINATION = 16;
export const IPV6_SOURCE = 8;
export const IPV6_DESTINATION = 24;

/** RFC 3168 codepoints. */
export const Ecn = { NotEct: 0, Ect1: 1, Ect0: 2, Ce: 3 } as const;

/** @returns the version field, 4 or 6 for IP; the packet must have at least one byte. */
export function innerVersion(bytes: Uint8Array, offset: number): number {
  return bytes[offset] >>> 4;
}

/**
 * Length of the IP packet that stands at the start of these bytes; what follows it is padding.
 * @returns 20 ≤ n ≤ length, or -DropReason.InnerMalformed: not IPv4 or IPv6, or lengths that contradict each other.
 */
export function innerLength(bytes: Uint8Array, offset: number, length: number): number {
  if (length < IPV4_HEADER_BYTES) return -DropReason.InnerMalformed;
  const first = bytes[offset];
  if (first >>> 4 === 4) {
    const headerBytes = (first & 15) * 4;
    const total = (bytes[offset + 2] << 8) | bytes[offset + 3];
    const fits = headerBytes >= IPV4_HEADER_BYTES && headerBytes <= total && total <= length;
    return fits ? total : -DropReason.InnerMalformed;
  }
  if (first >>> 4 === 6 && length >= IPV6_HEADER_BYTES) {
    const total = IPV6_HEADER_BYTES + ((bytes[offset + 4] << 8) | bytes[offset + 5]);
    return total <= length ? total : -DropReason.InnerMalformed;
  }
  return -DropReason.InnerMalformed;
}

/**
 * The outer TOS byte or traffic class for a packet that enters the tunnel: its ECN bits, and no DSCP, which would tell
 * the path what kind of traffic is inside. Source: RFC 6040, 4.1 (normal mode).
 * @returns 0–3.
 */
export function innerTosEcn(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] >>> 4 === 4 ? bytes[offset + 1] : bytes[offset + 1] >>> 4) & 3;
}

/**
 * Merges the outer ECN bits into a packet that leaves the tunnel. Call after {@link innerLength} accepted it.
 * @param outerTos  the datagram's TOS byte or traffic class
 * @returns DropReason.None, or EcnInvalid: congestion was signalled to a transport that cannot understand it.
 * Source: RFC 6040, figure 4.
 */
export function decapsulateEcn(bytes: Uint8Array, offset: number, outerTos: number): DropReason {
  const outer = outerTos & 3;
  if (outer === Ecn.NotEct || outer === Ecn.Ect0) return DropReason.None;
  const inner = innerTosEcn(bytes, offset);
  if (inner === Ecn.NotEct) return outer === Ecn.Ce ? DropReason.EcnInvalid : DropReason.None;
  if (outer === Ecn.Ce ? inner !== Ecn.Ce : inner === Ecn.Ect0) setEcn(bytes, offset, outer);
  return DropReason.None;
}

function setEcn(bytes: Uint8Array, offset: number, ecn: number): void {
  const old = bytes[offset + 1];
  if (bytes[offset] >>> 4 === 6) {
    bytes[offset + 1] = (old & 0xcf) | (ecn << 4);
    return;
  }
  const changed = (old & 0xfc) | ecn;
  bytes[offset + 1] = changed;
  // RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). The word's other byte cancels out.
  const checksum = (bytes[offset + 10] << 8) | bytes[offset + 11];
  let sum = (~checksum & 0xffff) + (~old & 0xffff) + changed;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  bytes[offset + 10] = (~sum >>> 8) & 0xff;
  bytes[offset + 11] = ~sum & 0xff;
}
