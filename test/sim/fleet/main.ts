// `npm run sim`: runs seeds, and says of the first that fails how to run it again.

import { parseArgs } from "node:util";
import { failureText, runSeed } from "./run-seed.js";

const USAGE = `usage: npm run sim -- [--seed N] [--seeds COUNT] [--minutes M] [--crypto toy|reference] [--hash]
  --seed N      the first seed; without it a fresh one, which is said
  --seeds COUNT seeds to run from there on; 1
  --minutes M   virtual minutes of each; without it a few, drawn by the seed
  --crypto C    instead of one seed in 64 with real cryptography
  --hash        prints the hash of everything that happened, a line a seed
`;

class UsageError extends Error {}

const options = {
  seed: { type: "string" },
  seeds: { type: "string", default: "1" },
  minutes: { type: "string" },
  crypto: { type: "string" },
  hash: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

function parseCount(name: string, text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffffffff) throw new UsageError(`--${name} ${text}: write a number`);
  return Number(text);
}

async function main(words: string[]): Promise<number> {
  const { values } = parseArgs({ args: words, options });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { crypto } = values;
  if (crypto !== undefined && crypto !== "toy" && crypto !== "reference") throw new UsageError(`--crypto ${crypto}?`);
  const minutes = values.minutes === undefined ? undefined : parseCount("minutes", values.minutes);
  const first = values.seed === undefined ? freshSeed() : parseCount("seed", values.seed);
  const count = parseCount("seeds", values.seeds);
  if (values.seed === undefined) process.stdout.write(`seeds from ${first}\n`);
  const sum = { packets: 0, delivered: 0, events: 0, virtualMs: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const result = await runSeed({ seed, minutes, crypto });
    if (values.hash) process.stdout.write(`${seed} ${result.hash}\n`);
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += result[key];
    if (result.failure === undefined) continue;
    process.stdout.write(failureText(result, { seed, minutes, crypto }));
    return 1;
  }
  const hours = (sum.virtualMs / 3_600_000).toFixed(1);
  process.stdout.write(
    `${count} seeds clean: ${hours} h of virtual time, ${sum.events} events, ${sum.packets} packets, ${sum.delivered} delivered\n`,
  );
  return 0;
}

function freshSeed(): number {
  return (Date.now() * 1_000 + process.pid) % 0x7fffffff;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  const isUsage = error instanceof UsageError || code?.startsWith("ERR_PARSE_ARGS") === true;
  process.stderr.write(`sim: ${message}\n${isUsage ? USAGE : ""}`);
  process.exitCode = isUsage ? 2 : 1;
}
