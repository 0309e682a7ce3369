// What people, programs and fate do to a fleet: one deed after another, drawn from the seed's dice.

import { KeypairCell } from "../../../src/core/transport/keypair.js";
import { Attacker } from "./attacker.js";
import type { Dice } from "./dice.js";
import type { Fleet } from "./fleet.js";
import type { Flight } from "./network.js";
import { type Edge, innerAddress, prefixesOf, type Site } from "./site.js";

const REPLAY_WINDOW = 16_352;
const RING = 16_384;
const ZERO_KEYS_MS = 540_000;
const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const ERRNOS = [1, 11, 90, 101, 105];

type Deed = readonly [weight: number, name: string, act: () => void];

export class Script {
  /** The network and everybody heal: what was still planned does not happen. */
  isOver = false;
  readonly #fleet: Fleet;
  readonly #dice: Dice;
  readonly #attacker: Attacker;
  readonly #deeds: readonly Deed[];
  readonly #weights: number;
  #ports = 2_000;

  constructor(fleet: Fleet, dice: Dice) {
    this.#fleet = fleet;
    this.#dice = dice;
    this.#attacker = new Attacker(fleet, dice);
    this.#deeds = [...this.#traffic(), ...this.#faults(), ...this.#changes(), ...this.#attacks()];
    this.#weights = this.#deeds.reduce((sum, [weight]) => sum + weight, 0);
  }

  /** Does something. */
  act(): void {
    let drawn = this.#dice.below(this.#weights);
    for (const [weight, name, act] of this.#deeds) {
      drawn -= weight;
      if (drawn >= 0) continue;
      this.#fleet.chronicle.note(this.#fleet.nowMs, "script", () => name, [6, weight]);
      act();
      return;
    }
  }

  /** @returns ms until the next deed: mostly soon, sometimes after everything has expired */
  gapMs(): number {
    const dice = this.#dice;
    const kind = dice.below(100);
    if (kind < 45) return dice.between(0, 1_500);
    if (kind < 80) return dice.between(1_500, 20_000);
    if (kind < 96) return dice.between(20_000, 130_000);
    return dice.between(175_000, 560_000);
  }

  #traffic(): Deed[] {
    return [
      [18, "a burst", () => this.#burst(this.#dice.between(1, 12))],
      [3, "a long burst", () => this.#burst(this.#dice.between(130, 180))],
      [16, "a flow", () => this.#flow()],
      [4, "packets of a wrong source", () => this.#strange()],
      [3, "packets for nobody", () => this.#nowhere()],
      [6, "a jump of the counter", () => this.#jump()],
    ];
  }

  #faults(): Deed[] {
    return [
      [8, "a storm", () => this.#storm()],
      [5, "a partition", () => this.#partition()],
      [3, "an outage until the keys go", () => this.#outlast()],
      [5, "a rebinding", () => this.#rebind()],
      [7, "a crash", () => this.#crash()],
      [3, "a sleep", () => this.#sleep()],
      [7, "a clock jump", () => this.#jumpClock()],
      [2, "an interface down", () => this.#bounce()],
      [3, "a refused send", () => this.#refuse()],
      [1, "a full disk", () => this.#fillDisk()],
    ];
  }

  #changes(): Deed[] {
    return [
      [3, "a peer removed", () => this.#remove()],
      [2, "a new key", () => this.#rekey()],
      [2, "a new psk", () => this.#changePsk()],
      [3, "a moved prefix", () => this.#movePrefix()],
      [2, "a keepalive changed", () => this.#changeKeepalive()],
    ];
  }

  #attacks(): Deed[] {
    return [
      [9, "a replay", () => this.#attacker.replay()],
      [3, "a reflection", () => this.#attacker.reflect()],
      [4, "garbage", () => this.#attacker.garbage()],
      [4, "bad tags", () => this.#attacker.poison()],
      [2, "a flood", () => this.#flood()],
      [3, "a flood with cookies", () => this.#attacker.floodWithCookies()],
    ];
  }

  /** @param unless  it happens unless everything heals before */
  #later(delayMs: number, happen: () => void): void {
    this.#fleet.plan(this.#fleet.nowMs + delayMs, () => {
      if (!this.isOver) happen();
    });
  }

  /** What it earns in cookies is used at once, or when the secret behind them is over. */
  #flood(): void {
    this.#attacker.flood();
    const delayMs = this.#dice.chance(400) ? this.#dice.between(500, 60_000) : this.#dice.between(119_000, 240_000);
    this.#later(delayMs, () => this.#attacker.floodWithCookies());
  }

  /** @returns a site and one of its peers, present or not */
  #pair(): [Site, Site, Edge] {
    const site = this.#dice.pick(this.#fleet.sites);
    const edge = this.#dice.pick([...site.edges.values()]);
    return [site, this.#fleet.sites[edge.peer], edge];
  }

  #burst(count: number): void {
    const [site, other] = this.#pair();
    this.#say(site, other, count);
    if (this.#dice.chance(500)) this.#say(other, site, Math.min(count, 8));
  }

  #say(from: Site, to: Site, count: number): void {
    const { packets } = this.#fleet;
    const family = this.#dice.chance(250) ? 6 : 4;
    const [source, target] = [from, to].map(({ index }) => innerAddress(index, family, this.#dice.between(1, 3)));
    for (let left = count; left > 0; left -= 40) {
      const lengths = Array.from({ length: Math.min(left, 40) }, () => this.#dice.between(4, 60));
      packets.offer(from, source, target, lengths);
    }
  }

  #flow(): void {
    const [site, other] = this.#pair();
    const intervalMs = this.#dice.pick([700, 2_000, 5_000, 9_000, 14_000]);
    const isAnswered = this.#dice.chance(700);
    const step = (left: number): void => {
      this.#say(site, other, this.#dice.between(1, 3));
      if (isAnswered) this.#say(other, site, 1);
      if (left > 0) this.#later(intervalMs, () => step(left - 1));
    };
    step(this.#dice.between(3, 20));
  }

  #strange(): void {
    const [site, other] = this.#pair();
    const third = this.#dice.pick(this.#fleet.sites);
    const target = innerAddress(other.index, 4, 1);
    this.#fleet.packets.offer(site, innerAddress(third.index, 4, 9), target, [8, 12], this.#dice.chance(300));
  }

  #nowhere(): void {
    const [site, other] = this.#pair();
    const isKnown = this.#dice.chance(500);
    const target = isKnown ? innerAddress(other.index, 6, 1) : innerAddress(200, 6, 1);
    this.#fleet.packets.offer(site, innerAddress(site.index, 6, 1), target, [8]);
  }

  /** As if thousands of packets had been sent and lost, and one of before turned up at the edge of the window. */
  #jump(): void {
    const [site, other] = this.#pair();
    const keypair = site.node?.peerOf(other.publicKey)?.keypairs.current;
    if (keypair === undefined) {
      this.#burst(2);
      return;
    }
    const before = this.#withhold(site, other);
    const distance = this.#dice.pick([31, 32, 64, REPLAY_WINDOW, REPLAY_WINDOW, RING, 2 * RING]);
    keypair.state[KeypairCell.SendCounter] += distance - this.#dice.pick([0, 1, 2, this.#dice.between(3, 12)]);
    const late = this.#dice.chance(500) ? this.#withhold(site, other) : [];
    this.#say(site, other, 1);
    const { network } = this.#fleet;
    const arrivedMs = network.weather.delayMs + network.weather.jitterMsMax;
    for (const flight of [...late, ...before]) {
      for (const delayMs of [30, 60]) network.inject(flight, arrivedMs + delayMs);
    }
  }

  /** @returns what the site sends the other just now, and the network loses */
  #withhold(site: Site, other: Site): Flight[] {
    const { network } = this.#fleet;
    const link = site.index * 16 + other.index;
    const isNew = !network.blocked.has(link);
    network.blocked.add(link);
    const last = network.lost.at(-1);
    this.#say(site, other, 1);
    if (isNew) network.blocked.delete(link);
    const flight = network.lost.at(-1);
    return flight === undefined || flight === last || flight.origin !== site.index ? [] : [flight];
  }

  #storm(): void {
    const { weather } = this.#fleet.network;
    const dice = this.#dice;
    weather.lossPerMille = dice.pick([0, 50, 300, 700]);
    weather.duplicatePerMille = dice.pick([0, 50, 400]);
    weather.corruptPerMille = dice.pick([0, 20, 200]);
    weather.delayMs = dice.pick([2, 20, 80, 400]);
    weather.jitterMsMax = dice.pick([0, 5, 100, 3_000]);
    this.#later(dice.between(5_000, 90_000), () => this.#fleet.network.calm());
  }

  #partition(): void {
    const { blocked } = this.#fleet.network;
    const [site, other] = this.#pair();
    const links = [site.index * 16 + other.index];
    if (this.#dice.chance(600)) links.push(other.index * 16 + site.index);
    for (const link of links) blocked.add(link);
    this.#later(this.#dice.between(3_000, 250_000), () => {
      for (const link of links) blocked.delete(link);
    });
  }

  /** Two peers are cut off until their keys are zeroed, and have something to say just then. */
  #outlast(): void {
    const [site, other] = this.#pair();
    const keypair = site.node?.peerOf(other.publicKey)?.keypairs.current;
    if (keypair === undefined) return;
    const { blocked } = this.#fleet.network;
    const links = [site.index * 16 + other.index, other.index * 16 + site.index];
    for (const link of links) blocked.add(link);
    const leftMs = Math.max(0, ZERO_KEYS_MS - keypair.ageMs(site.bootMs()));
    for (const aroundMs of [-3_500, -400, 600])
      this.#later(Math.max(0, leftMs + aroundMs), () => this.#say(site, other, 1));
    this.#later(leftMs + 3_000, () => {
      for (const link of links) blocked.delete(link);
    });
  }

  #rebind(): void {
    const mobile = this.#fleet.sites.filter((site) => !site.isFixed);
    if (mobile.length === 0) return;
    const site = this.#dice.pick(mobile);
    this.#fleet.network.move(site, `${site.address.split(":")[0]}:${this.#ports++}`);
    if (site.node !== undefined) site.node.address = site.address;
  }

  #crash(): void {
    const dice = this.#dice;
    const site = dice.pick(this.#fleet.sites);
    if (site.node === undefined) return;
    this.#fleet.forgetInbox(site);
    site.crash(dice.chance(150));
    const isReboot = dice.chance(400);
    this.#later(dice.chance(600) ? dice.below(3_000) : dice.below(200_000), () => {
      if (site.node !== undefined) return;
      if (isReboot) site.reboot();
      if (isReboot && dice.chance(300)) site.wallOffsetMs = -57 * YEAR_MS;
      site.start();
    });
  }

  #sleep(): void {
    const site = this.#dice.pick(this.#fleet.sites);
    site.isAsleep = true;
    this.#later(this.#dice.pick([2_000, 30_000, 200_000, 600_000]), () => site.wake());
  }

  #jumpClock(): void {
    const site = this.#dice.pick(this.#fleet.sites);
    const far = [-57 * YEAR_MS, 11 * YEAR_MS, 100 * DAY_MS, -3 * DAY_MS];
    const near = [-4_000, -700, 300, 5_000, 3_600_000];
    site.wallOffsetMs = this.#dice.chance(300) ? 0 : this.#dice.pick(this.#dice.chance(500) ? far : near);
  }

  #bounce(): void {
    const site = this.#dice.pick(this.#fleet.sites);
    const { node } = site;
    node?.down();
    this.#later(this.#dice.between(1, 20_000), () => {
      if (site.node === node) node?.up();
    });
  }

  #refuse(): void {
    const { node } = this.#dice.pick(this.#fleet.sites);
    if (node === undefined) return;
    if (this.#dice.chance(700)) node.sendErrno = this.#dice.pick(ERRNOS);
    else node.tunErrno = this.#dice.pick([5, 22]);
    this.#later(this.#dice.between(1, 20_000), () => {
      node.sendErrno = 0;
      node.tunErrno = 0;
    });
  }

  #fillDisk(): void {
    const { disk } = this.#dice.pick(this.#fleet.sites);
    disk.isFull = true;
  }

  #remove(): void {
    const [site, , edge] = this.#pair();
    if (!edge.isPresent) return;
    site.removePeer(edge);
    this.#later(this.#dice.chance(500) ? 10 : this.#dice.between(1_000, 120_000), () => {
      if (!edge.isPresent) site.addPeer(edge);
    });
  }

  /** A site gets a new key; its peers are told one by one. */
  #rekey(): void {
    const site = this.#dice.pick(this.#fleet.sites);
    if (site.node === undefined) return;
    site.newKey();
    this.#fleet.keyChanged(site);
    site.node.configure({ privateKey: site.privateKey, peers: [] });
    for (const other of this.#fleet.sites) {
      const edge = other.edges.get(site.index);
      if (edge === undefined) continue;
      this.#later(this.#dice.below(20_000), () => {
        if (!edge.isPresent) return;
        other.removePeer(edge);
        other.addPeer(edge);
      });
    }
  }

  #changePsk(): void {
    const [site, other, edge] = this.#pair();
    const presharedKey = this.#dice.bytes(32);
    const back = other.edges.get(site.index) as Edge;
    for (const [owner, own] of [
      [site, edge],
      [other, back],
    ] as const) {
      this.#later(this.#dice.below(9_000), () => {
        own.presharedKey = presharedKey;
        if (own.isPresent) owner.configurePeer(own);
      });
    }
  }

  /** A prefix of one peer is given to another for a while. */
  #movePrefix(): void {
    const site = this.#dice.pick(this.#fleet.sites);
    const edges = [...site.edges.values()].filter((edge) => edge.isPresent);
    if (edges.length < 2) return;
    const [from, to] = [this.#dice.pick(edges), this.#dice.pick(edges)];
    const prefix = this.#dice.pick(prefixesOf(from.peer));
    site.routes.give(prefix, to.peer);
    site.configurePeer(to);
    this.#later(this.#dice.between(1_000, 60_000), () => {
      if (!from.isPresent) return;
      site.routes.give(prefix, from.peer);
      site.configurePeer(from);
    });
  }

  #changeKeepalive(): void {
    const [site, , edge] = this.#pair();
    edge.keepaliveS = this.#dice.chance(600) ? 0 : this.#dice.between(3, 25);
    if (edge.isPresent) site.configurePeer(edge);
  }
}
