// Sends one flood at a given rate for a given time, from as many sources as it has datagrams, in batches that were made before.
// The argument is the order as JSON; it says "ready", waits for a line of input, and reports how many it sent.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { ENDPOINT_BYTES, EndpointField, HeaderCell, openUdp, PacketBatch, RunKind } from "tun-tap-ts";
import { createNativePrimitives } from "../../src/io/native-primitives.js";
import { DISTINCT, type FloodMaterial, type FloodName, floodDatagrams } from "./datagrams.js";

export interface FloodOrder {
  readonly flood: FloodName;
  /** Datagrams a second, and seconds. */
  readonly rate: number;
  readonly seconds: number;
  readonly family: 4 | 6;
  /** Bytes of the address that is flooded. */
  readonly target: readonly number[];
  readonly port: number;
  readonly material: FloodMaterial;
}

const BATCH = 64;
const AF = { 4: 2, 6: 10 } as const;

/** The n-th source: one of 198.18.0.0/15, or one of as many networks in 2001:db8:1::/48. All are this host's own. */
function sourceAddress(family: 4 | 6, n: number): number[] {
  const [high, low] = [n >> 8, n & 255];
  return family === 4 ? [198, 18, high, low] : [0x20, 1, 0x0d, 0xb8, 0, 1, high, low, 0, 0, 0, 0, 0, 0, 0, 1];
}

function endpointsOf(order: FloodOrder): Uint8Array {
  const table = new Uint8Array(DISTINCT * ENDPOINT_BYTES);
  const view = new DataView(table.buffer);
  for (let i = 0; i < DISTINCT; i++) {
    const at = i * ENDPOINT_BYTES;
    view.setUint16(at + EndpointField.Family, AF[order.family], true);
    view.setUint16(at + EndpointField.Port, order.port);
    table.set(order.target, at + EndpointField.Address);
    view.setUint32(at + EndpointField.SourceIfindex, 1, true);
    table.set(sourceAddress(order.family, order.flood === "onesource" ? 0 : i), at + EndpointField.Source);
  }
  return table;
}

function batchesOf(datagrams: readonly Uint8Array[]): PacketBatch[] {
  const batches: PacketBatch[] = [];
  for (let first = 0; first < datagrams.length; first += BATCH) {
    const size = { slots: BATCH, runs: BATCH, endpoints: 0, arenaBytes: BATCH * 1_536 };
    const batch = new PacketBatch(size);
    let used = 0;
    datagrams.slice(first, first + BATCH).forEach((datagram, i) => {
      batch.arena.set(datagram, used);
      batch.packetOffset[i] = used;
      batch.packetLength[i] = datagram.length;
      batch.runFirst[i] = i;
      batch.runCount[i] = 1;
      batch.runKind[i] = RunKind.Raw;
      batch.runEndpoint[i] = first + i;
      used += datagram.length;
    });
    batch.header[HeaderCell.PacketCount] = BATCH;
    batch.header[HeaderCell.RunCount] = BATCH;
    batch.header[HeaderCell.ArenaUsed] = used;
    batches.push(batch);
  }
  return batches;
}

const order = JSON.parse(process.argv[2] ?? "") as FloodOrder;
const socket = openUdp({ family: order.family, offloads: false });
socket.attachEndpoints(endpointsOf(order));
const batches = batchesOf(floodDatagrams(order.flood, order.material, await createNativePrimitives()));
process.stdout.write("ready\n");
await once(process.stdin, "data");
const startMs = performance.now();
const endMs = startMs + order.seconds * 1_000;
let [offered, sent] = [0, 0];
for (let nowMs = startMs; nowMs < endMs; nowMs = performance.now()) {
  const due = ((nowMs - startMs) / 1_000) * order.rate;
  while (offered + BATCH <= due && performance.now() < endMs) {
    const batch = batches[(offered / BATCH) % batches.length]!;
    batch.packetStatus.fill(0);
    sent += socket.sendBatch(batch);
    offered += BATCH;
  }
  await sleep(1);
}
process.stdout.write(`${JSON.stringify({ sent, seconds: (performance.now() - startMs) / 1_000 })}\n`);
socket.close();
process.exit(0);
