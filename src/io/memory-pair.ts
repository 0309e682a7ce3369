// Two devices whose datagrams go from one's memory to the other's: the whole send and receive path but for the kernel. The
// daemon tests itself with them before it starts, the benches time them.

import {
  type Aead,
  type AeadBackendName,
  createAead,
  ENDPOINT_BYTES,
  HEADROOM_BYTES,
  HeaderCell,
  PacketBatch,
  TAG_BYTES,
} from "tun-tap-ts";
import { Device } from "../core/device/device.js";
import { REPLY_ROWS } from "../core/device/device-state.js";
import { FlowCell } from "../core/device/ledger.js";
import type { Primitives } from "../core/noise/primitives.js";
import { NO_ENDPOINT, NO_KEY, RunKind } from "../core/transport/packet-batch.js";
import { fillRandom } from "./entropy.js";
import { createNativePrimitives } from "./native-primitives.js";

const PEERS = 4;

/** What passes through a pair. */
export interface MemoryPairOptions {
  /** Size of the inner packets, at least 20. */
  readonly packetBytes: number;
  /** Packets of one run, at most 64. */
  readonly runPackets: number;
  /** Runs of one send(). */
  readonly runs: number;
  readonly aead?: AeadBackendName;
}

/** A device, its TUN's batch and its socket's batch. */
class End {
  readonly inbound: PacketBatch;
  readonly outbound: PacketBatch;
  readonly device: Device;
  readonly privateKey = new Uint8Array(32);
  readonly publicKey = new Uint8Array(32);
  readonly aead: Aead;
  readonly #options: MemoryPairOptions;
  other!: End;

  constructor(primitives: Primitives, options: MemoryPairOptions) {
    const { packetBytes, runPackets, runs } = options;
    this.#options = options;
    this.aead = createAead({ backend: options.aead ?? "auto", keySlots: 64 });
    const slots = runPackets * runs + 8;
    const arenaBytes = slots * (packetBytes + HEADROOM_BYTES + TAG_BYTES + 16) + 1_024;
    this.inbound = new PacketBatch({ slots, runs: slots, endpoints: 1, arenaBytes });
    this.outbound = new PacketBatch({ slots, runs, endpoints: 0, arenaBytes });
    const outbox = new PacketBatch({ slots: 64, runs: 64, endpoints: 0, arenaBytes: 1 << 17 });
    for (const batch of [this.outbound, outbox]) batch.header[HeaderCell.PadLimit] = packetBytes;
    fillRandom(this.privateKey);
    primitives.x25519Base(this.publicKey, this.privateKey);
    this.device = new Device(
      {
        primitives,
        dataPath: this.aead as never,
        transmitter: { transmit: (batch) => this.other.take(batch as PacketBatch) },
        random: fillRandom,
        wallMs: () => Date.now(),
        endpoints: new Uint8Array((PEERS + REPLY_ROWS) * ENDPOINT_BYTES),
        outbox,
      },
      slots,
    );
  }

  /** The sender's datagrams arrive, in one copy where they lie. @returns how many. */
  take(batch: PacketBatch): number {
    const { inbound } = this;
    inbound.clear();
    inbound.arena.set(batch.arena.subarray(0, Math.min(batch.arena.length, inbound.arena.length)));
    let copied = 0;
    for (let run = 0; run < batch.header[HeaderCell.RunCount]!; run++) {
      if (batch.runEndpoint[run] === NO_ENDPOINT) continue;
      const first = copied;
      for (let i = 0; i < batch.runCount[run]!; i++) {
        const from = batch.runFirst[run]! + i;
        const at = batch.packetOffset[from]!;
        inbound.packetOffset[copied] = at;
        inbound.packetLength[copied] = batch.packetLength[from]!;
        inbound.packetStatus[copied] = 0;
        inbound.packetCounter[copied] = u32(inbound.arena, at + 8) + u32(inbound.arena, at + 12) * 4_294_967_296;
        copied += 1;
      }
      this.#addRun(first, copied - first);
    }
    inbound.header[HeaderCell.PacketCount] = copied;
    return copied;
  }

  #addRun(first: number, count: number): void {
    const { inbound } = this;
    const row = inbound.header[HeaderCell.RunCount]!++;
    const at = inbound.packetOffset[first]!;
    inbound.runFirst[row] = first;
    inbound.runCount[row] = count;
    inbound.runKind[row] = inbound.arena[at]!;
    inbound.runReceiver[row] = u32(inbound.arena, at + 4);
    inbound.runKey[row] = NO_KEY;
    inbound.runEndpoint[row] = 0;
    inbound.runTos[row] = 0;
  }

  /** The TUN gives super-packets of `packet`. */
  fill(packet: Uint8Array): void {
    const { outbound } = this;
    const { runPackets, runs } = this.#options;
    const stride = HEADROOM_BYTES + packet.length + TAG_BYTES;
    outbound.clear();
    for (let slot = 0; slot < runPackets * runs; slot++) {
      const at = slot * stride + HEADROOM_BYTES;
      outbound.arena.set(packet, at);
      outbound.packetOffset[slot] = at;
      outbound.packetLength[slot] = packet.length;
      outbound.packetStatus[slot] = 0;
    }
    for (let run = 0; run < runs; run++) {
      outbound.runFirst[run] = run * runPackets;
      outbound.runCount[run] = runPackets;
      outbound.runKind[run] = RunKind.Data;
      outbound.runKey[run] = NO_KEY;
      outbound.runEndpoint[run] = NO_ENDPOINT;
    }
    outbound.header[HeaderCell.PacketCount] = runPackets * runs;
    outbound.header[HeaderCell.RunCount] = runs;
  }

  /** Handles what has arrived, as the event loop does. */
  drain(nowMs: number): void {
    const forTun = this.device.receive(this.inbound, nowMs);
    this.device.delivered(this.inbound, forTun);
    this.inbound.clear();
    this.device.finishTurn(nowMs);
  }

  join(other: End, last: number): void {
    this.other = other;
    const endpoint = { family: 4 as const, bytes: Uint8Array.of(192, 0, 2, last), port: 1, scopeId: 0 };
    const prefix = { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, last), length: 32 };
    const peer = { publicKey: other.publicKey, endpoint, allowedIps: [{ prefix, remove: false }] };
    this.device.configure({ privateKey: this.privateKey, peers: [peer] }, 0);
    this.device.up(0);
  }
}

/** Two ends with a session; `packetBytes` is the size of the inner packets. */
export class MemoryPair {
  readonly #sender: End;
  readonly #receiver: End;
  readonly #packet: Uint8Array;
  #nowMs = 1;

  private constructor(primitives: Primitives, options: MemoryPairOptions) {
    this.#sender = new End(primitives, options);
    this.#receiver = new End(primitives, options);
    this.#packet = innerPacket(options.packetBytes);
    this.#sender.join(this.#receiver, 2);
    this.#receiver.join(this.#sender, 1);
  }

  /** Errors: AeadUnavailableError. */
  static async create(options: MemoryPairOptions): Promise<MemoryPair> {
    const pair = new MemoryPair(await createNativePrimitives(), options);
    pair.fill();
    pair.pass();
    for (let i = 0; i < 4; i++) pair.answer();
    return pair;
  }

  /** Inner packets that came out of the far end. */
  get delivered(): number {
    return this.#receiver.device.state.ledger.flow[FlowCell.InboundDelivered]!;
  }

  /** Makes the next packets: what the kernel does in earnest. */
  fill(): void {
    this.#nowMs += 1;
    this.#sender.fill(this.#packet);
  }

  /** Sends what fill() made, and receives it. */
  pass(): void {
    this.#sender.device.send(this.#sender.outbound, this.#nowMs);
    this.#sender.device.finishTurn(this.#nowMs);
    this.#receiver.drain(this.#nowMs);
  }

  /** Lets the near end handle what the far end has sent. */
  answer(): void {
    this.#sender.drain(this.#nowMs);
    this.#receiver.drain(this.#nowMs);
  }

  /** Packets that either end cannot account for; 0 unless there is a bug. */
  get unaccounted(): number {
    const { ledger, staged } = this.#sender.device.state;
    return ledger.outboundUnaccounted(staged.total) + this.#receiver.device.state.ledger.inboundUnaccounted();
  }

  /** Whether the last packet that came out is the one that went in. */
  get isIntact(): boolean {
    const { arena, packetOffset, packetLength } = this.#receiver.inbound;
    const packet = this.#packet;
    const at = packetOffset[0]!;
    return packetLength[0] === packet.length && packet.every((byte, i) => arena[at + i] === byte);
  }

  close(): void {
    for (const end of [this.#sender, this.#receiver]) end.aead.close();
  }
}

/** From 10.0.0.1 to 10.0.0.2, no protocol in particular. */
function innerPacket(bytes: number): Uint8Array {
  const packet = new Uint8Array(bytes);
  packet.set([0x45, 0, bytes >> 8, bytes & 255, 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
  return packet;
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
