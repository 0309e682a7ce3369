// A packet's whole way, in memory: routed, sealed, looked up, opened, checked against replay and source.

import { MemoryPair } from "../../src/io/memory-pair.js";
import { type Group, must, timeNs } from "./case.js";

const SHAPE = { runPackets: 45, runs: 8 } as const;
const PAIR_PACKETS = SHAPE.runPackets * SHAPE.runs;

export const pathGroup: Group = {
  name: "send and receive path, AEAD included",
  async cases(_, defer) {
    const cases = [];
    for (const bytes of [64, 1_420]) {
      const pair = await MemoryPair.create({ packetBytes: bytes, ...SHAPE });
      defer(() => pair.close());
      const run = (): number => {
        const before = pair.delivered;
        pair.fill();
        const ns = timeNs(() => pair.pass());
        must(pair.delivered - before === PAIR_PACKETS, `${pair.delivered - before} packets delivered`);
        pair.answer();
        return ns;
      };
      cases.push({ name: `${bytes.toLocaleString("en-US")} bytes, both ends`, operations: PAIR_PACKETS, bytes, run });
    }
    return cases;
  },
};
