// Endpoint tables and outgoing batches for the tests of the UDP socket.
import { ENDPOINT_BYTES, EndpointField, HeaderCell, PacketBatch, RunKind } from "../packet-batch.js";

/** A table of records: "127.0.0.1" or one of ::1 … ::ffff, each with a port. */
export function endpointTable(...rows: { address: string; port: number }[]): Uint8Array {
  const table = new Uint8Array(rows.length * ENDPOINT_BYTES);
  const view = new DataView(table.buffer);
  rows.forEach(({ address, port }, row) => {
    const at = row * ENDPOINT_BYTES;
    const v6 = address.startsWith("::");
    view.setUint16(at + EndpointField.Family, v6 ? 10 : 2, true);
    view.setUint16(at + EndpointField.Port, port);
    if (v6) view.setUint16(at + EndpointField.Address + 14, Number.parseInt(address.slice(2), 16));
    else table.set(address.split(".").map(Number), at + EndpointField.Address);
  });
  return table;
}

/** Sets the sticky source of a row. */
export function setSource(table: Uint8Array, row: number, address: string, ifindex: number): void {
  const view = new DataView(table.buffer);
  view.setUint32(row * ENDPOINT_BYTES + EndpointField.SourceIfindex, ifindex, true);
  table.set(address.split(".").map(Number), row * ENDPOINT_BYTES + EndpointField.Source);
}

export interface OutgoingRun {
  endpoint: number;
  datagrams: Uint8Array[];
  tos?: number;
  kind?: number;
  key?: number;
}

/** A batch of ready datagrams, one behind the other as sealing leaves them. */
export function outgoing(...runs: OutgoingRun[]): PacketBatch {
  const all = runs.flatMap((run) => run.datagrams);
  const batch = new PacketBatch({
    slots: all.length,
    runs: runs.length,
    endpoints: 0,
    arenaBytes: all.reduce((sum, datagram) => sum + datagram.length, 0),
  });
  let slot = 0;
  let at = 0;
  runs.forEach((run, row) => {
    batch.runFirst[row] = slot;
    batch.runCount[row] = run.datagrams.length;
    batch.runKind[row] = run.kind ?? RunKind.Raw;
    batch.runKey[row] = run.key ?? 0;
    batch.runEndpoint[row] = run.endpoint;
    batch.runTos[row] = run.tos ?? 0;
    for (const datagram of run.datagrams) {
      batch.arena.set(datagram, at);
      batch.packetOffset[slot] = at;
      batch.packetLength[slot] = datagram.length;
      at += datagram.length;
      slot++;
    }
  });
  batch.header[HeaderCell.PacketCount] = slot;
  batch.header[HeaderCell.RunCount] = runs.length;
  return batch;
}

/** Transport data: type 4, receiver, counter, then `bytes` in all. */
export function dataMessage(receiver: number, counter: bigint, bytes: number): Uint8Array {
  const message = new Uint8Array(bytes).fill(Number(counter & 0xffn));
  const view = new DataView(message.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, receiver, true);
  view.setBigUint64(8, counter, true);
  return message;
}

/** The bytes of a received slot. */
export function slotBytes(batch: PacketBatch, slot: number): Uint8Array {
  const at = batch.packetOffset[slot] as number;
  return batch.arena.slice(at, at + (batch.packetLength[slot] as number));
}
