// Which peer an inner address belongs to, the plain way: a list of prefixes, the longest that matches.

import type { Prefix } from "../../../src/core/device/update.js";

interface Route {
  readonly prefix: Prefix;
  owner: number;
}

export class RouteModel {
  #routes: Route[] = [];

  /** Gives a prefix to an owner, whoever had it. */
  give(prefix: Prefix, owner: number): void {
    const known = this.#routes.find((route) => isSame(route.prefix, prefix));
    if (known === undefined) this.#routes.push({ prefix, owner });
    else known.owner = owner;
  }

  takeAll(owner: number): void {
    this.#routes = this.#routes.filter((route) => route.owner !== owner);
  }

  prefixesOf(owner: number): Prefix[] {
    return this.#routes.filter((route) => route.owner === owner).map((route) => route.prefix);
  }

  /** @returns whose the address is, or -1 */
  ownerOf(address: Uint8Array): number {
    let best: Route | undefined;
    for (const route of this.#routes) {
      if (route.prefix.bytes.length !== address.length || !contains(route.prefix, address)) continue;
      if (best === undefined || route.prefix.length > best.prefix.length) best = route;
    }
    return best?.owner ?? -1;
  }
}

function isSame(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.length === b.length && contains(a, b.bytes);
}

function contains(prefix: Prefix, address: Uint8Array): boolean {
  for (let bit = 0; bit < prefix.length; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((prefix.bytes[bit >> 3] & mask) !== (address[bit >> 3] & mask)) return false;
  }
  return true;
}
