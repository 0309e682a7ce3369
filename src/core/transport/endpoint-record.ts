// HOT PATH: one endpoint record, 64 bytes inside a Uint8Array: where a datagram came from or goes to, and the local
// address it arrived at (sticky source). The layout is native/src/layout.h's EndpointRecord, repeated here because the
// core must not know the native package. Integers are little-endian, as on both supported machines; the port is in
// network order.

import { readU32 } from "../little-endian.js";

/** Byte offsets inside a record. */
export const EndpointField = {
  Family: 0, // u16: FAMILY_NONE, FAMILY_IPV4 or FAMILY_IPV6
  Port: 2, // u16, network byte order
  ScopeId: 4, // u32, IPv6 link-local scope, else 0
  Address: 8, // 16 bytes; IPv4 in the first 4, the rest zero
  SourceIfindex: 24, // u32, 0: no sticky source
  Source: 32, // 16 bytes, local address of the same family
  GsoRefusedUntilMs: 48, // u32
} as const;
export const ENDPOINT_BYTES = 64;

export const FAMILY_NONE = 0;
/** AF_INET. */
export const FAMILY_IPV4 = 2;
/** AF_INET6 on Linux. */
export const FAMILY_IPV6 = 10;

const REMOTE_END = EndpointField.Address + 16;
const SOURCE_END = EndpointField.Source + 16;

/** @returns FAMILY_NONE, FAMILY_IPV4 or FAMILY_IPV6 (or whatever else stands there). */
export function familyOf(record: Uint8Array, offset: number): number {
  return record[offset] | (record[offset + 1] << 8);
}

/** Whether the record names a remote address. */
export function isSet(record: Uint8Array, offset: number): boolean {
  return (record[offset] | record[offset + 1]) !== 0;
}

/** Whether two records name the same remote: family, port, scope and address. The sticky source is not compared. */
export function equalRemote(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean {
  for (let i = 0; i < REMOTE_END; i++) {
    if (a[aOffset + i] !== b[bOffset + i]) return false;
  }
  return true;
}

/** Whether two records hold the same sticky source: interface and local address. */
export function equalSource(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean {
  for (let i = EndpointField.SourceIfindex; i < SOURCE_END; i++) {
    if (a[aOffset + i] !== b[bOffset + i]) return false;
  }
  return true;
}

/** Copies a whole record. */
export function copyRecord(from: Uint8Array, fromOffset: number, to: Uint8Array, toOffset: number): void {
  for (let i = 0; i < ENDPOINT_BYTES; i++) to[toOffset + i] = from[fromOffset + i];
}

/** Unsets a record: no remote, no sticky source. */
export function clear(record: Uint8Array, offset: number): void {
  record.fill(0, offset, offset + ENDPOINT_BYTES);
}

/** @returns index of the interface that the sticky source was seen at; 0: there is none. */
export function sourceInterface(record: Uint8Array, offset: number): number {
  return readU32(record, offset + EndpointField.SourceIfindex);
}

/** Keeps the sticky source's address, and sends from it no more: see {@link isRefusedSource}. */
export function refuseSource(record: Uint8Array, offset: number): void {
  record.fill(0, offset + EndpointField.SourceIfindex, offset + EndpointField.SourceIfindex + 4);
}

/** Whether the record remembers a local address that is not sent from. */
export function isRefusedSource(record: Uint8Array, offset: number): boolean {
  if (sourceInterface(record, offset) !== 0) return false;
  for (let i = EndpointField.Source; i < SOURCE_END; i++) if (record[offset + i] !== 0) return true;
  return false;
}

/** Whether the first record remembers the second's local address as one that is not sent from. */
export function refusesSource(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean {
  if (!isRefusedSource(a, aOffset)) return false;
  for (let i = EndpointField.Source; i < SOURCE_END; i++) if (a[aOffset + i] !== b[bOffset + i]) return false;
  return true;
}

/** Forgets the sticky source only, as after a send that the kernel refused for it. */
export function clearSource(record: Uint8Array, offset: number): void {
  record.fill(0, offset + EndpointField.SourceIfindex, offset + SOURCE_END);
}
