// What the core itself sends: handshake messages, cookie replies, keepalives, staged packets. Collected in a batch of
// its own and flushed at the end of a turn, or when full.

import {
  HEADROOM_BYTES,
  HeaderCell,
  NO_KEY,
  type PacketBatch,
  paddedLength,
  RunKind,
  SEAL_OVERHEAD_BYTES,
} from "../transport/packet-batch.js";

/** AF41: handshake messages are few and everything waits for them. The kernel marks them so. */
export const HANDSHAKE_TOS = 0x88;

export class Outbox {
  readonly batch: PacketBatch;
  readonly #flush: (batch: PacketBatch) => void;

  /**
   * @param batch  empty; at least one slot, one run and 65,600 arena bytes
   * @param flush  seals and sends the batch; called with at least one run
   */
  constructor(batch: PacketBatch, flush: (batch: PacketBatch) => void) {
    this.batch = batch;
    this.#flush = flush;
  }

  /**
   * Adds a finished datagram.
   * @param endpoint  row of the endpoint table
   */
  addDatagram(message: Uint8Array, endpoint: number, tos: number): void {
    this.#makeRoom(message.length);
    const { batch } = this;
    const at = batch.header[HeaderCell.ArenaUsed];
    batch.arena.set(message, at);
    batch.header[HeaderCell.ArenaUsed] = at + message.length;
    this.#addRun(RunKind.Raw, at, message.length, NO_KEY, 0, 0, endpoint, tos);
  }

  /**
   * Adds one plaintext to be sealed; `write` puts it into the arena.
   * @param lengthBytes  0: a keepalive
   * @param write  writes the plaintext at the offset; not called for a keepalive
   */
  addPlaintext(
    lengthBytes: number,
    run: { key: number; receiver: number; counter: number; endpoint: number; tos: number },
    write?: (arena: Uint8Array, offset: number) => void,
  ): void {
    this.#makeRoom(lengthBytes + SEAL_OVERHEAD_BYTES + HEADROOM_BYTES);
    const { batch } = this;
    const at = batch.header[HeaderCell.ArenaUsed] + HEADROOM_BYTES;
    write?.(batch.arena, at);
    const padded = paddedLength(lengthBytes, batch.header[HeaderCell.PadLimit]);
    batch.header[HeaderCell.ArenaUsed] = at + padded + SEAL_OVERHEAD_BYTES - HEADROOM_BYTES;
    this.#addRun(RunKind.Data, at, lengthBytes, run.key, run.receiver, run.counter, run.endpoint, run.tos);
  }

  /** Sends what is collected. */
  flush(): void {
    const { header } = this.batch;
    if (header[HeaderCell.RunCount] > 0) this.#flush(this.batch);
    header[HeaderCell.PacketCount] = 0;
    header[HeaderCell.RunCount] = 0;
    header[HeaderCell.ArenaUsed] = 0;
  }

  #makeRoom(bytes: number): void {
    const { batch } = this;
    const full =
      batch.header[HeaderCell.PacketCount] >= batch.packetOffset.length ||
      batch.header[HeaderCell.RunCount] >= batch.runFirst.length ||
      batch.header[HeaderCell.ArenaUsed] + bytes > batch.arena.length;
    if (full) this.flush();
  }

  #addRun(
    kind: number,
    offset: number,
    length: number,
    key: number,
    receiver: number,
    counter: number,
    endpoint: number,
    tos: number,
  ): void {
    const { batch } = this;
    const slot = batch.header[HeaderCell.PacketCount]++;
    const run = batch.header[HeaderCell.RunCount]++;
    batch.packetOffset[slot] = offset;
    batch.packetLength[slot] = length;
    batch.packetStatus[slot] = 0;
    batch.runFirst[run] = slot;
    batch.runCount[run] = 1;
    batch.runKind[run] = kind;
    batch.runKey[run] = key;
    batch.runReceiver[run] = receiver;
    batch.runCounter[run] = counter;
    batch.runEndpoint[run] = endpoint;
    batch.runTos[run] = tos;
  }
}
