// `npm run bench:micro`: what the parts cost, one core, no kernel.
import { parseArgs } from "node:util";
import { parseCount, parseNames } from "../support/arguments.js";
import { Progress } from "../support/progress.js";
import { describeSetting, formatMachine, saveResult } from "../support/result.js";
import { formatNumber, formatTable } from "../support/table.js";
import { addonGroup, aeadGroup } from "./aead.js";
import { type CaseResult, type Group, measureGroup, type Scale } from "./case.js";
import { handshakeGroup } from "./handshake.js";
import { pathGroup } from "./path.js";
import { allowedIpsGroup, replayGroup, timersGroup } from "./structures.js";

export const groups: Readonly<Record<string, Group>> = {
  aead: aeadGroup,
  addon: addonGroup,
  replay: replayGroup,
  allowedips: allowedIpsGroup,
  timers: timersGroup,
  handshake: handshakeGroup,
  path: pathGroup,
};

export const MICRO_USAGE = `usage: npm run bench:micro -- [OPTION]…
  --only NAMES    ${Object.keys(groups).join(",")} (all)
  --samples N     samples, of which medians are taken (9)
  --ms N          how long one sample lasts at least (100)
  --tiny          everything, once and small: to see that it works
  --out FILE      where the JSON goes (bench/results/DATE-COMMIT-micro.json)
`;

/** Enough to see that a bench works. */
export const TINY: Scale = { samples: 1, sampleMs: 1, prefixesMax: 10_000, timers: 1_000 };

/** Runs the bench. @returns exit status 0. Errors: UsageError; throws when something measured does not work. */
export async function micro(words: string[]): Promise<number> {
  const { values } = parseArgs({
    args: words,
    options: {
      only: { type: "string", default: Object.keys(groups).join(",") },
      samples: { type: "string", default: "9" },
      ms: { type: "string", default: "100" },
      tiny: { type: "boolean", default: false },
      out: { type: "string" },
    },
  });
  const names = parseNames("--only", values.only, Object.keys(groups));
  const samples = parseCount("--samples", values.samples);
  const sampleMs = parseCount("--ms", values.ms);
  const scale = values.tiny ? TINY : { samples, sampleMs, prefixesMax: 1_000_000, timers: 100_000 };
  const progress = new Progress(names.length);
  const results: CaseResult[] = [];
  for (const name of names) {
    const group = groups[name]!;
    results.push(...(await progress.step(group.name, 1, () => measureGroup(group, scale))));
  }
  progress.end();
  const setting = await describeSetting();
  const path = await saveResult("micro", values.out, setting, { scale, results });
  process.stdout.write(`${formatMachine(setting)}\nMedians of ${scale.samples}.\n\n`);
  process.stdout.write(`${formatResults(results)}\n\nAll samples: ${path}\n`);
  return 0;
}

function formatResults(results: readonly CaseResult[]): string {
  const rows = results.map(({ group, name, nsPerOperation: ns, bytes }, i) => [
    group === results[i - 1]?.group ? "" : group,
    name,
    formatNumber(ns),
    formatNumber(ns === undefined ? undefined : 1e9 / ns),
    bytes === undefined || ns === undefined ? "" : formatNumber(bytes / ns),
  ]);
  return formatTable([["", "", "ns each", "a second", "GB/s"], ...rows], [0, 1]);
}
