// Before the first real packet: two devices in memory make a handshake and pass packets with the AEAD that will be used. A
// machine that cannot do it must not carry anybody's traffic. It also lets V8 compile the paths, so that the first packets
// are as fast as the millionth.

import type { AeadChoice } from "../config/daemon-choices.js";
import { MemoryPair } from "../io/memory-pair.js";

/** Single packets, as of a ping, and runs, as of TCP; more rounds do not make the first packets faster. */
const SHAPES = [
  { packetBytes: 84, runPackets: 1, runs: 1, rounds: 4_000 },
  { packetBytes: 200, runPackets: 16, runs: 4, rounds: 150 },
] as const;

/** Rounds between pauses: a millisecond or two. */
const SLICE_ROUNDS = 32;

/**
 * Takes about a tenth of a second. Allocates what the collector takes back.
 * @param pause  awaited again and again, for a daemon that carries packets meanwhile
 * Errors: Error, naming what went wrong: packets were lost, changed or not accounted for.
 */
export async function selfTest(aead: AeadChoice, pause?: () => Promise<void>): Promise<void> {
  for (const shape of SHAPES) {
    const pair = await MemoryPair.create({ ...shape, aead });
    try {
      const before = pair.delivered;
      let intact = true;
      for (let round = 0; round < shape.rounds; round++) {
        if (round % SLICE_ROUNDS === 0) await pause?.();
        pair.fill();
        pair.pass();
        intact &&= pair.isIntact;
        pair.answer();
      }
      const expected = shape.rounds * shape.runs * shape.runPackets;
      const delivered = pair.delivered - before;
      if (delivered !== expected || !intact || pair.unaccounted !== 0) {
        throw new Error(
          `self-test: ${delivered} of ${expected} packets came through, ${intact ? "intact" : "changed"}; try another --aead`,
        );
      }
    } finally {
      pair.close();
    }
  }
}
