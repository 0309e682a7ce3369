// What a flood without cookies gets beside much traffic.
import { expect, test } from "vitest";
import { endpointTable } from "../../../native/test/udp-table.js";
import { CookieBudget } from "../../../src/core/device/cookie-budget.js";
import { ENDPOINT_BYTES, EndpointField } from "../../../src/core/transport/endpoint-record.js";

const budget = (): CookieBudget => new CookieBudget((into) => into.fill(7));

/** @returns how many of `count` messages from one source are let through */
function taken(of: CookieBudget, table: Uint8Array, row: number, count: number, nowMs: number): number {
  let n = 0;
  for (let i = 0; i < count; i++) n += Number(of.take(table, row * ENDPOINT_BYTES, nowMs));
  return n;
}

test("each source has one message a second, and all share a few", () => {
  const one = budget();
  const table = endpointTable({ address: "192.0.2.1", port: 1 }, { address: "192.0.2.2", port: 2 });
  expect(taken(one, table, 0, 1_000, 1_000)).toBe(1 + 64);
  expect(taken(one, table, 1, 1_000, 1_000)).toBe(1);
  expect(taken(one, table, 1, 1_000, 1_010)).toBe(40);
  expect(taken(one, table, 0, 1_000, 2_000)).toBe(1 + 64);
});

test("a port makes a source, the lower half of an IPv6 address does not", () => {
  const one = budget();
  const records = ["::1", "::2", "::1"].map((address) => ({ address, port: 3 }));
  const table = endpointTable({ address: "192.0.2.1", port: 1 }, { address: "192.0.2.1", port: 2 }, ...records);
  table[4 * ENDPOINT_BYTES + EndpointField.Address + 7] = 2; // of the last one's upper half
  taken(one, table, 0, 100, 1_000);
  expect([1, 2, 3, 4].map((row) => taken(one, table, row, 1, 1_000))).toEqual([1, 1, 0, 1]);
});

test("a second's flood from 4,096 sources leaves each its own, and one from a million is bounded", () => {
  const one = budget();
  let let4096 = 0;
  let letMillion = 0;
  for (let i = 0; i < 50_000; i++) {
    const nowMs = 1_000 + Math.floor(i / 50);
    const source = i % 4_096;
    const few = endpointTable({ address: `10.0.${source >> 8}.${source & 255}`, port: 1 });
    let4096 += taken(one, few, 0, 1, nowMs);
  }
  const other = budget();
  for (let i = 0; i < 50_000; i++) {
    const many = endpointTable({ address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, port: 1 });
    letMillion += taken(other, many, 0, 1, 1_000 + Math.floor(i / 50));
  }
  expect(let4096).toBeGreaterThanOrEqual(4_096);
  expect(let4096).toBeLessThan(4_096 + 64 + 4 * 1_000 + 100);
  expect(letMillion).toBeLessThan(16_384 + 64 + 4 * 1_000 + 100);
});
