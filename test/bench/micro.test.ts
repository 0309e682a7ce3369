// Every micro bench runs, small: each checks that what it measures works. Times are nobody's business here.
import { expect, test } from "vitest";
import { type Group, measureGroup } from "../../bench/micro/case.js";
import { groups, TINY } from "../../bench/micro/main.js";

test.each(Object.entries(groups))("%s", async (_, group) => {
  const results = await measureGroup(group, TINY);
  expect(results.length).toBeGreaterThan(0);
  for (const result of results) {
    expect(result.samples, result.name).toHaveLength(TINY.samples);
    expect(result.nsPerOperation, result.name).toBeGreaterThan(0);
  }
});

test("allowed-ips are measured with as many prefixes as the scale allows", async () => {
  const names = async (prefixesMax: number): Promise<string> => {
    const cases = await groups["allowedips"]!.cases({ ...TINY, prefixesMax }, () => {});
    return cases.map(({ name }) => name).join("\n");
  };
  expect(await names(10_000)).toContain("lookup IPv4, 10,000 prefixes");
  expect(await names(10)).not.toContain("10,000");
});

test("what a group has opened is closed when a case fails", async () => {
  let closed = 0;
  const group: Group = {
    name: "failing",
    cases: async (_, defer) => {
      defer(() => closed++);
      return [{ name: "fails", operations: 1, run: () => fail() }];
    },
  };
  await expect(measureGroup(group, TINY)).rejects.toThrow("on purpose");
  expect(closed).toBe(1);
});

test("cost is divided by operations, and samples of all cases are taken in turn", async () => {
  const order: string[] = [];
  const one = (name: string, ns: number, operations: number) => ({
    name,
    operations,
    run: () => {
      order.push(name);
      const endMs = performance.now() + 2; // longer than a sample: one run each
      while (performance.now() < endMs);
      return ns;
    },
  });
  const group: Group = { name: "known", cases: async () => [one("a", 1_000, 10), one("b", 600, 2)] };
  const results = await measureGroup(group, { ...TINY, samples: 2 });
  expect(results.map(({ nsPerOperation }) => nsPerOperation)).toEqual([100, 300]);
  expect(order.join("")).toBe("ababab"); // the first pair warms up
});

function fail(): number {
  throw new Error("on purpose");
}
