// Memory for secrets that is outside of V8's heap. V8 keeps typed arrays of up to 64 bytes inside, and a collection that moves
// one leaves a copy behind that nobody can wipe. It must not know what the secrets are.

const SLAB_BYTES = 16 << 10;
const ALIGN_BYTES = 8;

// Thousands of buffers of their own would make collections long, so the bytes are cut out of slabs.
let slab = new ArrayBuffer(0);
let slabUsed = 0;

/**
 * @param length  bytes, at most 16 KiB
 * @returns zeroed bytes that nobody else has; the caller wipes them. Allocates: not for the hot path.
 */
export function secretBytes(length: number): Uint8Array {
  const offset = take(length);
  return new Uint8Array(slab, offset, length);
}

/** @param source  borrowed. @returns its bytes in memory of their own; the caller wipes them. */
export function secretCopy(source: Uint8Array): Uint8Array {
  const copy = secretBytes(source.length);
  copy.set(source);
  return copy;
}

/** As {@link secretBytes}. @param length  32-bit words */
export function secretWords(length: number): Int32Array {
  const offset = take(4 * length);
  return new Int32Array(slab, offset, length);
}

/** @returns the offset of that many bytes in `slab`, which this may replace */
function take(lengthBytes: number): number {
  const rounded = Math.ceil(lengthBytes / ALIGN_BYTES) * ALIGN_BYTES;
  if (slabUsed + rounded > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES);
    slabUsed = 0;
  }
  slabUsed += rounded;
  return slabUsed - rounded;
}
