// The data path by libsodium: slow, simple, the reference that the native one must agree with. What it seals with may be replaced.

import type { Primitives } from "../../src/core/noise/primitives.js";
import type { DataPath } from "../../src/core/transport/data-path.js";
import { HeaderCell, NO_KEY, type PacketBatch, paddedLength } from "../../src/core/transport/packet-batch.js";

const EMPTY = new Uint8Array(0);
const EBADMSG = 74;

type Aead = Pick<Primitives, "aeadSeal" | "aeadOpen">;

export class ReferenceDataPath implements DataPath {
  /** Every (slot generation, counter) that sealed something: a second time is a reused nonce. */
  readonly sealed = new Set<string>();
  readonly keys = new Map<number, Uint8Array>();
  readonly #primitives: Aead;
  readonly #generation = new Map<number, number>();

  constructor(primitives: Aead) {
    this.#primitives = primitives;
  }

  setKey(slot: number, key: Uint8Array): void {
    this.keys.set(slot, key.slice());
    this.#generation.set(slot, (this.#generation.get(slot) ?? 0) + 1);
  }

  clearKey(slot: number): void {
    this.keys.get(slot)?.fill(0);
    this.keys.delete(slot);
  }

  seal(batch: PacketBatch): number {
    let count = 0;
    for (const [run, slot, at] of keyedPackets(batch)) {
      const key = this.keys.get(batch.runKey[run]);
      if (key === undefined) throw new Error(`seal with an empty key slot ${batch.runKey[run]}`);
      const counter = batch.runCounter[run] + at;
      const nonce = `${batch.runKey[run]}/${this.#generation.get(batch.runKey[run])}/${counter}`;
      if (this.sealed.has(nonce)) throw new Error(`nonce reused: ${nonce}`);
      this.sealed.add(nonce);
      const offset = batch.packetOffset[slot];
      const length = paddedLength(batch.packetLength[slot], batch.header[HeaderCell.PadLimit]);
      const plaintext = new Uint8Array(length);
      plaintext.set(batch.arena.subarray(offset, offset + batch.packetLength[slot]));
      this.#primitives.aeadSeal(batch.arena.subarray(offset, offset + length + 16), key, counter, plaintext, EMPTY);
      const header = new DataView(batch.arena.buffer, batch.arena.byteOffset + offset - 16, 16);
      header.setUint32(0, 4, true);
      header.setUint32(4, batch.runReceiver[run], true);
      header.setBigUint64(8, BigInt(counter), true);
      batch.packetOffset[slot] = offset - 16;
      batch.packetLength[slot] = length + 32;
      count++;
    }
    return count;
  }

  open(batch: PacketBatch): number {
    let count = 0;
    for (const [run, slot] of keyedPackets(batch)) {
      const key = this.keys.get(batch.runKey[run]);
      if (key === undefined) throw new Error(`open with an empty key slot ${batch.runKey[run]}`);
      const offset = batch.packetOffset[slot];
      const length = batch.packetLength[slot];
      const out = new Uint8Array(length - 32);
      const text = batch.arena.slice(offset + 16, offset + length);
      if (!this.#primitives.aeadOpen(out, key, batch.packetCounter[slot], text, EMPTY)) {
        batch.packetStatus[slot] = -EBADMSG;
        continue;
      }
      batch.arena.set(out, offset + 16);
      batch.packetOffset[slot] = offset + 16;
      batch.packetLength[slot] = length - 32;
      count++;
    }
    return count;
  }
}

function* keyedPackets(batch: PacketBatch): Generator<readonly [run: number, slot: number, at: number]> {
  for (let run = 0; run < batch.header[HeaderCell.RunCount]; run++) {
    if (batch.runKey[run] === NO_KEY) continue;
    for (let at = 0; at < batch.runCount[run]; at++) {
      const slot = batch.runFirst[run] + at;
      if (batch.packetStatus[slot] === 0) yield [run, slot, at];
    }
  }
}
