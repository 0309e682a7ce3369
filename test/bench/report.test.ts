// How samples become figures: medians, ratios round by round, targets met and missed.
import { describe, expect, test } from "vitest";
import { formatFailures, formatMedians, medianRatio } from "../../bench/macro/report.js";
import type { Sample } from "../../bench/macro/run.js";
import { formatTargets, judgeTargets } from "../../bench/macro/targets.js";
import { parseAead, parseCount, parseNames, UsageError } from "../../bench/support/arguments.js";
import { median, quantile, ratios, spread } from "../../bench/support/statistics.js";
import { formatNumber, formatTable } from "../../bench/support/table.js";

/** One sample a value, in rounds 1, 2, …; undefined: failed. */
function samplesOf(tunnel: string, metric: string, figure: string, values: readonly (number | undefined)[]): Sample[] {
  return values.map((value, i) => ({
    round: i + 1,
    tunnel,
    metric,
    startedAt: "2026-01-01T00:00:00.000Z",
    figures: value === undefined ? {} : { [figure]: value },
    ...(value === undefined ? { error: "iperf3: refused\nmore" } : {}),
  }));
}

describe("statistics", () => {
  test("median", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([10, 1, 2, 3])).toBe(2.5);
    expect(median([undefined, 4])).toBe(4);
    expect(median([undefined])).toBeUndefined();
  });

  test("quantile", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(quantile(hundred, 0.99)).toBe(100);
    expect(quantile(hundred, 0.5)).toBe(51);
    expect(quantile([7], 1)).toBe(7);
    expect(quantile([], 0.5)).toBeUndefined();
  });

  test("ratios pair what exists on both sides", () => {
    expect(ratios([10, undefined, 30, 40], [5, 1, undefined, 0])).toEqual([2]);
    expect(spread([2, undefined, 1])).toEqual([1, 2]);
    expect(spread([])).toBeUndefined();
  });
});

describe("report", () => {
  const key = { metric: "tcp1", figure: "mbps" };
  const samples = [
    ...samplesOf("longhaul", "tcp1", "mbps", [300, 400, 1_000]),
    ...samplesOf("wireguard-go", "tcp1", "mbps", [100, 200, 250]),
  ];

  test("ratios are taken in each round, then the median: drift of the machine cancels", () => {
    expect(medianRatio(samples, ["longhaul", "wireguard-go"], key)).toBe(3); // of 3, 2, 4; of the medians: 2
  });

  test("a round that failed on one side counts on neither", () => {
    const broken = [...samplesOf("longhaul", "tcp1", "mbps", [300, undefined]), ...samples.slice(3)];
    expect(medianRatio(broken, ["longhaul", "wireguard-go"], key)).toBe(3);
    expect(formatFailures(broken)).toEqual(["tcp1 through longhaul failed: iperf3: refused (round 2)"]);
  });

  test("medians with a column of ratios, and only rows that were measured", () => {
    const table = formatMedians(samples, ["longhaul", "wireguard-go"], ["longhaul", "wireguard-go"]);
    expect(table).toMatch(/TCP, one stream, Mbit\/s +400 +200 +3 ×/);
    expect(table).not.toContain("ping");
    expect(formatMedians(samples, ["longhaul"], ["longhaul", "wireguard-go"])).not.toContain("×");
  });

  test("numbers and columns for people", () => {
    expect([1_234_567, 12.34, 1.234, 0.1234, undefined].map(formatNumber)).toEqual([
      "1,234,567",
      "12.3",
      "1.23",
      "0.123",
      "–",
    ]);
    expect(
      formatTable([
        ["a", "b"],
        ["long", "1"],
      ]),
    ).toBe("a     b\n────  ─\nlong  1");
  });
});

describe("targets", () => {
  const verdict = (samples: Sample[], title: string, aead?: string) => {
    const found = judgeTargets(samples, aead).find((one) => one.title === title)!;
    return [found.mustHolds, found.aimHolds];
  };
  const against = (metric: string, figure: string, own: number[], theirs: number[]): Sample[] => [
    ...samplesOf("longhaul", metric, figure, own),
    ...samplesOf("wireguard-go", metric, figure, theirs),
  ];

  test.each([
    [299, [false, false]],
    [300, [true, false]],
    [500, [true, true]],
  ])("one stream at %i %% of the other's", (own, expected) => {
    expect(verdict(against("tcp1", "mbps", [own], [100]), "TCP, one stream, veth")).toEqual(expected);
  });

  test("with the slower AEAD twice the rate is enough", () => {
    const samples = against("tcp1", "mbps", [200], [100]);
    expect(verdict(samples, "TCP, one stream, veth")).toEqual([false, false]);
    expect(verdict(samples, "TCP, one stream, veth", "openssl")).toEqual([true, false]);
  });

  test.each([
    [20, 100, [false, false]],
    [10, 100, [true, false]],
    [2, 9, [false, true]],
    [2, 10, [true, true]],
  ])("ping under load of %i ms beside %i ms: both limits count", (own, theirs, expected) => {
    const samples = against("loadedping", "medianMs", [own], [theirs]);
    expect(verdict(samples, "ping under TCP load, median")).toEqual(expected);
  });

  test("a single drop in a single round fails, and so does a round without a count", () => {
    const title = "TUN drops under one TCP stream";
    expect(verdict(samplesOf("longhaul", "tcp1", "tunDrops", [0, 0, 0]), title)).toEqual([true, true]);
    expect(verdict(samplesOf("longhaul", "tcp1", "tunDrops", [0, 1, 0]), title)).toEqual([false, false]);
    expect(verdict(samplesOf("longhaul", "tcp1", "tunDrops", [0, undefined, 0]), title)).toEqual([false, false]);
  });

  test("without the other tunnel no ratio holds", () => {
    const samples = samplesOf("longhaul", "tcp1", "mbps", [1e6]);
    expect(verdict(samples, "TCP, one stream, veth")).toEqual([false, false]);
    expect(formatTargets(judgeTargets(samples, undefined))).toContain("✗ ≥ 3 ×");
  });
});

describe("options", () => {
  test("names in the order of the tables, unknown ones refused", () => {
    expect(parseNames("--only", "b,a", ["a", "b", "c"])).toEqual(["a", "b"]);
    expect(() => parseNames("--only", "a,d", ["a", "b"])).toThrow(UsageError);
    expect(() => parseNames("--only", "", ["a"])).toThrow(UsageError);
  });

  test("counts", () => {
    expect(parseCount("--rounds", "12")).toBe(12);
    for (const text of ["0", "-1", "1.5", "x", ""]) expect(() => parseCount("--rounds", text)).toThrow(UsageError);
  });

  test("an AEAD's name cannot carry a command", () => {
    expect(parseAead("ipsec-mb")).toBe("ipsec-mb");
    expect(() => parseAead("x; y")).toThrow(UsageError);
  });
});
