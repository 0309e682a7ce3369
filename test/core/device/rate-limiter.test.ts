import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyedHash } from "../../../src/core/device/keyed-hash.js";
import { PACKETS_BURST, PACKETS_PER_SECOND, RateLimiter } from "../../../src/core/device/rate-limiter.js";
import { writeEndpoint } from "../../../src/core/transport/endpoint-address.js";
import { ENDPOINT_BYTES } from "../../../src/core/transport/endpoint-record.js";

const AT = ENDPOINT_BYTES;
const fixedKey = (into: Uint8Array): void => {
  for (let i = 0; i < into.length; i++) into[i] = i * 37;
};

function record(family: 4 | 6, bytes: readonly number[], port = 1): Uint8Array {
  const records = new Uint8Array(2 * ENDPOINT_BYTES);
  const address = new Uint8Array(family === 4 ? 4 : 16);
  address.set(bytes);
  writeEndpoint(records, AT, { family, bytes: address, port, scopeId: 0 });
  return records;
}

/** IPv4 sources, all different. */
const source = (n: number): Uint8Array => record(4, [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);

function allowed(limiter: RateLimiter, from: Uint8Array, nowMs: number, tries: number): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (limiter.allow(from, AT, nowMs)) count++;
  return count;
}

describe("one source", () => {
  test.each([0, 1e9, 2 ** 40 + 0.5])("has a burst of 5 and then 20 a second, from %d ms on", (startMs) => {
    const limiter = new RateLimiter(fixedKey);
    const from = source(7);
    expect(allowed(limiter, from, startMs, 100)).toBe(PACKETS_BURST);
    expect(allowed(limiter, from, startMs + 49, 100)).toBe(0);
    expect(allowed(limiter, from, startMs + 50, 100)).toBe(1);
    expect(allowed(limiter, from, startMs + 150, 100)).toBe(2);
    expect(allowed(limiter, from, startMs + 10_000, 100)).toBe(PACKETS_BURST);
    let count = 0;
    for (let ms = 0; ms < 10_000; ms++) count += allowed(limiter, from, startMs + 10_000 + ms, 3);
    expect(count).toBe(10 * PACKETS_PER_SECOND - 1);
  });

  test("as a token bucket, at any times", () => {
    const steps = fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 200, size: "max" });
    fc.assert(
      fc.property(steps, (waits) => {
        const limiter = new RateLimiter(fixedKey);
        let [nowMs, tokenMs, lastMs] = [0, PACKETS_BURST * 50, 0];
        for (const wait of waits) {
          nowMs += wait;
          tokenMs = Math.min(PACKETS_BURST * 50, tokenMs + nowMs - lastMs);
          lastMs = nowMs;
          const expected = tokenMs >= 50;
          if (expected) tokenMs -= 50;
          expect(limiter.allow(source(1), AT, nowMs)).toBe(expected);
        }
      }),
    );
  });
});

describe("what a source is", () => {
  const fresh = (emptied: Uint8Array, other: Uint8Array): boolean => {
    // One set only, so that what differs is the address and not where it is looked for.
    const limiter = new RateLimiter(fixedKey, 8);
    allowed(limiter, emptied, 1000, 5);
    return limiter.allow(other, AT, 1000);
  };

  test("an IPv4 address, whatever its port", () => {
    expect(fresh(record(4, [10, 0, 0, 1]), record(4, [10, 0, 0, 1], 9))).toBe(false);
    for (const other of [
      [10, 0, 0, 2],
      [10, 0, 1, 1],
      [10, 1, 0, 1],
      [11, 0, 0, 1],
    ]) {
      expect(fresh(record(4, [10, 0, 0, 1]), record(4, other))).toBe(true);
    }
  });

  test("an IPv6 /64, whatever its port", () => {
    const prefix = [0x20, 1, 0xd, 0xb8, 1, 2, 3, 4];
    expect(fresh(record(6, [...prefix, 0, 0, 0, 0, 0, 0, 0, 1]), record(6, [...prefix, 9, 9], 9))).toBe(false);
    for (let i = 0; i < 8; i++) {
      const other = prefix.with(i, prefix[i] ^ 1);
      expect(fresh(record(6, prefix), record(6, other))).toBe(true);
    }
  });

  test("never the same for IPv4 and IPv6", () => {
    expect(fresh(record(4, [10, 0, 0, 1]), record(6, [10, 0, 0, 1]))).toBe(true);
    expect(fresh(record(6, [10, 0, 0, 1]), record(4, [10, 0, 0, 1]))).toBe(true);
  });
});

describe("many sources", () => {
  test("10,000 at once have their own buckets", () => {
    const limiter = new RateLimiter(fixedKey, 65_536);
    let count = 0;
    for (let n = 0; n < 10_000; n++) count += allowed(limiter, source(n * 65_537), 500, 6);
    expect(count).toBe(10_000 * PACKETS_BURST);
  });

  test("a full table refuses new sources, keeps the known, and takes new ones when buckets have filled again", () => {
    const limiter = new RateLimiter(fixedKey, 64);
    let accepted = 0;
    for (let n = 0; n < 10_000; n++) accepted += allowed(limiter, source(n), 1000, 1);
    expect(accepted).toBe(64);
    for (let n = 0; n < 10_000; n++) expect(limiter.allow(source(10_000 + n), AT, 1049.9)).toBe(false);
    accepted = 0;
    for (let n = 0; n < 10_000; n++) accepted += allowed(limiter, source(20_000 + n), 1050, 1);
    expect(accepted).toBe(64);
  });

  test("a flood of others does not refill an emptied bucket", () => {
    const limiter = new RateLimiter(fixedKey, 64);
    expect(allowed(limiter, source(1), 1000, 9)).toBe(5);
    for (let n = 2; n < 5000; n++) limiter.allow(source(n), AT, 1000 + n * 0.01);
    expect(allowed(limiter, source(1), 1049, 9)).toBe(0);
  });

  test("which sources share a set depends on the key", () => {
    const survivors = (key: number): string => {
      const limiter = new RateLimiter((into) => into.fill(key), 64);
      return Array.from({ length: 200 }, (_, n) => (limiter.allow(source(n), AT, 1000) ? "1" : "0")).join("");
    };
    expect(survivors(1)).not.toBe(survivors(2));
  });
});

// Source: Linux lib/tests/siphash_kunit.c, test_vectors_hsiphash of 32-bit machines (HalfSipHash-1-3), 4 and 8 bytes.
test("keyedHash is HalfSipHash-1-3", () => {
  expect(keyedHash(0x03020100, 0x07060504, 1, 0x03020100, 0) >>> 0).toBe(0x7e059ea6);
  expect(keyedHash(0x03020100, 0x07060504, 2, 0x03020100, 0x07060504) >>> 0).toBe(0x577999b1);
});
