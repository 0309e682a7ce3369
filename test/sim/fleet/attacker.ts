// An attacker on the path: it has what was sent, knows public keys, and sends what it likes from where it likes.

import { deriveCookieKey, deriveMac1Key } from "../../../src/core/noise/identity.js";
import type { Dice } from "./dice.js";
import type { Fleet } from "./fleet.js";
import { ATTACKER_NETWORK, type Flight } from "./network.js";
import type { Site } from "./site.js";

const INITIATION_BYTES = 148;
const COOKIE_REPLY_BYTES = 64;
const COOKIES_MAX = 32;
const WAITING_MAX = 1_024;

interface Cookie {
  readonly site: Site;
  readonly address: string;
  readonly bytes: Uint8Array;
}

export class Attacker {
  readonly #fleet: Fleet;
  readonly #dice: Dice;
  /** Initiations that a cookie may answer: mac1 and target, by sender index. */
  readonly #waiting = new Map<number, { readonly site: Site; readonly mac1: Uint8Array }>();
  readonly #cookies: Cookie[] = [];

  constructor(fleet: Fleet, dice: Dice) {
    this.#fleet = fleet;
    this.#dice = dice;
    fleet.attackerHears = (flight) => this.#hear(flight);
  }

  /** Sends again what was sent before: at once or much later, from where it came or from elsewhere, to whom or to others. */
  replay(): void {
    const { recorded, lost } = this.#fleet.network;
    const source = this.#dice.chance(300) ? lost : recorded;
    const handshakes = source.filter((flight) => flight.bytes[0] !== 4);
    const chosen = this.#dice.chance(400) && handshakes.length > 0 ? handshakes : source;
    if (chosen.length === 0) return;
    for (let i = this.#dice.between(1, 12); i > 0; i--) {
      const flight = this.#dice.pick(chosen);
      const to = this.#dice.chance(150) ? this.#dice.pick(this.#fleet.sites).address : flight.to;
      const from = this.#mayImpersonate(flight) && this.#dice.chance(500) ? this.#address() : flight.from;
      this.#fleet.network.inject({ ...flight, to, from }, this.#dice.chance(500) ? 2 : this.#dice.below(5_000));
    }
  }

  /** Sends a site its own datagrams. */
  reflect(): void {
    const { recorded } = this.#fleet.network;
    for (let i = this.#dice.between(1, 6); i > 0 && recorded.length > 0; i--) {
      const flight = this.#dice.pick(recorded);
      const from = this.#dice.chance(500) ? flight.to : this.#address();
      this.#fleet.network.inject({ ...flight, to: flight.from, from });
    }
  }

  garbage(): void {
    for (let i = this.#dice.between(1, 10); i > 0; i--) {
      const length = this.#dice.pick([0, 1, 4, 31, 32, 33, 64, 92, 148, 148, 149, 200]);
      const bytes = this.#dice.bytes(length);
      if (length >= 4 && this.#dice.chance(800)) bytes.set([this.#dice.between(1, 4), 0, 0, 0]);
      this.#send(this.#dice.pick(this.#fleet.sites), this.#address(), bytes);
    }
  }

  /** Transport data to indices in use, with bad tags, from the attacker's own address. */
  poison(): void {
    const data = this.#fleet.network.recorded.filter((flight) => flight.bytes[0] === 4);
    for (let i = this.#dice.between(1, 8); i > 0 && data.length > 0; i--) {
      const flight = this.#dice.pick(data);
      const bytes = flight.bytes.slice();
      bytes[this.#dice.between(8, bytes.length - 1)] ^= this.#dice.between(1, 255);
      this.#fleet.network.inject({ ...flight, bytes, from: this.#address(), isIntact: false });
    }
  }

  /** Initiations with a valid mac1 and nothing else that is right. */
  flood(): void {
    const site = this.#dice.pick(this.#fleet.sites);
    const sources = Array.from({ length: this.#dice.between(1, 6) }, () => this.#address());
    const count = this.#dice.between(100, 420);
    for (let i = 0; i < count; i++) {
      this.#send(site, sources[i % sources.length], this.#initiation(site), Math.floor(i / 60));
    }
  }

  /** A flood with cookies: of its own, stolen ones of another address, or old ones. */
  floodWithCookies(): void {
    if (this.#cookies.length === 0) return;
    const { site, address, bytes } = this.#dice.pick(this.#cookies);
    const from = this.#dice.chance(300) ? this.#address() : address;
    const count = this.#dice.between(140, 260);
    for (let i = 0; i < count; i++) this.#send(site, from, this.#initiation(site, bytes), Math.floor(i / 60));
  }

  #send(site: Site, from: string, bytes: Uint8Array, delayMs = 0): void {
    this.#fleet.network.inject({ bytes, from, to: site.address, origin: -1, isIntact: true }, 2 + delayMs);
  }

  #initiation(site: Site, cookie?: Uint8Array): Uint8Array {
    const { primitives } = this.#fleet;
    const message = this.#dice.bytes(INITIATION_BYTES);
    message.set([1, 0, 0, 0]);
    const mac = new Uint8Array(16);
    primitives.mac16(mac, deriveMac1Key(primitives, site.publicKey), message, 0, INITIATION_BYTES - 32);
    message.set(mac, INITIATION_BYTES - 32);
    message.fill(0, INITIATION_BYTES - 16);
    if (this.#waiting.size < WAITING_MAX) this.#waiting.set(readU32(message, 4), { site, mac1: mac.slice() });
    if (cookie === undefined) return message;
    primitives.mac16(mac, cookie, message, 0, INITIATION_BYTES - 16);
    message.set(mac, INITIATION_BYTES - 16);
    return message;
  }

  #hear({ bytes, to }: Flight): void {
    if (bytes.length !== COOKIE_REPLY_BYTES || bytes[0] !== 3 || this.#cookies.length >= COOKIES_MAX) return;
    const waiting = this.#waiting.get(readU32(bytes, 4));
    if (waiting === undefined || this.#cookies.some((cookie) => cookie.address === to)) return;
    const { primitives } = this.#fleet;
    const cookie = new Uint8Array(16);
    const key = deriveCookieKey(primitives, waiting.site.publicKey);
    const nonce = bytes.slice(8, 32);
    if (!primitives.xaeadOpen(cookie, key, nonce, bytes.slice(32), waiting.mac1)) return;
    this.#cookies.push({ site: waiting.site, address: to, bytes: cookie });
  }

  /** A datagram that never arrived moves an endpoint to whoever brings it. One side of a pair must be left to mend that. */
  #mayImpersonate(flight: Flight): boolean {
    const target = this.#fleet.network.siteAt(flight.to);
    const origin = this.#fleet.sites[flight.origin];
    return target?.isFixed === true && origin !== undefined && (!origin.isFixed || target.index < origin.index);
  }

  #address(): string {
    return `${ATTACKER_NETWORK}${this.#dice.between(1, 40)}:${this.#dice.between(1_024, 1_027)}`;
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}
