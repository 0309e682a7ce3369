// Seal and open of batches of 45 packets by every AEAD backend of this machine, and what one call into the addon costs.
import {
  type AeadBackendName,
  aeadBackends,
  CLOCK_CELLS,
  createAead,
  HEADROOM_BYTES,
  HeaderCell,
  PacketBatch,
  RunKind,
  readClock,
  TAG_BYTES,
} from "tun-tap-ts";
import { type Case, type Group, must, timeNs } from "./case.js";

const SIZES = [64, 576, 1_420, 8_920] as const;
const PACKETS = 45;
const CALLS = 10_000;

export const aeadGroup: Group = {
  name: "AEAD, batches of 45",
  async cases(_, defer) {
    const cases: Case[] = [];
    for (const backend of aeadBackends()) {
      const aead = createAead({ backend: backend as AeadBackendName, keySlots: 1 });
      defer(() => aead.close());
      aead.setKey(0, new Uint8Array(32).fill(7));
      for (const bytes of SIZES) {
        const batch = fillBatch(bytes);
        const seal = (): void => must(aead.seal(batch) === PACKETS, `${backend} does not seal`);
        const open = (): void => must(aead.open(batch) === PACKETS, `${backend} does not open`);
        // Each leaves what the other takes.
        const times = (timed: () => void, first: boolean): number => {
          const ns = first ? timeNs(timed) : 0;
          (first ? open : seal)();
          const later = first ? 0 : timeNs(timed);
          batch.runCounter[0] += PACKETS;
          return ns + later;
        };
        const name = `${backend}, ${bytes.toLocaleString("en-US")} bytes`;
        cases.push({ name: `seal ${name}`, operations: PACKETS, bytes, run: () => times(seal, true) });
        cases.push({ name: `open ${name}`, operations: PACKETS, bytes, run: () => times(open, false) });
      }
    }
    return cases;
  },
};

export const addonGroup: Group = {
  name: "addon call",
  async cases(_, defer) {
    const aead = createAead({ keySlots: 1 });
    defer(() => aead.close());
    const empty = new PacketBatch({ slots: 1, runs: 1, endpoints: 0, arenaBytes: 64 });
    const clock = new Float64Array(CLOCK_CELLS);
    const repeat = (work: () => void) => (): number =>
      timeNs(() => {
        for (let i = 0; i < CALLS; i++) work();
      });
    return [
      { name: "seal of an empty batch", operations: CALLS, run: repeat(() => void aead.seal(empty)) },
      { name: "readClock", operations: CALLS, run: repeat(() => readClock(clock)) },
    ];
  },
};

/** One run of packets, laid out as a TUN read leaves them. */
function fillBatch(bytes: number): PacketBatch {
  const stride = HEADROOM_BYTES + bytes + TAG_BYTES;
  const batch = new PacketBatch({ slots: PACKETS, runs: 1, endpoints: 0, arenaBytes: (PACKETS + 1) * (stride + 16) });
  for (let slot = 0; slot < PACKETS; slot++) {
    batch.packetOffset[slot] = slot * stride + HEADROOM_BYTES;
    batch.packetLength[slot] = bytes;
  }
  batch.header[HeaderCell.PacketCount] = PACKETS;
  batch.header[HeaderCell.RunCount] = 1;
  batch.header[HeaderCell.PadLimit] = bytes;
  batch.runCount[0] = PACKETS;
  batch.runKind[0] = RunKind.Data;
  batch.runReceiver[0] = 1;
  return batch;
}
