// A million packets through the real send and receive paths, native AEAD included, between two devices in memory: no
// garbage collection may happen while they pass. The loop is synchronous, so what happens in it is its own doing.

import { PerformanceObserver, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { createAead, ENDPOINT_BYTES, HeaderCell, PacketBatch } from "tun-tap-ts";
import { afterAll, expect, test } from "vitest";
import { Device } from "../../src/core/device/device.js";
import { REPLY_ROWS } from "../../src/core/device/device-state.js";
import { FlowCell } from "../../src/core/device/ledger.js";
import { createPrimitives } from "../../src/core/noise/primitives.js";
import { NO_ENDPOINT, NO_KEY, RunKind } from "../../src/core/transport/packet-batch.js";
import { fillRandom } from "../../src/io/entropy.js";
import { ipv4Packet, parseAddress } from "../sim/world.js";

const RUN_PACKETS = 46;
const RUNS = 8;
const PACKETS = 1_000_000;
/** Until the paths are compiled: interpreted code boxes doubles. */
const WARM_UP_PACKETS = 600_000;
const INNER_BYTES = 60;
const STRIDE = 128;
const ROUNDS_MAX = 8;
/** Less than the smallest object a run, more than what reading the statistics takes. */
const HEAP_GROWTH_BYTES_MAX = (PACKETS / RUN_PACKETS) * 8;

const aeads: { close(): void }[] = [];
afterAll(() => {
  for (const aead of aeads) aead.close();
});

/** A device whose datagrams land in the other end's inbound batch. */
class End {
  readonly inbound = new PacketBatch({ slots: 512, runs: 512, endpoints: 1, arenaBytes: 1 << 17 });
  readonly outbound = new PacketBatch({ slots: 512, runs: 64, endpoints: 0, arenaBytes: 1 << 17 });
  readonly device: Device;
  readonly privateKey = new Uint8Array(32);
  readonly publicKey = new Uint8Array(32);
  other!: End;
  #copied = 0;

  constructor(primitives: Awaited<ReturnType<typeof createPrimitives>>) {
    fillRandom(this.privateKey);
    primitives.x25519Base(this.publicKey, this.privateKey);
    const aead = createAead({ keySlots: 64 });
    aeads.push(aead);
    const outbox = new PacketBatch({ slots: 64, runs: 64, endpoints: 0, arenaBytes: 1 << 17 });
    this.outbound.header[HeaderCell.PadLimit] = 1_420;
    outbox.header[HeaderCell.PadLimit] = 1_420;
    this.device = new Device(
      {
        primitives,
        dataPath: aead as never,
        transmitter: { transmit: (batch) => this.other.take(batch as PacketBatch) },
        random: fillRandom,
        wallMs: () => Date.now(),
        endpoints: new Uint8Array((4 + REPLY_ROWS) * ENDPOINT_BYTES),
        outbox,
      },
      512,
    );
  }

  /** Copies every datagram of the sender's batch into the inbound batch, run by run. */
  take(batch: PacketBatch): number {
    const { inbound } = this;
    inbound.clear();
    this.#copied = 0;
    for (let run = 0; run < batch.header[HeaderCell.RunCount]; run++) {
      if (batch.runEndpoint[run] === NO_ENDPOINT) continue;
      this.#takeRun(batch, run);
    }
    return this.#copied;
  }

  #takeRun(batch: PacketBatch, run: number): void {
    const { inbound } = this;
    const row = inbound.header[HeaderCell.RunCount]++;
    const first = this.#copied;
    for (let i = 0; i < batch.runCount[run]; i++) {
      const from = batch.packetOffset[batch.runFirst[run] + i];
      const length = batch.packetLength[batch.runFirst[run] + i];
      const slot = this.#copied++;
      const to = slot * 256;
      for (let at = 0; at < length; at++) inbound.arena[to + at] = batch.arena[from + at];
      inbound.packetOffset[slot] = to;
      inbound.packetLength[slot] = length;
      inbound.packetStatus[slot] = 0;
      inbound.packetCounter[slot] = this.#u32(to + 8) + this.#u32(to + 12) * 4_294_967_296;
    }
    const type = inbound.arena[inbound.packetOffset[first]];
    inbound.runFirst[row] = first;
    inbound.runCount[row] = this.#copied - first;
    inbound.runKind[row] = type;
    inbound.runReceiver[row] = this.#u32(inbound.packetOffset[first] + 4);
    inbound.runKey[row] = NO_KEY;
    inbound.runEndpoint[row] = 0;
    inbound.runTos[row] = 0;
    inbound.header[HeaderCell.PacketCount] = this.#copied;
  }

  #u32(at: number): number {
    const { arena } = this.inbound;
    return (arena[at] | (arena[at + 1] << 8) | (arena[at + 2] << 16) | (arena[at + 3] << 24)) >>> 0;
  }

  /** The TUN gives RUNS super-packets. */
  fill(packet: Uint8Array): void {
    const { outbound } = this;
    outbound.clear();
    for (let slot = 0; slot < RUNS * RUN_PACKETS; slot++) {
      const at = slot * STRIDE + 16;
      for (let i = 0; i < packet.length; i++) outbound.arena[at + i] = packet[i];
      outbound.packetOffset[slot] = at;
      outbound.packetLength[slot] = packet.length;
      outbound.packetStatus[slot] = 0;
    }
    for (let run = 0; run < RUNS; run++) {
      outbound.runFirst[run] = run * RUN_PACKETS;
      outbound.runCount[run] = RUN_PACKETS;
      outbound.runKind[run] = RunKind.Data;
      outbound.runKey[run] = NO_KEY;
      outbound.runEndpoint[run] = NO_ENDPOINT;
    }
    outbound.header[HeaderCell.PacketCount] = RUNS * RUN_PACKETS;
    outbound.header[HeaderCell.RunCount] = RUNS;
  }

  /** Handles what the other end sent, as the event loop does. */
  drain(nowMs: number): void {
    const forTun = this.device.receive(this.inbound, nowMs);
    this.device.delivered(this.inbound, forTun);
    this.inbound.clear();
    this.device.finishTurn(nowMs);
  }
}

async function connectedPair(): Promise<[End, End]> {
  const primitives = await createPrimitives();
  const alice = new End(primitives);
  const bob = new End(primitives);
  const inside = (last: number) => ({
    prefix: { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, last), length: 32 },
    remove: false,
  });
  const join = (end: End, other: End, last: number): void => {
    end.other = other;
    const peer = {
      publicKey: other.publicKey,
      endpoint: parseAddress(`192.0.2.${last}:1`),
      allowedIps: [inside(last)],
    };
    end.device.configure({ privateKey: end.privateKey, peers: [peer] }, 0);
    end.device.up(0);
  };
  join(alice, bob, 2);
  join(bob, alice, 1);
  return [alice, bob];
}

/** What a synchronous stretch of code did to the heap. */
interface Round {
  readonly collections: number;
  readonly heapGrowthBytes: number;
}

function isClean({ collections, heapGrowthBytes }: Round): boolean {
  return collections === 0 && heapGrowthBytes < HEAP_GROWTH_BYTES_MAX;
}

async function measure(work: () => void): Promise<Round> {
  const startTimes: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) startTimes.push(entry.startTime);
  });
  observer.observe({ entryTypes: ["gc"] });
  const heapBefore = getHeapStatistics().used_heap_size;
  const start = performance.now();
  work();
  const heapGrowthBytes = getHeapStatistics().used_heap_size - heapBefore;
  const end = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 50));
  observer.disconnect();
  return { collections: startTimes.filter((at) => at >= start && at <= end).length, heapGrowthBytes };
}

test("a million packets cause no garbage collection and leave the heap as it was", async () => {
  const [alice, bob] = await connectedPair();
  const packet = ipv4Packet("10.0.0.1", "10.0.0.2", "x".repeat(INNER_BYTES - 20));
  let nowMs = 1;
  const pump = (packets: number): void => {
    for (let sent = 0; sent < packets; sent += RUNS * RUN_PACKETS) {
      nowMs += 1;
      alice.fill(packet);
      alice.device.send(alice.outbound, nowMs);
      bob.drain(nowMs);
      alice.drain(nowMs);
    }
  };
  alice.fill(packet);
  alice.device.send(alice.outbound, nowMs);
  alice.device.finishTurn(nowMs);
  for (let i = 0; i < 4; i++) for (const end of [bob, alice]) end.drain(nowMs);
  pump(WARM_UP_PACKETS);
  // The compiler works in the background, later on a busy machine, and until it is done doubles are boxed. Code that
  // allocates does so in every round; code that does not shows it in one.
  const rounds: Round[] = [];
  do rounds.push(await measure(() => pump(PACKETS)));
  while (rounds.length < ROUNDS_MAX && !isClean(rounds.at(-1)!));
  expect(rounds.at(-1), JSON.stringify(rounds)).toSatisfy(isClean);
  expect(bob.device.state.ledger.flow[FlowCell.InboundDelivered]).toBeGreaterThanOrEqual(PACKETS * rounds.length);
  expect(bob.device.state.ledger.inboundUnaccounted()).toBe(0);
  expect(alice.device.state.ledger.outboundUnaccounted(0)).toBe(0);
});
