// TAI64N: format, order, whitening, and a source that only goes forward.
import { expect, test } from "vitest";
import {
  compareTai64n,
  decodeTai64n,
  encodeTai64n,
  TimestampSource,
  WHITENED_STEP_NS,
} from "../../../src/core/noise/tai64n.js";
import { hex, toHex } from "./bytes.js";

function encoded(seconds: number, nanos: number): Uint8Array {
  const out = new Uint8Array(12);
  encodeTai64n(out, seconds, nanos);
  return out;
}

function next(source: TimestampSource, wallMs: number): Uint8Array {
  const out = new Uint8Array(12);
  source.next(out, wallMs);
  return out;
}

test("format: the epoch, a date of libtai's documentation, and seconds beyond 2^32", () => {
  expect(toHex(encoded(0, 0))).toBe("400000000000000a00000000");
  // 1992-06-02 08:07:09 TAI is 400000002a2b2c2d; TAI64N of WireGuard is 10 s ahead of Unix time, leap seconds apart.
  expect(toHex(encoded(0x2a2b2c2d - 10, 500))).toBe("400000002a2b2c2d000001f4");
  expect(toHex(encoded(2 ** 32 - 10, 999_999_999))).toBe("40000001000000003b9ac9ff");
  expect(toHex(encoded(2 ** 32 - 11, 1))).toBe("40000000ffffffff00000001");
});

test("decodes what it encodes", () => {
  for (const [seconds, nanos] of [
    [0, 0],
    [1_721_000_000, 16_777_216],
    [2 ** 32 + 5, 999_999_999],
  ]) {
    expect(decodeTai64n(encoded(seconds, nanos))).toEqual({ seconds, nanos });
  }
  expect(decodeTai64n(hex("400000000000000a00000001"))).toEqual({ seconds: 0, nanos: 1 });
});

test("order follows time", () => {
  const times = [encoded(0, 0), encoded(0, 1), encoded(0, 256), encoded(1, 0), encoded(255, 5), encoded(2 ** 33, 0)];
  for (let i = 0; i < times.length; i++) {
    for (let j = 0; j < times.length; j++) expect(Math.sign(compareTai64n(times[i], times[j]))).toBe(Math.sign(i - j));
  }
});

test("whitens to 2^24 ns, as the kernel does", () => {
  expect(WHITENED_STEP_NS).toBe(16_777_216);
  expect(next(new TimestampSource(), 1_721_000_000_016)).toEqual(encoded(1_721_000_000, 0));
  expect(next(new TimestampSource(), 1_721_000_000_017)).toEqual(encoded(1_721_000_000, 16_777_216));
  expect(next(new TimestampSource(), 1_721_000_000_999.9)).toEqual(encoded(1_721_000_000, 59 * 16_777_216));
});

test("strictly greater each time while the clock stands, runs back, or jumps", () => {
  const source = new TimestampSource();
  let last = next(source, 1_721_000_000_000);
  for (let i = 0; i < 1_000; i++) {
    const wallMs = i < 300 ? 1_721_000_000_000 : i < 600 ? 1_721_000_000_000 - i * 1_000 : 1_721_000_000_000 + i * i;
    const timestamp = next(source, wallMs);
    expect(compareTai64n(timestamp, last)).toBeGreaterThan(0);
    expect(decodeTai64n(timestamp).nanos % WHITENED_STEP_NS).toBe(0);
    expect(decodeTai64n(timestamp)).toEqual(source.last);
    last = timestamp;
  }
});

test("a step at the end of a second carries", () => {
  const source = new TimestampSource();
  expect(next(source, 5_999)).toEqual(encoded(5, 59 * WHITENED_STEP_NS));
  expect(next(source, 5_999)).toEqual(encoded(6, 0));
});

test("a persisted floor is exceeded although the clock boots in 1970, and never lowered", () => {
  const source = new TimestampSource();
  source.raiseFloor(1_721_000_000, 5);
  source.raiseFloor(1_600_000_000, 0);
  source.raiseFloor(1_721_000_000, 4);
  expect(source.last).toEqual({ seconds: 1_721_000_000, nanos: 5 });
  const first = next(source, 12);
  expect(compareTai64n(first, encoded(1_721_000_000, 5))).toBeGreaterThan(0);
  expect(first).toEqual(encoded(1_721_000_000, WHITENED_STEP_NS));
  expect(next(source, -5_000)).toEqual(encoded(1_721_000_000, 2 * WHITENED_STEP_NS));
  expect(next(source, 1_721_000_001_000)).toEqual(encoded(1_721_000_001, 0));
});
