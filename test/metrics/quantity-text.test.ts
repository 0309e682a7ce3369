// Quantities as text: units change where they should, and rounding never shows 1000 of the smaller one.
import { expect, test } from "vitest";
import {
  bitRateText,
  bytesText,
  countText,
  durationText,
  millisecondsText,
  momentText,
  percentText,
} from "../../src/metrics/quantity-text.js";
import { NOW_MS } from "./facts.js";

test.each([
  [bitRateText(0), "0 bit/s"],
  [bitRateText(999), "999 bit/s"],
  [bitRateText(999.7), "1.0 kbit/s"],
  [bitRateText(412_345_678), "412 Mbit/s"],
  [bitRateText(999_600_000), "1.0 Gbit/s"],
  [bytesText(148), "148 B"],
  [bytesText(1_536), "1.5 KiB"],
  [bytesText(5 * 2 ** 40), "5.0 TiB"],
  [percentText(0), "0 %"],
  [percentText(0.000_001), "< 0.01 %"],
  [percentText(0.0002), "0.02 %"],
  [percentText(0.034), "3.4 %"],
  [percentText(1), "100 %"],
  [millisecondsText(0.42), "0.4 ms"],
  [millisecondsText(81.4), "81 ms"],
  [millisecondsText(1_234), "1.2 s"],
  [durationText(-5), "0 s"],
  [durationText(119_999), "119 s"],
  [durationText(120_000), "2 min"],
  [durationText(3 * 3_600_000), "3 h"],
  [durationText(3 * 3_600_000 + 1_200_000), "3 h 20 min"],
  [durationText(5 * 86_400_000), "5 days"],
  [momentText(NOW_MS - 120_000, NOW_MS), "11:58"],
  [momentText(NOW_MS - 13 * 3_600_000, NOW_MS), "2026-11-23 23:00"],
  [countText(1, "packet"), "1 packet"],
  [countText(12_345, "packet"), "12,345 packets"],
  [countText(1_234_567, "packet"), "1,234,567 packets"],
  [countText(999, "packet"), "999 packets"],
])("%s", (text, expected) => expect(text).toBe(expected));
