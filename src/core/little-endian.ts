// HOT PATH: numbers on the wire and in records, without a DataView.

/** @returns the 32 bits at `offset`, least significant byte first, unsigned */
export function readU32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24)) >>> 0;
}
