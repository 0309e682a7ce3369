// `npm run sim:planted`: plants each bug in a copy of the code, compiles it, and runs seeds until one fails. Fails if a bug gets
// through, or if the copy without a bug does not pass.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { planted, plantedBugs } from "./bugs.js";

const USAGE = `usage: npm run sim:planted -- [--seeds COUNT] [--seed N] [--bug TEXT]
  --seeds COUNT  seeds to try at most; 1000
  --seed N       the first; 1
  --bug TEXT     only bugs whose name has it
`;
const root = fileURLToPath(new URL("../../../..", import.meta.url));
const COPIED = ["src/core", "src/daemon", "src/system", "native/packet-batch.ts", "test/sim", "package.json"];
const CONFIGS = ["tsconfig.base.json", "tsconfig.sim.json"];

interface Caught {
  readonly bug: string;
  readonly invariant: string;
  readonly seeds: number;
}

function copyCode(work: string): string {
  const copy = mkdtempSync(join(work, "copy-"));
  for (const path of [...COPIED, ...CONFIGS]) cpSync(join(root, path), join(copy, path), { recursive: true });
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false };
  const config = JSON.stringify({
    extends: "./tsconfig.sim.json",
    compilerOptions,
    include: ["test/sim/fleet/main.ts"],
  });
  writeFileSync(join(copy, "tsconfig.planted.json"), config);
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

function compile(copy: string): void {
  const tsc = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.planted.json"], {
    cwd: copy,
    encoding: "utf8",
  });
  if (tsc.status !== 0) throw new Error(`the copy does not compile:\n${tsc.stdout}${tsc.stderr}`);
}

/** @returns what caught it, or undefined: the seeds are clean */
function simulate(copy: string, bug: string, first: number, seeds: number): Caught | undefined {
  const args = ["dist-sim/test/sim/fleet/main.js", "--seed", `${first}`, "--seeds", `${seeds}`];
  const run = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8", maxBuffer: 1 << 26 });
  const failed = /^seed (\d+) failed after [\d.]+ s: \[(\w+)\]/m.exec(run.stdout);
  if (failed !== null) return { bug, invariant: failed[2], seeds: Number(failed[1]) - first + 1 };
  if (run.status !== 0) throw new Error(`"${bug}": the simulation itself failed:\n${run.stdout}${run.stderr}`);
  return undefined;
}

function main(words: string[]): number {
  const { values } = parseArgs({
    args: words,
    options: {
      seeds: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      bug: { type: "string", default: "" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [seeds, first] = [Number(values.seeds), Number(values.seed)];
  const wanted = plantedBugs.filter(({ name }) => name.includes(values.bug));
  const work = mkdtempSync(join(tmpdir(), "longhaul-planted-"));
  let missed = 0;
  try {
    process.stdout.write("| Planted bug | Caught by | Seeds |\n|---|---|---|\n");
    for (const bug of wanted) {
      const copy = copyCode(work);
      for (const [path, text] of planted(copy, bug)) writeFileSync(join(copy, path), text);
      compile(copy);
      const caught = simulate(copy, bug.name, first, seeds);
      rmSync(copy, { recursive: true });
      if (caught === undefined) missed++;
      process.stdout.write(`| ${bug.name} | ${caught?.invariant ?? "nothing"} | ${caught?.seeds ?? `> ${seeds}`} |\n`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  process.stdout.write(`${wanted.length - missed} of ${wanted.length} bugs caught within ${seeds} seeds\n`);
  return missed === 0 && wanted.length > 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
