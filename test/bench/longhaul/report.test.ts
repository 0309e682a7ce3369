import { describe, expect, test } from "vitest";
import { renderHtml } from "../../../bench/longhaul/html.js";
import { readReports } from "../../../bench/longhaul/loads.js";
import { scenario } from "../../../bench/longhaul/scenarios.js";
import { summarise } from "../../../bench/longhaul/summary.js";
import { formatSummaries } from "../../../bench/longhaul/table.js";
import { judge } from "../../../bench/longhaul/targets.js";
import { counts, result, sample } from "./results.js";

describe("what a load came to", () => {
  const interval = (start: number, mbit: number): object => ({
    sum: { start, end: start + 0.5, seconds: 0.5, bytes: (mbit * 1e6 * 0.5) / 8, bits_per_second: mbit * 1e6 },
  });
  const sender = JSON.stringify({
    intervals: [],
    end: { sum_sent: { retransmits: 7 }, sender_tcp_congestion: "cubic" },
  });

  test("overall, after slow start, and every half second; the tail behind the sender's time counts only as bytes", () => {
    const intervals = [10, 30, 100, 100, 100, 100, 100, 100].map((mbit, i) => interval(i / 2, mbit));
    const receiver = JSON.stringify({ intervals: [...intervals, interval(4, 40)], end: {} });
    const { mbps, mbpsSettled, seriesMbps, retransmits, bytes } = readReports(sender, "", receiver, 4, "cubic");
    expect([mbps, mbpsSettled, retransmits]).toEqual([80, 100, 7]);
    expect(seriesMbps).toEqual([10, 30, 100, 100, 100, 100, 100, 100]);
    expect(bytes).toBeCloseTo((680 * 1e6 * 0.5) / 8);
  });

  test("what iperf3 says of itself is passed on", () => {
    expect(() => readReports("", "no route", "", 4, "cubic")).toThrow("no route");
    expect(() => readReports('{"error":"unable to connect"}', "", "", 4, "cubic")).toThrow("unable to connect");
    expect(() => readReports(sender, "", "", 4, "cubic")).toThrow("receiver");
    expect(() => readReports(sender, "", "{}", 4, "bbr")).toThrow("under cubic, not bbr");
  });
});

describe("summaries", () => {
  test("ratios are taken inside a round, and then their median", () => {
    const rates = [
      ["longhaul", [90, 450, 96]],
      ["none", [100, 500, 96]],
    ] as const;
    const samples = rates.flatMap(([tunnel, values]) =>
      values.map((mbps, i) => sample({ tunnel, round: i + 1, mbps, mbpsSettled: mbps })),
    );
    const [longhaul] = summarise(samples, 20);
    expect(longhaul).toMatchObject({ tunnel: "longhaul", mbps: 96, share: 0.9, rounds: 3 });
  });

  test("a failed round counts nowhere; drops are medians, and the worst", () => {
    const samples = [0, 4, 2].map((tun, i) => sample({ round: i + 1, drops: { tun, queue: 10 * tun } }));
    const { tunnel, scenario: name, load, startedAt } = samples[0]!;
    const failed = { tunnel, scenario: name, load, startedAt, round: 4, error: "it broke" };
    const [summary] = summarise([...samples, failed], 20);
    expect(summary).toMatchObject({ rounds: 3, drops: { tun: 2, queue: 20 }, worst: { tun: 4 } });
  });

  test("pings idle and loaded, processor time for a gigabyte, cores of the emulator, late deliveries", () => {
    const idle = { ...sample({ load: "idle", pingsMs: [80, 82, 81] }), mbps: undefined } as never;
    const link = { forward: counts({ framesOut: 90, lateOver1Ms: 2 }), backward: counts({ framesOut: 10 }) };
    const one = sample({
      ...{ pingsMs: [130, 90, 100], bytes: 2e9, daemonCpuSeconds: 8 },
      link: { ...link, cpuSeconds: 6, unaccounted: 0 },
    });
    expect(summarise([idle, one], 20)[0]).toMatchObject({
      ...{ idlePingMs: 81, pingMs: 100, pingP99Ms: 130, cpuSecondsPerGb: 4, emulatorCores: 0.3, latePercent: 2 },
    });
  });
});

describe("targets", () => {
  const verdicts = (share: number, tun = 0): string[] => {
    const samples = [
      sample({ tunnel: "none", mbps: 900, mbpsSettled: 940 }),
      sample({ mbps: 900 * share, mbpsSettled: 940 * share, drops: { tun, socket: 0 } }),
    ];
    return judge(summarise(samples, 20), samples).flatMap(({ title, holds }) =>
      title.startsWith("office") ? [`${holds}`] : [],
    );
  };

  test("shares of the bare link, and no drop in any round", () => {
    expect(verdicts(0.96)).toEqual(["true", "true", "true", "true"]);
    expect(verdicts(0.94)).toEqual(["false", "false", "true", "true"]);
    expect(verdicts(0.96, 1)).toEqual(["true", "true", "false", "true"]);
  });

  test("the lab has its own: rate, ping, processor, ledger", () => {
    const bare = sample({ tunnel: "none", mbps: 900, mbpsSettled: 940 });
    const idle = sample({ tunnel: "none", load: "idle", pingsMs: [80.4] });
    const judged = (samples: ReturnType<typeof sample>[]): Record<string, boolean> =>
      Object.fromEntries(judge(summarise(samples, 20), samples).map(({ title, holds }) => [title, holds]));
    expect(Object.values(judged([bare, idle]))).toEqual([true, true, true, true]);
    const bad = sample({
      ...{ tunnel: "none", mbps: 1, mbpsSettled: 1 },
      link: { forward: counts({}), backward: counts({}), cpuSeconds: 10, unaccounted: 1 },
    });
    expect(Object.values(judged([bad]))).toEqual([false, false, false, false]);
  });
});

describe("reports", () => {
  test("the table has a row for every tunnel", () => {
    const { summaries } = result();
    const text = formatSummaries([scenario("office")], [{ name: "cubic1", title: "CUBIC, one stream" }], summaries);
    expect(text).toMatch(/^office: .*CUBIC, one stream\n/);
    expect(text).toMatch(/\nlonghaul +\d/);
    expect(text).toMatch(/\nnone +\d.* – /);
  });

  test("the page loads nothing and its data cannot end its script", () => {
    const html = renderHtml(JSON.stringify({ ...result(), absent: ["</script><script>alert(1)</script><!--"] }));
    expect(html).not.toMatch(/(src|href)=/);
    expect(html.match(/<script/g)).toHaveLength(5); // four of its own, one inside the data
    expect(html.match(/<\/script>/g)).toHaveLength(4);
    expect(html).toContain("uPlot");
  });
});
