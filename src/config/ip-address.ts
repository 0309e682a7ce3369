// IPv4 and IPv6 addresses as text. Strict: no octal, hexadecimal or short IPv4, no zone, nothing that inet_pton refuses.
// Written out instead of taken from ipaddr.js, which reads ::1.2.3.4 as ::ffff:1.2.3.4 and 010 as octal.
// Addresses are cut out of shared slabs: ten thousand of them as buffers of their own cost garbage collections of 15 ms.
// Source: RFC 4291 section 2.2 (reading), RFC 5952 (writing).

import { hexDigit } from "./hex.js";

const SLAB_BYTES = 8192;
let slab = new ArrayBuffer(SLAB_BYTES);
let slabUsed = 0;

/** @returns 4 new bytes, or undefined when the text is no dotted quad. Throws nothing. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = takeBytes(4);
  return readIpv4(text, 0, bytes, 0) ? bytes : undefined;
}

/** @returns 16 new bytes, or undefined when the text is no IPv6 address (a zone is not part of one). Throws nothing. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const bytes = takeBytes(16);
  let position = 0; // in text
  let filled = 0; // bytes written
  let gap = -1; // bytes before "::"
  if (text.startsWith("::")) {
    gap = 0;
    position = 2;
  }
  while (position < text.length) {
    const start = position;
    let group = 0;
    while (position < text.length && position - start < 5) {
      const digit = hexDigit(text.charCodeAt(position));
      if (digit < 0) {
        break;
      }
      group = (group << 4) | digit;
      position++;
    }
    if (text[position] === ".") {
      if (filled > 12 || !readIpv4(text, start, bytes, filled)) {
        return undefined;
      }
      filled += 4;
      position = text.length;
      break;
    }
    if (position === start || position - start > 4 || filled === 16) {
      return undefined;
    }
    bytes[filled++] = group >> 8;
    bytes[filled++] = group & 0xff;
    if (position === text.length) {
      break;
    }
    if (text[position] !== ":" || ++position === text.length) {
      return undefined; //  a foreign character, or a single colon at the end
    }
    if (text[position] === ":") {
      if (gap >= 0) {
        return undefined;
      }
      gap = filled;
      position++;
    }
  }
  return closeGap(bytes, filled, gap);
}

/** @param bytes  4 or 16. @returns dotted quad, or RFC 5952 text. Throws nothing. */
export function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) {
    return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  }
  if (isIpv4Mapped(bytes)) {
    return `::ffff:${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`;
  }
  const { start, count } = longestZeroRun(bytes);
  let text = "";
  for (let group = 0; group < 8; group++) {
    if (group === start) {
      text += "::";
      group += count - 1;
      continue;
    }
    const separator = group === 0 || group === start + count ? "" : ":";
    text += separator + ((bytes[2 * group] << 8) | bytes[2 * group + 1]).toString(16);
  }
  return text;
}

/** @param bytes  16. @returns whether this is ::ffff:0:0/96, an IPv4 address in IPv6 clothes. */
export function isIpv4Mapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) {
    if (bytes[i] !== 0) {
      return false;
    }
  }
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

/** @returns a zeroed view that nobody else has. */
function takeBytes(count: number): Uint8Array {
  if (slabUsed + count > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    slabUsed = 0;
  }
  const bytes = new Uint8Array(slab, slabUsed, count);
  slabUsed += count;
  return bytes;
}

/** Moves what followed "::" to the end. @returns bytes, or undefined when the number of groups is wrong. */
function closeGap(bytes: Uint8Array, filled: number, gap: number): Uint8Array | undefined {
  if (gap < 0) {
    return filled === 16 ? bytes : undefined;
  }
  if (filled > 14) {
    return undefined; //  "::" must stand for at least one group
  }
  bytes.copyWithin(16 - (filled - gap), gap, filled);
  bytes.fill(0, gap, 16 - (filled - gap));
  return bytes;
}

/** RFC 5952 4.2: the first longest run of two or more zero groups. @returns start -1 when there is none. */
function longestZeroRun(bytes: Uint8Array): { start: number; count: number } {
  let best = { start: -1, count: 1 };
  for (let group = 0; group < 8; group++) {
    let count = 0;
    while (group + count < 8 && bytes[2 * (group + count)] === 0 && bytes[2 * (group + count) + 1] === 0) {
      count++;
    }
    if (count > best.count) {
      best = { start: group, count };
    }
    group += count;
  }
  return best;
}

/** Reads text[start…] to its end as a dotted quad into bytes[offset…]. */
function readIpv4(text: string, start: number, bytes: Uint8Array, offset: number): boolean {
  let position = start;
  for (let octet = 0; octet < 4; octet++) {
    const first = position;
    let value = 0;
    while (position < text.length && position - first < 3) {
      const digit = text.charCodeAt(position) - 0x30;
      if (digit < 0 || digit > 9) {
        break;
      }
      value = value * 10 + digit;
      position++;
    }
    const leadingZero = position - first > 1 && text[first] === "0";
    if (position === first || leadingZero || value > 255) {
      return false;
    }
    bytes[offset + octet] = value;
    if (octet < 3 && text[position++] !== ".") {
      return false;
    }
  }
  return position === text.length;
}
