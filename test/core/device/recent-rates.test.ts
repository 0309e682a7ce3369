import { expect, test } from "vitest";
import { type Peer, PeerBytes } from "../../../src/core/device/peer.js";
import { PeerCell, PeerStatistics } from "../../../src/core/device/peer-statistics.js";
import { RecentRates } from "../../../src/core/device/recent-rates.js";
import { PathCell } from "../../../src/core/transport/path-quality.js";

const peerOf = (id: number): Peer => ({ id, statistics: new PeerStatistics(), bytes: new Float64Array(2) }) as Peer;

test("a steady flow is told within a few seconds, and forgotten as soon", () => {
  const rates = new RecentRates();
  const peer = peerOf(100);
  for (let s = 0; s <= 20; s++) {
    rates.sample(peer, s * 1_000);
    peer.bytes[PeerBytes.Received] += 1_000_000;
    peer.statistics.cells[PeerCell.ReceivedInnerBytes] += 900_000;
    peer.statistics.path[PathCell.Received] += 980;
    peer.statistics.path[PathCell.Lost] += 20;
  }
  expect(rates.receivedBitsPerS(peer)).toBeCloseTo(8_000_000, -5);
  expect(rates.receivedGoodBitsPerS(peer)).toBeCloseTo(7_200_000, -5);
  expect(rates.sentBitsPerS(peer)).toBe(0);
  expect(rates.loss(peer)).toBeCloseTo(0.02, 6);
  rates.sample(peer, 21_000);
  for (let s = 22; s <= 60; s++) rates.sample(peer, s * 1_000);
  expect(rates.receivedBitsPerS(peer)).toBeLessThan(1_000);
});

test("a peer that takes the row of one that went begins at nothing", () => {
  const rates = new RecentRates();
  const [gone, comes] = [peerOf(3), peerOf(3)];
  rates.sample(gone, 0);
  gone.bytes[PeerBytes.Sent] = 5_000_000;
  rates.sample(gone, 1_000);
  expect(rates.sentBitsPerS(gone)).toBeGreaterThan(0);
  rates.sample(comes, 2_000);
  expect([rates.sentBitsPerS(comes), rates.sentBitsPerS(gone)]).toEqual([0, 0]);
  expect(rates.loss(comes)).toBeNaN();
});
