// TAI64N timestamps: format, whitening, order, and a source that never repeats itself. It must not read a clock.
// Source: [W] 5.1, 5.4.2; https://cr.yp.to/libtai/tai64.html; whitening as the kernel's noise.c.
import { MAX_HANDSHAKES_PER_SECOND, TIMESTAMP_BYTES } from "./constants.js";

const NANOS_PER_SECOND = 1_000_000_000;
/** Unix second 0 in TAI64 is 2^62 + 10; this is the high word, the 10 is added to the low part. */
const TAI_HIGH_WORD = 0x40000000;
const TAI_UNIX_OFFSET_S = 10;

/**
 * Sent nanoseconds are a multiple of this, so that they tell nobody our load or clock to the nanosecond, and stay
 * fine enough for MAX_HANDSHAKES_PER_SECOND distinct values a second: the power of two at or below 20 ms.
 */
export const WHITENED_STEP_NS = 2 ** Math.floor(Math.log2(NANOS_PER_SECOND / MAX_HANDSHAKES_PER_SECOND));

/** A Unix time. */
export interface Timestamp {
  seconds: number;
  /** 0–999,999,999. */
  nanos: number;
}

/** Writes 12 bytes: u64 BE TAI seconds, u32 BE nanoseconds. @param seconds  Unix, 0 to 2^53. Does not whiten. */
export function encodeTai64n(out: Uint8Array, seconds: number, nanos: number): void {
  const tai = seconds + TAI_UNIX_OFFSET_S;
  const view = new DataView(out.buffer, out.byteOffset, TIMESTAMP_BYTES);
  view.setUint32(0, TAI_HIGH_WORD + Math.floor(tai / 2 ** 32));
  view.setUint32(4, tai >>> 0);
  view.setUint32(8, nanos);
}

/** Unix time of 12 bytes, for logs: seconds outside [0, 2^53] are rounded as numbers are. */
export function decodeTai64n(bytes: Uint8Array): Timestamp {
  const view = new DataView(bytes.buffer, bytes.byteOffset, TIMESTAMP_BYTES);
  const high = view.getUint32(0) - TAI_HIGH_WORD;
  return { seconds: high * 2 ** 32 + view.getUint32(4) - TAI_UNIX_OFFSET_S, nanos: view.getUint32(8) };
}

/** Order of two 12-byte timestamps. @returns negative, 0 or positive. */
export function compareTai64n(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < TIMESTAMP_BYTES; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return 0;
}

/** Gives whitened timestamps, each greater than all before it, whatever the wall clock does. */
export class TimestampSource {
  /** The last one given, or the floor. Persist something at least as great before sending. */
  readonly last: Timestamp = { seconds: 0, nanos: 0 };

  /** Nothing at or below this will be given, e.g. the value persisted before a restart. Never lowers. */
  raiseFloor(seconds: number, nanos: number): void {
    const { last } = this;
    if (seconds < last.seconds || (seconds === last.seconds && nanos <= last.nanos)) return;
    last.seconds = seconds;
    last.nanos = nanos;
  }

  /**
   * Writes the next timestamp: the whitened wall time, or one step above the last one where the clock stood or went
   * back. @param out  12 bytes. @param wallMs  since 1970, fraction allowed.
   */
  next(out: Uint8Array, wallMs: number): void {
    const { last } = this;
    const seconds = Math.max(0, Math.floor(wallMs / 1_000));
    const nanos = whiten((Math.max(0, wallMs) - seconds * 1_000) * 1e6);
    if (seconds > last.seconds || (seconds === last.seconds && nanos > last.nanos)) {
      last.seconds = seconds;
      last.nanos = nanos;
    } else {
      last.nanos = whiten(last.nanos) + WHITENED_STEP_NS;
      if (last.nanos >= NANOS_PER_SECOND) {
        last.seconds++;
        last.nanos = 0;
      }
    }
    encodeTai64n(out, last.seconds, last.nanos);
  }
}

function whiten(nanos: number): number {
  return Math.floor(nanos / WHITENED_STEP_NS) * WHITENED_STEP_NS;
}
