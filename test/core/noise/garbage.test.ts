// Garbage that fails mac1 is cheap: no allocation a datagram, and far less work than a handshake message.
import { beforeAll, expect, test } from "vitest";
import { CookieChecker } from "../../../src/core/noise/cookie.js";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import { hex, pattern } from "./bytes.js";
import { consume, createPair, initiate } from "./pair.js";

let p: Primitives;
beforeAll(async () => {
  p = await createPrimitives();
});

const ARENA = pattern(65_536, 3);
const SOURCE = hex("c0000207cb12");

function checkGarbage(checker: CookieChecker, datagrams: number): void {
  for (let i = 0; i < datagrams; i++) {
    const offset = (i * 149) % 65_000;
    if (checker.checkMac1(ARENA, offset, i % 2 === 0 ? 148 : 92)) throw new Error("garbage passed mac1");
    if (checker.checkMac2(ARENA, offset, 148, SOURCE, 1)) throw new Error("garbage passed mac2");
  }
}

/** Bytes by which the heap grew; a collection in one round is not seen in the median. */
function medianGrowth(run: () => void): number {
  const growths: number[] = [];
  for (let round = 0; round < 9; round++) {
    const before = process.memoryUsage().heapUsed;
    run();
    growths.push(process.memoryUsage().heapUsed - before);
  }
  return growths.sort((a, b) => a - b)[4];
}

test("checkMac1 and checkMac2 allocate nothing", () => {
  const { bob } = createPair(p);
  const checker = new CookieChecker(p, bob.identity, (into) => into.fill(1));
  checker.createReply(new Uint8Array(64), initiate(createPair(p).alice), 0, 148, SOURCE, 0);
  checkGarbage(checker, 20_000);
  // One object or view a datagram would be 16 bytes and more: 320 KB.
  expect(medianGrowth(() => checkGarbage(checker, 20_000))).toBeLessThan(64_000);
  // The meter itself works.
  const kept: Uint8Array[] = [];
  expect(medianGrowth(() => void kept.push(...Array.from({ length: 5_000 }, () => ARENA.subarray(1))))).toBeGreaterThan(
    64_000,
  );
});

test("checkMac1 costs a tenth of consuming a forged initiation at most", () => {
  const { alice, bob } = createPair(p);
  const checker = new CookieChecker(p, bob.identity, () => {});
  const forged = initiate(alice);
  forged[50] ^= 1;
  checkGarbage(checker, 20_000);
  const mac1Ms = fastest(() => checker.checkMac1(ARENA, 5, 148));
  const initiationMs = fastest(() => consume(bob, forged));
  expect(initiationMs / mac1Ms).toBeGreaterThan(10);
});

/** Milliseconds of one call, from the quickest of 20 rounds of 20. */
function fastest(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    const start = performance.now();
    for (let i = 0; i < 20; i++) run();
    best = Math.min(best, (performance.now() - start) / 20);
  }
  return best;
}
