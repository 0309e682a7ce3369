import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { deviceFamilies } from "../../src/metrics/device-families.js";
import { peerFamilies } from "../../src/metrics/peer-families.js";

const text = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");

test.each([
  ["## Metrics of each peer", peerFamilies],
  ["## Metrics of the interface and the process", deviceFamilies],
])("docs/metrics.md, %s: what the code has, word for word", (heading, families) => {
  const section = text.split(`${heading}\n`)[1]!.split("\n## ")[0]!;
  const rows = [...section.matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \| (.*) \|$/gm)].map((match) => match.slice(1));
  expect(rows).toEqual(
    families.map(({ name, type, labels, help }) => [
      name,
      type,
      labels.map((label) => `\`${label}\``).join(", "),
      help,
    ]),
  );
});

test("no query, rule or dashboard names a metric that is not there", () => {
  const known = new Set([...peerFamilies, ...deviceFamilies].map(({ name }) => name));
  const files = ["monitoring/alerts.yml", "monitoring/dashboard.json", "monitoring/alerts.test.yml", "docs/metrics.md"];
  for (const file of files) {
    const content = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    const named =
      content.match(
        /\b(?:longhaul|wireguard|process)_[a-z_]+(?:_total|_seconds|_info|_packets|_bytes|_peers|_up|_ready)(?:_bucket|_sum|_count)?\b/g,
      ) ?? [];
    const strangers = named.filter((name) => !known.has(name.replace(/_(bucket|sum|count)$/, "")));
    expect(new Set(strangers), file).toEqual(new Set());
  }
});
