// Handshake messages that wait for a turn with budget for them, oldest first: memory of a fixed size, in the columns of a batch, so
// that a message is handled from here as from the batch it came in. They have passed mac1 and the cookies already.

import { INITIATION_BYTES } from "../noise/constants.js";
import { copyRecord, ENDPOINT_BYTES } from "../transport/endpoint-record.js";
import { NO_KEY, type PacketBatch } from "../transport/packet-batch.js";

/**
 * Half a second of work, or four seconds where there is much traffic: an initiation that waits longer is answered in vain, for
 * after five its sender has made another.
 */
export const HANDSHAKE_QUEUE_ROWS = 2_048;
const ROWS = HANDSHAKE_QUEUE_ROWS;
const NO_CELLS = new Int32Array(0);
const NO_NUMBERS = new Float64Array(0);

export class HandshakeQueue {
  /** One run, one packet and one endpoint record a row. */
  readonly batch: PacketBatch = {
    header: NO_CELLS,
    packetCounter: NO_NUMBERS,
    runCounter: NO_NUMBERS,
    packetOffset: Int32Array.from({ length: ROWS }, (_, row) => row * INITIATION_BYTES),
    packetLength: new Int32Array(ROWS),
    packetStatus: new Int32Array(ROWS),
    runFirst: Int32Array.from({ length: ROWS }, (_, row) => row),
    runCount: new Int32Array(ROWS).fill(1),
    runKind: new Int32Array(ROWS),
    runReceiver: new Uint32Array(0),
    runKey: new Int32Array(ROWS).fill(NO_KEY),
    runEndpoint: new Int32Array(ROWS),
    runTos: NO_CELLS,
    endpoints: new Uint8Array(ROWS * ENDPOINT_BYTES),
    arena: new Uint8Array(ROWS * INITIATION_BYTES),
  };
  #first = 0;
  #count = 0;

  /** Messages that wait. */
  get count(): number {
    return this.#count;
  }

  /** Copies a run's message and its endpoint. @returns false: no room */
  push(from: PacketBatch, run: number): boolean {
    if (this.#count === ROWS) return false;
    const { batch } = this;
    const row = (this.#first + this.#count) % ROWS;
    this.#count++;
    const slot = from.runFirst[run];
    const at = from.packetOffset[slot];
    const length = Math.min(from.packetLength[slot], INITIATION_BYTES);
    for (let i = 0; i < length; i++) batch.arena[row * INITIATION_BYTES + i] = from.arena[at + i];
    copyRecord(from.endpoints, from.runEndpoint[run] * ENDPOINT_BYTES, batch.endpoints, row * ENDPOINT_BYTES);
    batch.packetLength[row] = length;
    batch.packetStatus[row] = 0;
    batch.runKind[row] = from.runKind[run];
    batch.runEndpoint[row] = row;
    return true;
  }

  /** Takes the oldest. @returns its run in {@link batch}, good until the next push. Call only with a count above 0. */
  shift(): number {
    const row = this.#first;
    this.#first = (row + 1) % ROWS;
    this.#count--;
    return row;
  }
}
