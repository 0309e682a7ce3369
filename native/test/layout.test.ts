import { expect, test } from "vitest";
import { addon, attachBatch } from "../addon.js";
import {
  ENDPOINT_BYTES,
  EndpointField,
  HEADER_CELLS,
  HEADROOM_BYTES,
  HeaderCell,
  NO_ENDPOINT,
  NO_KEY,
  PAD_TO_BYTES,
  PacketBatch,
  RunKind,
  TAG_BYTES,
} from "../packet-batch.js";
import { ABSENCE_CELLS, AbsenceCell, TIMER_BIT } from "../poller.js";
import { CLOCK_CELLS, ClockCell } from "../system.js";
import { FRAME_BYTES_MAX, LINK_CELLS, LinkCell, TUN_STAT_COUNT, TunStat } from "../tun.js";
import { DATAGRAMS_PER_MESSAGE, RECEIVE_STRETCH_BYTES, SMALL_DATAGRAM_BYTES, UDP_STAT_COUNT, UdpStat } from "../udp.js";

/** { Reads: 0 } with prefix "kTun" → { kTunReads: 0 } */
function named(prefix: string, table: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [prefix + name, value]));
}

test("every number that TypeScript repeats is native code's, and none is missing", () => {
  expect(addon.layoutConstants(0, 0, 0, 0).constants).toEqual({
    ...named("kCell", HeaderCell),
    ...named("kRun", RunKind),
    ...named("kTun", TunStat),
    ...named("kUdp", UdpStat),
    ...named("kLink", LinkCell),
    ...named("kClock", ClockCell),
    kHeaderCells: HEADER_CELLS,
    kHeadroomBytes: HEADROOM_BYTES,
    kTagBytes: TAG_BYTES,
    kPadToBytes: PAD_TO_BYTES,
    kNoKey: NO_KEY,
    kNoEndpoint: NO_ENDPOINT,
    kTunStatCount: TUN_STAT_COUNT,
    kUdpStatCount: UDP_STAT_COUNT,
    kLinkCells: LINK_CELLS,
    kClockCells: CLOCK_CELLS,
    ...named("kAbsence", AbsenceCell),
    kAbsenceCells: ABSENCE_CELLS,
    kTimerBit: TIMER_BIT,
    kFrameBytesMax: FRAME_BYTES_MAX,
    kReceiveStretchBytes: RECEIVE_STRETCH_BYTES,
    kDatagramsPerMessage: DATAGRAMS_PER_MESSAGE,
    kSmallDatagramBytes: SMALL_DATAGRAM_BYTES,
    family: EndpointField.Family,
    portNetworkOrder: EndpointField.Port,
    scopeId: EndpointField.ScopeId,
    address: EndpointField.Address,
    sourceIfindex: EndpointField.SourceIfindex,
    source: EndpointField.Source,
    gsoRefusedUntilMs: EndpointField.GsoRefusedUntilMs,
    endpointBytes: ENDPOINT_BYTES,
  });
});

test.each([
  [{ slots: 1, runs: 1, endpoints: 0, arenaBytes: 100 }],
  [{ slots: 1023, runs: 77, endpoints: 3, arenaBytes: 65_536 }],
  [{ slots: 4096, runs: 4096, endpoints: 64, arenaBytes: 1 << 22 }],
])("columns of %o stand where native code looks for them", (size) => {
  const batch = new PacketBatch(size);
  const native = addon.layoutConstants(size.slots, size.runs, size.endpoints, size.arenaBytes);
  for (const [name, at] of Object.entries(native)) {
    if (name === "constants") continue;
    if (name === "totalBytes") expect(at, name).toBe(batch.buffer.byteLength);
    else expect(at, name).toBe((batch[name as keyof PacketBatch] as Uint8Array).byteOffset);
  }
  expect(Object.keys(native)).toHaveLength(16);
});

test("a batch that does not fit its buffer, and one of another shape, are refused", () => {
  const { buffer } = new PacketBatch({ slots: 8, runs: 8, endpoints: 1, arenaBytes: 1024 });
  expect(addon.attachBatch(buffer, 8, 8, 1, 1024)).toBeGreaterThanOrEqual(0);
  expect(addon.attachBatch(buffer, 8, 8, 1, 2048)).toBe(-1);
  expect(addon.attachBatch(buffer, 1 << 20, 8, 1, 1024)).toBe(-1);
  expect(addon.attachBatch(buffer, -1, 8, 1, 1024)).toBe(-1);
  expect(addon.attachBatch({} as ArrayBuffer, 8, 8, 1, 1024)).toBe(-1);
});

test("memory that native code holds does not move to another thread", () => {
  const batch = new PacketBatch({ slots: 8, runs: 8, endpoints: 1, arenaBytes: 1024 });
  attachBatch(batch);
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(batch.buffer, [batch.buffer]);
  } catch {
    // Newer Node.js says no; older copies instead.
  }
  port1.close();
  port2.close();
  expect(batch.header).toHaveLength(HEADER_CELLS);
});
