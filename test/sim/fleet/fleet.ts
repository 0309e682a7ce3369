// A fleet of gateways in virtual time: sites with the real core, a network between them, one clock, one seed.

import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import type { NodeWorld } from "../world.js";
import { Chronicle } from "./chronicle.js";
import { Dice } from "./dice.js";
import { EventQueue } from "./event-queue.js";
import { isHandshake } from "./handshake-watch.js";
import { keyText } from "./key-text.js";
import { ATTACKER_NETWORK, type Flight, Network } from "./network.js";
import { PacketBook } from "./packet-book.js";
import type { Site } from "./site.js";
import { toyPrimitives } from "./toy-primitives.js";
import { KeyBook } from "./watched-data-path.js";

/** Datagrams of one receive. */
const BATCH_MAX = 64;
/** What a socket's buffer holds. */
const INBOX_MAX = 256;

export type Crypto = "toy" | "reference";

export class Fleet implements NodeWorld {
  nowMs = 0;
  readonly primitives: Primitives;
  readonly dice: Dice;
  readonly keys = new KeyBook();
  readonly chronicle = new Chronicle();
  readonly packets = new PacketBook();
  readonly network: Network;
  readonly sites: Site[] = [];
  /** Initiations that crossed one of the other side under way, by pair of sites. */
  readonly crossings = new Map<string, number>();
  /** Whoever listens at the attackers' addresses. */
  attackerHears: (flight: Flight) => void = () => {};
  readonly #entropy: Dice;
  readonly #queue = new EventQueue();
  readonly #inboxes = new Map<Site, Flight[]>();
  readonly #indexByKey = new Map<string, number>();
  readonly #initiated = new Map<number, number>();

  private constructor(seed: number, primitives: Primitives) {
    this.primitives = primitives;
    this.dice = new Dice(seed, 1);
    this.#entropy = new Dice(seed, 2);
    this.network = new Network(this);
  }

  static async create(seed: number, crypto: Crypto): Promise<Fleet> {
    real ??= await createPrimitives();
    return new Fleet(seed, crypto === "toy" ? toyPrimitives(real) : real);
  }

  add(site: Site): void {
    this.sites.push(site);
    this.network.move(site, site.address);
    this.keyChanged(site);
  }

  /** The site has another key; who it was before is remembered. */
  keyChanged(site: Site): void {
    this.#indexByKey.set(keyText(site.publicKey), site.index);
  }

  /** @returns the site whose key this is or was, or -1 */
  indexOf(publicKey: Uint8Array): number {
    return this.#indexByKey.get(keyText(publicKey)) ?? -1;
  }

  nameOf(publicKey: Uint8Array): string {
    return this.sites[this.indexOf(publicKey)]?.name ?? "a stranger";
  }

  plan(atMs: number, happen: () => void): void {
    this.#queue.plan(atMs, happen);
  }

  fillRandom(into: Uint8Array): void {
    this.#entropy.fill(into);
  }

  note(site: Site, what: () => string, numbers: readonly number[], bytes?: Uint8Array): void {
    this.chronicle.note(this.nowMs, site.name, what, numbers, bytes);
  }

  launch(from: string, to: string, bytes: Uint8Array): void {
    const site = this.network.siteAt(from);
    if (site !== undefined) this.launchFrom(site, to, bytes);
  }

  launchFrom(site: Site, to: string, bytes: Uint8Array): void {
    this.network.launch(site, to, bytes);
  }

  delivered(site: Site, inner: Uint8Array): void {
    this.note(site, () => `delivers ${inner.length} bytes`, [4], inner);
    this.packets.take(site, inner, this.nowMs);
  }

  /** A datagram reaches where it was sent. */
  arrived(flight: Flight): void {
    if (flight.to.startsWith(ATTACKER_NETWORK)) {
      this.attackerHears(flight);
      return;
    }
    const site = this.network.siteAt(flight.to);
    if (site?.node === undefined) return;
    const inbox = this.#inboxes.get(site) ?? [];
    if (inbox.length < INBOX_MAX) inbox.push(flight);
    this.#inboxes.set(site, inbox);
  }

  /** What a crashed daemon had not read yet is gone. */
  forgetInbox(site: Site): void {
    this.#inboxes.delete(site);
  }

  /** @returns sites that intact handshake messages are of, with the addresses that they came from */
  handshakeOrigins(arrivals: readonly Flight[]): { peer: number; address: string }[] {
    return arrivals
      .filter((flight) => flight.isIntact && flight.origin >= 0 && isHandshake(flight.bytes))
      .map((flight) => ({ peer: flight.origin, address: flight.from }));
  }

  initiationLaunched(from: number, to: number): void {
    this.#initiated.set(from * 16 + to, this.nowMs);
    const otherMs = this.#initiated.get(to * 16 + from) ?? Number.NEGATIVE_INFINITY;
    if (this.nowMs - otherMs > this.network.weather.delayMs) return;
    const pair = pairName(from, to);
    this.crossings.set(pair, (this.crossings.get(pair) ?? 0) + 1);
  }

  /** Lets time pass. */
  async run(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (;;) {
      const nextMs = this.#nextMs();
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      while (this.#queue.nextMs() <= this.nowMs) this.#queue.take()();
      for (const site of this.sites) this.#turn(site);
      if (this.sites.some((site) => site.disk.hasEnded)) await this.#letPromisesRun();
    }
    this.nowMs = endMs;
  }

  #nextMs(): number {
    let nextMs = this.#queue.nextMs();
    for (const site of this.sites) {
      const { node } = site;
      if (node === undefined || site.isAsleep) continue;
      if (this.#inboxes.has(site)) return this.nowMs;
      const dueMs = node.device.nextDeadlineMs();
      if (dueMs === Number.POSITIVE_INFINITY) continue;
      nextMs = Math.min(nextMs, Math.max(site.fleetMs(dueMs), node.turnedMs + 1));
    }
    return nextMs;
  }

  #turn(site: Site): void {
    const { node } = site;
    if (node === undefined || site.isAsleep) return;
    const inbox = this.#inboxes.get(site);
    this.#inboxes.delete(site);
    if (inbox !== undefined) {
      for (let at = 0; at < inbox.length; at += BATCH_MAX) {
        this.note(site, () => `receives ${Math.min(BATCH_MAX, inbox.length - at)} datagrams`, [5, inbox.length]);
        node.arriveTogether(inbox.slice(at, at + BATCH_MAX));
      }
    } else if (node.device.nextDeadlineMs() <= site.bootMs()) node.tick();
  }

  async #letPromisesRun(): Promise<void> {
    for (const site of this.sites) site.disk.hasEnded = false;
    await new Promise((resolve) => setImmediate(resolve));
  }

  placeName(address: string): string {
    return this.network.siteAt(address)?.name ?? address;
  }
}

let real: Primitives | undefined;

export function pairName(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}

export function describe(bytes: Uint8Array): string {
  const name = { 1: "an initiation", 2: "a response", 3: "a cookie reply", 4: "data" }[bytes[0]] ?? "something";
  return bytes[0] === 4 ? `${bytes.length === 32 ? "a keepalive" : name} ${bytes[8] + 256 * bytes[9]}` : name;
}
