// A data path that knows every key of the fleet: who has it since when, which counters it sealed and which it opened. It
// holds the invariants of keys, and says what the replay window has to say of every datagram.

import type { EndpointAddress } from "../../../src/core/device/update.js";
import { DropReason, type DropReason as Reason } from "../../../src/core/drop-reason.js";
import { readEndpoint } from "../../../src/core/transport/endpoint-address.js";
import { ENDPOINT_BYTES } from "../../../src/core/transport/endpoint-record.js";
import { HeaderCell, NO_KEY, type PacketBatch } from "../../../src/core/transport/packet-batch.js";
import { ReferenceDataPath } from "../reference-data-path.js";
import { formatAddress } from "../world.js";
import { sourceOf } from "./inner-packets.js";
import { hold } from "./violation.js";

/** Counters behind the greatest of their size that are still taken; what docs/conformance.md says. */
const REPLAY_WINDOW = 16_352;
/** Padded bytes of a packet that may overtake others; docs/conformance.md again. */
const SMALL_PACKET_BYTES = 128;
const REJECT_AFTER_TIME_MS = 180_000;

/** One key, wherever it is installed. */
interface KeyUse {
  readonly name: number;
  senders: number;
  receivers: number;
  readonly sealed: Set<number>;
}

/** All keys that there ever were. */
export class KeyBook {
  readonly #uses = new Map<string, KeyUse>();

  of(key: Uint8Array): KeyUse {
    const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
    let use = this.#uses.get(text);
    if (use === undefined) {
      use = { name: this.#uses.size, senders: 0, receivers: 0, sealed: new Set() };
      this.#uses.set(text, use);
    }
    return use;
  }
}

interface Slot {
  readonly use: KeyUse;
  readonly installedMs: number;
  /** The responder has its keys before the initiator has them. */
  readonly isResponder: boolean;
  /** Something opened with the keypair's receiving key. */
  isConfirmed: boolean;
  /** Counters taken, for a receiving key. */
  readonly taken: Set<number>;
  greatest: { small: number; other: number };
}

/** What a datagram that opened has to become: none of these, a refusal by its counter. */
export interface Opened {
  /** Site of the peer whose keypair opened it; -1: the keypair was taken back in this very batch. */
  readonly peer: number;
  /** Address that it came from. */
  readonly from: string;
  /** Source address of the inner packet; undefined: a keepalive, or no inner packet that makes sense. */
  readonly source: Uint8Array | undefined;
  readonly verdict: Reason;
}

export class WatchedDataPath extends ReferenceDataPath {
  readonly slots = new Map<number, Slot>();
  /** Of the batch opened last. */
  opened: Opened[] = [];
  badTags = 0;
  readonly #book: KeyBook;
  readonly #nowMs: () => number;
  /** Site of the peer that a key slot belongs to. */
  peerOf: (keySlot: number) => number = () => -1;
  /** Something of that site's opened. */
  heard: (peer: number) => void = () => {};
  /** Key bytes as they were handed over: whoever did must have wiped them by the end of the turn. */
  #handedOver: Uint8Array[] = [];

  constructor(aead: ConstructorParameters<typeof ReferenceDataPath>[0], book: KeyBook, nowMs: () => number) {
    super(aead);
    this.#book = book;
    this.#nowMs = nowMs;
  }

  /** @param slot  even: a sending key; its receiving key has the next one */
  override setKey(slot: number, key: Uint8Array): void {
    const use = this.#book.of(key);
    const isSending = slot % 2 === 0;
    const isResponder = isSending ? use.receivers === 0 : use.senders === 0;
    if (isSending) use.senders++;
    else use.receivers++;
    hold("nonce", use.senders <= 1 && use.receivers <= 1, () => `key ${use.name} is installed again`);
    hold("zeroed", !this.slots.has(slot), () => `key slot ${slot} is filled again before it was cleared`);
    this.slots.set(slot, {
      use,
      installedMs: this.#nowMs(),
      isResponder,
      isConfirmed: false,
      taken: new Set(),
      greatest: { small: -1, other: -1 },
    });
    this.#handedOver.push(key);
    super.setKey(slot, key);
  }

  override clearKey(slot: number): void {
    this.slots.delete(slot);
    super.clearKey(slot);
  }

  override seal(batch: PacketBatch): number {
    for (let run = 0; run < batch.header[HeaderCell.RunCount]; run++) {
      if (batch.runKey[run] !== NO_KEY) this.#watchSealing(batch, run);
    }
    return super.seal(batch);
  }

  override open(batch: PacketBatch): number {
    const count = super.open(batch);
    this.opened = [];
    this.badTags = 0;
    for (let run = 0; run < batch.header[HeaderCell.RunCount]; run++) {
      if (batch.runKey[run] !== NO_KEY) this.#watchOpening(batch, run);
    }
    return count;
  }

  /** Call at the end of every turn. */
  endTurn(): void {
    for (const key of this.#handedOver) {
      hold("zeroed", isZero(key), () => "transport keys are left in memory after the data path took them");
    }
    this.#handedOver = [];
    this.opened = [];
    this.badTags = 0;
  }

  #watchSealing(batch: PacketBatch, run: number): void {
    const slot = this.#slot(batch.runKey[run]);
    const receiving = this.#slot(batch.runKey[run] + 1);
    for (let at = 0; at < batch.runCount[run]; at++) {
      if (batch.packetStatus[batch.runFirst[run] + at] !== 0) continue;
      const counter = batch.runCounter[run] + at;
      hold("nonce", !slot.use.sealed.has(counter), () => `counter ${counter} again with key ${slot.use.name}`);
      slot.use.sealed.add(counter);
      this.#checkAge(slot, "sealed with");
      const mayStart = !slot.isResponder || receiving.isConfirmed;
      hold("unconfirmed", mayStart, () => `counter ${counter} sealed with key ${slot.use.name}`);
    }
  }

  #watchOpening(batch: PacketBatch, run: number): void {
    const keySlot = batch.runKey[run];
    const key = this.#slot(keySlot);
    this.#checkAge(key, "opened with");
    const peer = this.peerOf(keySlot);
    const from = formatAddress(
      readEndpoint(batch.endpoints, batch.runEndpoint[run] * ENDPOINT_BYTES) as EndpointAddress,
    );
    for (let slot = batch.runFirst[run]; slot < batch.runFirst[run] + batch.runCount[run]; slot++) {
      if (batch.packetStatus[slot] < 0) this.badTags++;
      if (batch.packetStatus[slot] !== 0) continue;
      key.isConfirmed = true;
      this.heard(peer);
      const at = batch.packetOffset[slot];
      const source = sourceOf(batch.arena.subarray(at, at + batch.packetLength[slot]));
      this.opened.push({ peer, from, source, verdict: take(key, batch.packetCounter[slot], batch.packetLength[slot]) });
    }
  }

  #slot(slot: number): Slot {
    const known = this.slots.get(slot);
    hold("zeroed", known !== undefined, () => `key slot ${slot} is used and is empty`);
    return known as Slot;
  }

  #checkAge(slot: Slot, what: string): void {
    const ageMs = this.#nowMs() - slot.installedMs;
    hold("keyAge", ageMs < REJECT_AFTER_TIME_MS, () => `${what} key ${slot.use.name}, ${ageMs} ms old`);
  }
}

/** A replay window without a window: a set. */
function take(slot: Slot, counter: number, bytes: number): Reason {
  const size = bytes <= SMALL_PACKET_BYTES ? "small" : "other";
  if (counter >= Number.MAX_SAFE_INTEGER) return DropReason.CounterTooLarge;
  if (slot.greatest[size] - counter >= REPLAY_WINDOW) return DropReason.CounterTooOld;
  if (slot.taken.has(counter)) return DropReason.CounterReplayed;
  slot.taken.add(counter);
  slot.greatest[size] = Math.max(slot.greatest[size], counter);
  return DropReason.None;
}

export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}
