// Every bench by its name; `npm run bench` is `all`: the micro benches, then the macro bench with the options given.
import { COMPARE_USAGE, compare } from "./compare/main.js";
import { FLOOD_USAGE, flood } from "./flood/main.js";
import { LONGHAUL_USAGE, longhaul } from "./longhaul/main.js";
import { MACRO_USAGE, macro, readMacroOptions } from "./macro/main.js";
import { MICRO_USAGE, micro } from "./micro/main.js";
import { SCALE_USAGE, scale } from "./scale/main.js";
import { SCRAPE_USAGE, scrape } from "./scrape/main.js";
import { SOAK_USAGE, soak } from "./soak/main.js";
import { UsageError } from "./support/arguments.js";

type Bench = { readonly usage: string; run(words: string[]): Promise<number> };

const benches: Readonly<Record<string, Bench>> = {
  micro: { usage: MICRO_USAGE, run: micro },
  macro: { usage: MACRO_USAGE, run: macro },
  longhaul: { usage: LONGHAUL_USAGE, run: longhaul },
  flood: { usage: FLOOD_USAGE, run: flood },
  scale: { usage: SCALE_USAGE, run: scale },
  soak: { usage: SOAK_USAGE, run: soak },
  compare: { usage: COMPARE_USAGE, run: compare },
  scrape: { usage: SCRAPE_USAGE, run: scrape },
  all: { usage: MACRO_USAGE.replace("bench:macro", "bench"), run: everything },
};

async function everything(words: string[]): Promise<number> {
  readMacroOptions(words); // a mistake shows before the first measurement
  return (await micro([])) || (await macro(words));
}

const [verb = "", ...words] = process.argv.slice(2);
const usage = benches[verb]?.usage ?? `usage: bench ${Object.keys(benches).join(" | ")}\n`;

async function main(): Promise<number> {
  if (words.includes("--help") || words.includes("-h")) {
    process.stdout.write(usage);
    return 0;
  }
  const bench = benches[verb];
  if (bench === undefined) throw new UsageError(`no such bench: ${verb}`);
  return bench.run(words);
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  const isUsage = error instanceof UsageError || code?.startsWith("ERR_PARSE_ARGS") === true;
  process.stderr.write(`bench: ${message}\n${isUsage ? usage : ""}`);
  process.exitCode = isUsage ? 2 : 1;
}
