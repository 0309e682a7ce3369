// Which sites a fleet has and which of them are peers.

import type { Dice } from "./dice.js";
import type { Fleet } from "./fleet.js";
import { prefixesOf, Site } from "./site.js";

const SITE_COUNTS = [2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 8];

export function buildFleet(fleet: Fleet, dice: Dice): void {
  const count = dice.pick(SITE_COUNTS);
  for (let index = 0; index < count; index++) {
    const isFixed = index === 0 || dice.chance(500);
    const address = isFixed ? `192.0.2.${index + 1}:51820` : `203.0.113.${index + 1}:${1_024 + index}`;
    fleet.add(new Site(fleet, index, isFixed, address, 1 + (dice.below(401) - 200) / 1e6));
  }
  for (const site of fleet.sites) {
    for (const other of fleet.sites.slice(site.index + 1)) {
      const canReach = site.isFixed || other.isFixed;
      if (canReach && (site.index === 0 || dice.chance(400))) join(site, other, dice);
    }
  }
  for (const site of fleet.sites) site.start();
}

/** Makes peers of two sites. Whoever is behind a NAT knows the other's address. */
function join(a: Site, b: Site, dice: Dice): void {
  const presharedKey = dice.chance(500) ? dice.bytes(32) : new Uint8Array(32);
  const isNamedOnce = a.isFixed && b.isFixed && dice.chance(300);
  for (const [from, to] of [
    [a, b],
    [b, a],
  ]) {
    const namesEndpoint = to.isFixed && !(isNamedOnce && from === a);
    const keepaliveS = dice.chance(from.isFixed ? 50 : 250) ? dice.between(5, 25) : 0;
    const publicKey = to.publicKey.slice();
    from.edges.set(to.index, { peer: to.index, publicKey, presharedKey, keepaliveS, namesEndpoint, isPresent: true });
    for (const prefix of prefixesOf(to.index)) from.routes.give(prefix, to.index);
  }
}
