// A world in virtual time: devices with the real protocol core, joined by a network that loses, delays, duplicates,
// corrupts and rewrites. Everything random comes from one seed.

import { ENDPOINT_BYTES, HeaderCell, PacketBatch } from "../../native/packet-batch.js";
import { Device } from "../../src/core/device/device.js";
import { type DeviceDependencies, type DeviceEvents, REPLY_ROWS } from "../../src/core/device/device-state.js";
import type { EndpointAddress, PeerUpdate } from "../../src/core/device/update.js";
import { createPrimitives, type Primitives } from "../../src/core/noise/primitives.js";
import { readEndpoint } from "../../src/core/transport/endpoint-address.js";
import { NO_ENDPOINT, NO_KEY, RunKind } from "../../src/core/transport/packet-batch.js";
import { type Arrival, addArrival } from "./arrivals.js";
import { ReferenceDataPath } from "./reference-data-path.js";

const PEERS_MAX = 64;
const MTU = 1_420;
const START_WALL_MS = Date.UTC(2026, 0, 1);
const EAFNOSUPPORT = 97;

export interface NetworkFaults {
  lossPerMille: number;
  duplicatePerMille: number;
  corruptPerMille: number;
  delayMsMax: number;
}

interface Flight {
  atMs: number;
  order: number;
  from: string;
  to: string;
  bytes: Uint8Array;
}

/** Deterministic random numbers (mulberry32; public domain by its author, Tommy Ettinger). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What a node stands in: randomness, and a wire to put datagrams on. */
export interface NodeWorld {
  readonly nowMs: number;
  readonly primitives: Primitives;
  fillRandom(into: Uint8Array): void;
  /** Puts a datagram on the wire. */
  launch(from: string, to: string, bytes: Uint8Array): void;
}

/** What a device is given other than by default. */
export type NodeParts = Partial<Omit<DeviceDependencies, "dataPath">> & { readonly dataPath?: ReferenceDataPath };

export class SimNode<W extends NodeWorld = World> {
  readonly device: Device;
  readonly dataPath: ReferenceDataPath;
  readonly privateKey: Uint8Array;
  readonly publicKey = new Uint8Array(32);
  /** Inner packets that came out of the TUN, as marks. */
  readonly delivered: { mark: string; atMs: number }[] = [];
  /** Packets that the device itself made for its host. */
  readonly answers: Uint8Array[] = [];
  readonly log: string[] = [];
  /** Where this node's datagrams come from. */
  address: string;
  wallOffsetMs = 0;
  /** errno with which this node's kernel refuses to send; 0: it does not. */
  sendErrno = 0;
  /** The same of what this node's TUN is given. */
  tunErrno = 0;
  readonly name: string;
  readonly world: W;
  readonly #tun = new PacketBatch({ slots: 64, runs: 64, endpoints: 0, arenaBytes: 1 << 17 });
  readonly #inbound = new PacketBatch({ slots: 64, runs: 64, endpoints: 64, arenaBytes: 1 << 17 });
  readonly #endpoints = new Uint8Array((PEERS_MAX + REPLY_ROWS) * ENDPOINT_BYTES);

  constructor(world: W, name: string, address: string, events: DeviceEvents = {}, parts: NodeParts = {}) {
    this.world = world;
    this.name = name;
    this.address = address;
    this.dataPath = parts.dataPath ?? new ReferenceDataPath(world.primitives);
    this.privateKey = new Uint8Array(32);
    const outbox = new PacketBatch({ slots: 64, runs: 64, endpoints: 0, arenaBytes: 1 << 17 });
    for (const batch of [outbox, this.#tun]) batch.header[HeaderCell.PadLimit] = MTU;
    this.device = new Device(
      {
        primitives: world.primitives,
        transmitter: { transmit: (batch) => this.#transmit(batch as PacketBatch) },
        random: (into) => world.fillRandom(into),
        wallMs: () => START_WALL_MS + world.nowMs + this.wallOffsetMs,
        fineMs: () => this.now(),
        writeToHost: (packet) => this.answers.push(packet.slice()) > 0,
        endpoints: this.#endpoints,
        outbox,
        events: {
          handshakeCompleted: (_, role) => this.log.push(`${world.nowMs} completed ${role}`),
          handshakeSent: (_, attempt) => this.log.push(`${world.nowMs} initiation ${attempt}`),
          handshakeGivenUp: () => this.log.push(`${world.nowMs} given up`),
          handshakeRefused: (_, reason) => this.log.push(`${world.nowMs} refused ${reason}`),
          endpointChanged: () => this.log.push(`${world.nowMs} endpoint`),
          ...events,
        },
        ...parts,
        dataPath: this.dataPath,
      },
      64,
    );
  }

  /** Comes up with a key of its own. */
  start(): this {
    this.world.fillRandom(this.privateKey);
    this.world.primitives.x25519Base(this.publicKey, this.privateKey);
    this.device.configure({ privateKey: this.privateKey, peers: [] }, this.now());
    this.device.up(this.now());
    return this;
  }

  /** Boot time of this node. */
  protected now(): number {
    return this.world.nowMs;
  }

  peer(other: { readonly publicKey: Uint8Array }, update: Partial<PeerUpdate> = {}): void {
    const peers = [{ publicKey: other.publicKey, allowedIps: [], ...update }];
    this.device.configure({ peers }, this.now());
    this.device.finishTurn(this.now());
  }

  /** The inner packet leaves this node's host: an IPv4 packet with a mark in its payload. */
  sendInner(from: string, to: string, mark: string, ecn = 0): void {
    this.sendInnerRaw(ipv4Packet(from, to, mark, ecn));
  }

  /** @param packets  a super-packet's segments: one run */
  sendInnerRaw(...packets: Uint8Array[]): void {
    const batch = this.#tun;
    batch.clear();
    let at = 0;
    packets.forEach((packet, slot) => {
      batch.arena.set(packet, at + 16);
      batch.packetOffset[slot] = at + 16;
      batch.packetLength[slot] = packet.length;
      batch.packetStatus[slot] = 0;
      at += packet.length + 64;
    });
    batch.header[HeaderCell.PacketCount] = packets.length;
    batch.header[HeaderCell.RunCount] = 1;
    batch.runFirst[0] = 0;
    batch.runCount[0] = packets.length;
    batch.runKind[0] = RunKind.Data;
    batch.runKey[0] = NO_KEY;
    batch.runEndpoint[0] = NO_ENDPOINT;
    batch.runTos[0] = 0;
    this.device.send(batch, this.now());
    this.device.finishTurn(this.now());
  }

  /** A datagram arrives. */
  arrive(bytes: Uint8Array, from: string, tos = 0): void {
    this.arriveTogether([{ bytes, from, tos }]);
  }

  /** Datagrams that one receive gives, at most 64: of those in a row from one source for one receiver it makes runs. */
  arriveTogether(arrivals: readonly Arrival[]): void {
    const batch = this.#inbound;
    batch.clear();
    let at = 0;
    arrivals.forEach((arrival, slot) => {
      batch.arena.set(arrival.bytes, at);
      batch.packetOffset[slot] = at;
      at += arrival.bytes.length;
      addArrival(batch, slot, arrival, arrivals[slot - 1], parseAddress(arrival.from));
    });
    const forTun = this.device.receive(batch, this.now());
    const taken = this.#writeToTun(batch);
    if (forTun !== taken && this.tunErrno === 0) throw new Error(`${forTun} packets for the TUN, and ${taken} there`);
    this.device.delivered(batch, taken);
    this.device.finishTurn(this.now());
  }

  /** @returns packets that this node's TUN took */
  #writeToTun(batch: PacketBatch): number {
    let taken = 0;
    for (let slot = 0; slot < batch.header[HeaderCell.PacketCount]; slot++) {
      if (batch.packetStatus[slot] !== 0 || batch.packetLength[slot] === 0) continue;
      if (this.tunErrno !== 0) {
        batch.packetStatus[slot] = -this.tunErrno;
        continue;
      }
      taken++;
      this.took(batch.arena.slice(batch.packetOffset[slot], batch.packetOffset[slot] + batch.packetLength[slot]));
    }
    return taken;
  }

  /** An inner packet came out of the TUN. */
  protected took(inner: Uint8Array): void {
    this.delivered.push({ mark: markOf(inner), atMs: this.world.nowMs });
  }

  marks(): string[] {
    return this.delivered.map((packet) => packet.mark);
  }

  #transmit(batch: PacketBatch): number {
    let sent = 0;
    for (let run = 0; run < batch.header[HeaderCell.RunCount]; run++) {
      if (batch.runEndpoint[run] === NO_ENDPOINT) continue;
      const endpoint = readEndpoint(this.#endpoints, batch.runEndpoint[run] * ENDPOINT_BYTES);
      for (let slot = batch.runFirst[run]; slot < batch.runFirst[run] + batch.runCount[run]; slot++) {
        if (batch.packetStatus[slot] !== 0) continue;
        if (endpoint === undefined || this.sendErrno !== 0) {
          batch.packetStatus[slot] = -(this.sendErrno || EAFNOSUPPORT);
          continue;
        }
        const at = batch.packetOffset[slot];
        this.sent(
          formatAddress(endpoint),
          batch.arena.slice(at, at + batch.packetLength[slot]),
          batch.runEndpoint[run],
        );
        sent++;
      }
    }
    return sent;
  }

  /** The kernel took a datagram. @param _row  of the endpoint table: the peer's id, or beyond all peers */
  protected sent(to: string, bytes: Uint8Array, _row: number): void {
    this.world.launch(this.address, to, bytes);
  }
}

export class World implements NodeWorld {
  nowMs = 1_000;
  /** One way, of every datagram; what faults add comes on top. */
  delayMs = 0;
  readonly primitives: Primitives;
  readonly random: () => number;
  readonly nodes = new Map<string, SimNode>();
  readonly faults: NetworkFaults = { lossPerMille: 0, duplicatePerMille: 0, corruptPerMille: 0, delayMsMax: 0 };
  /** Every datagram that was sent: what a wiretap would have. */
  readonly tapped: Flight[] = [];
  /** Of these, the ones that the network lost. */
  readonly lost = new Set<Uint8Array>();
  #flights: Flight[] = [];
  #order = 0;

  private constructor(primitives: Primitives, seed: number) {
    this.primitives = primitives;
    this.random = seededRandom(seed);
  }

  static async create(seed = 1): Promise<World> {
    return new World(await createPrimitives(), seed);
  }

  node(name: string, address: string, events?: DeviceEvents, parts?: NodeParts): SimNode {
    const node = new SimNode<World>(this, name, address, events, parts).start();
    this.nodes.set(name, node);
    return node;
  }

  /** Two nodes, 10.0.0.1 and 10.0.0.2 inside, that know each other's key and address. */
  pair(update: Partial<PeerUpdate> = {}): [SimNode, SimNode] {
    const alice = this.node("alice", "192.0.2.1:1001");
    const bob = this.node("bob", "192.0.2.2:1002");
    const prefix = (last: number) => ({
      prefix: { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, last), length: 32 },
      remove: false,
    });
    alice.peer(bob, { endpoint: parseAddress(bob.address), allowedIps: [prefix(2)], ...update });
    bob.peer(alice, { endpoint: parseAddress(alice.address), allowedIps: [prefix(1)], ...update });
    return [alice, bob];
  }

  fillRandom(into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.random() * 256;
  }

  /** Puts a datagram on the wire, with the faults that are set. */
  launch(from: string, to: string, bytes: Uint8Array): void {
    const { lossPerMille, duplicatePerMille, corruptPerMille, delayMsMax } = this.faults;
    const hits = (perMille: number): boolean => this.random() * 1_000 < perMille;
    const flight = (): Flight => ({
      atMs: this.nowMs + this.delayMs + this.random() * delayMsMax,
      order: this.#order++,
      from,
      to,
      bytes: bytes.slice(),
    });
    const sent = flight();
    this.tapped.push(sent);
    if (hits(lossPerMille)) {
      this.lost.add(sent.bytes);
      return;
    }
    const copies = hits(duplicatePerMille) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const copy = flight();
      if (hits(corruptPerMille))
        copy.bytes[Math.floor(this.random() * copy.bytes.length)] ^= 1 + Math.floor(this.random() * 255);
      this.#flights.push(copy);
    }
  }

  /** Lets time pass, delivering datagrams and firing timers in order. */
  run(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const next = this.#nextMs();
      if (next > endMs) break;
      this.nowMs = Math.max(this.nowMs, next);
      this.#step();
    }
    this.nowMs = endMs;
  }

  #nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const flight of this.#flights) next = Math.min(next, flight.atMs);
    for (const node of this.nodes.values()) next = Math.min(next, node.device.nextDeadlineMs());
    return next;
  }

  #step(): void {
    const due = this.#flights.filter((flight) => flight.atMs <= this.nowMs);
    this.#flights = this.#flights.filter((flight) => flight.atMs > this.nowMs);
    due.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    for (const flight of due) {
      for (const node of this.nodes.values()) if (node.address === flight.to) node.arrive(flight.bytes, flight.from);
    }
    for (const node of this.nodes.values()) node.device.finishTurn(this.nowMs);
  }
}

export function parseAddress(text: string): EndpointAddress {
  const [host, port] = text.split(":");
  return { family: 4, bytes: Uint8Array.from(host.split(".").map(Number)), port: Number(port), scopeId: 0 };
}

export function formatAddress(address: EndpointAddress): string {
  return `${address.bytes.join(".")}:${address.port}`;
}

/** An IPv4 packet, no options, whose payload is the mark. */
export function ipv4Packet(from: string, to: string, mark: string, ecn = 0): Uint8Array {
  const payload = new TextEncoder().encode(mark);
  const packet = new Uint8Array(20 + payload.length);
  packet[0] = 0x45;
  packet[1] = ecn;
  packet[3] = packet.length;
  packet[2] = packet.length >> 8;
  packet[8] = 64;
  packet[9] = 253;
  packet.set(from.split(".").map(Number), 12);
  packet.set(to.split(".").map(Number), 16);
  packet.set(payload, 20);
  return packet;
}

export function markOf(packet: Uint8Array): string {
  return new TextDecoder().decode(packet.subarray(20));
}
