// The network between the sites: it loses, delays, reorders, duplicates, corrupts and partitions, and an attacker keeps a
// copy of what passes.

import type { Arrival } from "../arrivals.js";
import type { Fleet } from "./fleet.js";
import { isHandshake } from "./handshake-watch.js";
import type { Site } from "./site.js";

const RECORDED_MAX = 256;
const LEAST_DELAY_MS = 2;
/** Addresses of attackers begin so. */
export const ATTACKER_NETWORK = "198.51.100.";

export interface Flight extends Arrival {
  readonly to: string;
  /** Site that made it; -1: an attacker did. */
  readonly origin: number;
  /** As it was made. */
  readonly isIntact: boolean;
}

export interface Weather {
  lossPerMille: number;
  duplicatePerMille: number;
  corruptPerMille: number;
  delayMs: number;
  jitterMsMax: number;
}

const CALM: Weather = { lossPerMille: 0, duplicatePerMille: 0, corruptPerMille: 0, delayMs: 5, jitterMsMax: 0 };

export class Network {
  readonly weather: Weather = { ...CALM };
  /** Pairs of sites, from × 16 + to, between which nothing gets through. */
  readonly blocked = new Set<number>();
  /** What a wiretap has: the latest datagrams of sites, whether they arrived or not. */
  readonly recorded: Flight[] = [];
  /** Those of them that did not arrive. */
  readonly lost: Flight[] = [];
  readonly #fleet: Fleet;
  readonly #sites = new Map<string, Site>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** The address leads to this site, and no other does. */
  move(site: Site, address: string): void {
    this.#sites.delete(site.address);
    site.address = address;
    this.#sites.set(address, site);
  }

  siteAt(address: string): Site | undefined {
    return this.#sites.get(address);
  }

  calm(): void {
    Object.assign(this.weather, CALM);
    this.blocked.clear();
  }

  /** A site's datagram begins its way. */
  launch(site: Site, to: string, bytes: Uint8Array): void {
    const flight: Flight = { bytes, from: site.address, to, origin: site.index, isIntact: true };
    const { dice } = this.#fleet;
    const { lossPerMille, duplicatePerMille, corruptPerMille } = this.weather;
    keep(this.recorded, flight);
    const target = this.#sites.get(to);
    const isBlocked = target !== undefined && this.blocked.has(site.index * 16 + target.index);
    if (isBlocked || (lossPerMille > 0 && dice.chance(lossPerMille))) {
      keep(this.lost, flight);
      return;
    }
    this.#fly(corruptPerMille > 0 && dice.chance(corruptPerMille) ? this.corrupted(flight) : flight);
    if (duplicatePerMille > 0 && dice.chance(duplicatePerMille)) this.#fly(flight);
  }

  /** An attacker's datagram arrives. */
  inject(flight: Flight, delayMs = LEAST_DELAY_MS): void {
    this.#fleet.plan(this.#fleet.nowMs + delayMs, () => this.#fleet.arrived(flight));
  }

  corrupted(flight: Flight): Flight {
    const { dice } = this.#fleet;
    if (dice.chance(150))
      return { ...flight, bytes: flight.bytes.slice(0, dice.below(flight.bytes.length)), isIntact: false };
    const bytes = flight.bytes.slice();
    const at = dice.below(bytes.length);
    bytes[at] ^= dice.between(1, 255);
    // mac2 is for nobody but a device under load.
    const isIntact = isHandshake(bytes) && at >= bytes.length - 16;
    return { ...flight, bytes, isIntact };
  }

  #fly(flight: Flight): void {
    const { delayMs, jitterMsMax } = this.weather;
    const jitterMs = jitterMsMax > 0 ? this.#fleet.dice.below(jitterMsMax + 1) : 0;
    this.inject(flight, Math.max(LEAST_DELAY_MS, delayMs) + jitterMs);
  }
}

function keep(list: Flight[], flight: Flight): void {
  if (list.length >= RECORDED_MAX) list.shift();
  list.push(flight);
}
