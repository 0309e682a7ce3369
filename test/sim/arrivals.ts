// Datagrams on their arrival, as a receive puts them into a batch: what comes in a row from one source for one receiver is a run.

import { ENDPOINT_BYTES, HeaderCell, type PacketBatch } from "../../native/packet-batch.js";
import type { EndpointAddress } from "../../src/core/device/update.js";
import { writeEndpoint } from "../../src/core/transport/endpoint-address.js";
import { NO_KEY, RunKind } from "../../src/core/transport/packet-batch.js";

export interface Arrival {
  readonly bytes: Uint8Array;
  readonly from: string;
  readonly tos?: number;
}

/**
 * Describes the datagram in `slot`, whose bytes and offset are there already.
 * @param before  the one in the slot before  @param source  `arrival.from`, parsed
 */
export function addArrival(
  batch: PacketBatch,
  slot: number,
  { bytes, from, tos = 0 }: Arrival,
  before: Arrival | undefined,
  source: EndpointAddress,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  const exact = { 1: 148, 2: 92, 3: 64 }[type];
  const isData = type === 4 && bytes.length >= 32;
  const receiver = isData ? view.getUint32(4, true) : 0;
  batch.packetLength[slot] = bytes.length;
  batch.packetStatus[slot] = 0;
  batch.packetCounter[slot] = isData ? Number(view.getBigUint64(8, true)) : 0;
  batch.header[HeaderCell.PacketCount] = slot + 1;
  const last = batch.header[HeaderCell.RunCount] - 1;
  const joins = isData && last >= 0 && batch.runKind[last] === RunKind.Data && batch.runReceiver[last] === receiver;
  if (joins && before?.from === from && (before.tos ?? 0) === tos) {
    batch.runCount[last]++;
    return;
  }
  const run = batch.header[HeaderCell.RunCount]++;
  batch.runFirst[run] = slot;
  batch.runCount[run] = 1;
  batch.runKind[run] = isData || exact === bytes.length ? type : RunKind.Malformed;
  batch.runReceiver[run] = receiver;
  batch.runKey[run] = NO_KEY;
  batch.runEndpoint[run] = run;
  batch.runTos[run] = tos;
  batch.header[HeaderCell.EndpointCount] = run + 1;
  writeEndpoint(batch.endpoints, run * ENDPOINT_BYTES, source);
}
