// Fuzzes one target of this directory under coverage. usage: main.js TARGET SECONDS SEED CORPUS-DIRECTORY/ [keep]
// Prints one line of JSON; what was found goes to standard error, with the input. `keep` writes what to keep of the corpus.

import { corpusPath, readCorpus, writeCorpus } from "./corpus.js";
import { Coverage } from "./coverage.js";
import { Fuzzer } from "./engine.js";
import { decode } from "./random.js";

const FINDINGS_MAX = 8;

/** Where coverage is counted: `dist-fuzz/src/…js` for `src/…ts`. */
function isCoveredBy(covers: readonly string[]): (url: string) => boolean {
  const parts = covers.map((path) => `/dist-fuzz/${path.replace(/\.ts$/, ".js")}`);
  return (url) => parts.some((part) => url.includes(part));
}

async function main([name = "", seconds = "10", seed = "1", directory = "", keep]: string[]): Promise<number> {
  // Coverage is counted from before the code is loaded; what the target covers is known only afterwards.
  let covers: readonly string[] = ["src/"];
  const coverage = new Coverage((url) => isCoveredBy(covers)(url));
  await coverage.start();
  const { fuzzTargets } = await import("./targets.js");
  const target = fuzzTargets.find((one) => one.name === name);
  if (target === undefined) {
    process.stderr.write(`no target ${name}; there is ${fuzzTargets.map((one) => one.name).join(", ")}\n`);
    return 2;
  }
  covers = target.covers;
  await coverage.take(true);
  const path = corpusPath(directory, name);
  const options = { seconds: Number(seconds), seed: Number(seed), corpus: readCorpus(path), findingsMax: FINDINGS_MAX };
  const { executions, seconds: took, findings, kept, slowestMs } = await new Fuzzer(target, coverage, options).run();
  const { ran, known, shapes } = coverage.total();
  for (const { input, error } of findings) {
    process.stderr.write(`${name}: ${error.stack}\n  input: ${JSON.stringify(decode(input))}\n`);
  }
  if (keep !== undefined) writeCorpus(path, kept);
  const line = { target: name, seed: options.seed, seconds: Math.round(took), executions, findings: findings.length };
  process.stdout.write(
    `${JSON.stringify({ ...line, covered: ran / known, shapes, kept: kept.length, slowestMs: Math.round(slowestMs) })}\n`,
  );
  coverage.stop();
  return findings.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
