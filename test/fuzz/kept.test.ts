// The fuzz targets of this directory over the inputs that are kept, and over some new ones. No timing, no coverage: that is
// `npm run fuzz`. A failing seed is replayed with FUZZ_SEED.

import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { corpusPath, readCorpus } from "./corpus.js";
import { decode, FuzzRandom, mutate } from "./random.js";
import type { FuzzTarget } from "./target.js";
import { fuzzTargets } from "./targets.js";

const directory = fileURLToPath(new URL("corpus/", import.meta.url));
const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** Of the protocol core an input is a whole story. */
const inputsOf = (target: FuzzTarget): number => (target.name === "device" ? 60 : 400);

async function checkAll(target: FuzzTarget, inputs: Iterable<Uint8Array>): Promise<void> {
  for (const input of inputs) {
    try {
      await target.check(Uint8Array.from(input));
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed}, input ${JSON.stringify(decode(input))}`, { cause: error });
    }
  }
}

describe.each(fuzzTargets)("$name", (target) => {
  const kept = readCorpus(corpusPath(directory, target.name));

  test("what was kept", async () => {
    expect(kept.length).toBeGreaterThan(0);
    await checkAll(target, kept);
  });

  test("something new", async () => {
    const random = new FuzzRandom(seed);
    const inputs = Array.from({ length: inputsOf(target) }, () => {
      const base = random.oneIn(3) ? random.pick(kept) : target.make(random.below(2 ** 31));
      return mutate(random, base, random.pick(kept), target.dictionary).subarray(0, target.bytesMax);
    });
    await checkAll(target, inputs);
  });
});
