// One gateway: what outlives its daemons. Its keys, its disk, its clocks, its address, and the configuration that its admin wants.

import type { AllowedIpUpdate, PeerUpdate, Prefix } from "../../../src/core/device/update.js";
import type { TimestampFloorLog } from "../../../src/daemon/timestamp-floor.js";
import { TimestampFloor } from "../../../src/daemon/timestamp-floor.js";
import type { StateDirectory } from "../../../src/system/state-directory.js";
import { parseAddress } from "../world.js";
import { SimDisk } from "./disk.js";
import type { Fleet } from "./fleet.js";
import { FleetNode } from "./fleet-node.js";
import { RouteModel } from "./route-model.js";
import { hold } from "./violation.js";

const START_WALL_MS = Date.UTC(2027, 2, 1);
const QUIET: TimestampFloorLog = { info: () => {}, error: () => {} };

/** What an admin wrote down about a peer. */
export interface Edge {
  /** Index of the site that the peer is. */
  readonly peer: number;
  publicKey: Uint8Array;
  presharedKey: Uint8Array;
  keepaliveS: number;
  /** Whether the configuration names the peer's address. */
  readonly namesEndpoint: boolean;
  isPresent: boolean;
}

export class Site {
  readonly fleet: Fleet;
  readonly index: number;
  readonly name: string;
  /** Everybody may know its address, which never changes. The others are behind a NAT. */
  readonly isFixed: boolean;
  address: string;
  readonly privateKey = new Uint8Array(32);
  readonly publicKey = new Uint8Array(32);
  readonly disk: SimDisk;
  readonly edges = new Map<number, Edge>();
  readonly routes = new RouteModel();
  node: FleetNode | undefined;
  /** Stopped: nothing is handled until it wakes. */
  isAsleep = false;
  /** Wall clock, beside the true time. */
  wallOffsetMs = 0;
  /** Greatest timestamp sent with the present key, in seconds; 0: none. */
  greatestSentS = 0;
  /** The disk was lost and timestamps may go back: peers may refuse this site for a while. */
  isForgetful = false;
  #bootedAtMs: number;
  #bootBaseMs: number;
  readonly #rate: number;

  constructor(fleet: Fleet, index: number, isFixed: boolean, address: string, rate: number) {
    this.fleet = fleet;
    this.index = index;
    this.name = `${isFixed ? "fixed" : "mobile"}${index}`;
    this.isFixed = isFixed;
    this.address = address;
    this.#rate = rate;
    this.disk = new SimDisk(
      (atMs, happen) => fleet.plan(atMs, happen),
      () => fleet.nowMs,
    );
    this.#bootedAtMs = fleet.nowMs;
    this.#bootBaseMs = 1_000 + 777 * index;
    this.newKey();
  }

  newKey(): void {
    this.fleet.fillRandom(this.privateKey);
    this.fleet.primitives.x25519Base(this.publicKey, this.privateKey);
    this.greatestSentS = 0;
    this.isForgetful = false;
  }

  /** Boot time: monotonic, never quite right, and running while the machine sleeps. */
  bootMs(): number {
    return Math.floor(this.#bootBaseMs + (this.fleet.nowMs - this.#bootedAtMs) * this.#rate);
  }

  /** @returns when in the fleet's time this boot time will be */
  fleetMs(bootMs: number): number {
    return Math.ceil(this.#bootedAtMs + (bootMs - this.#bootBaseMs) / this.#rate);
  }

  wallMs(): number {
    return START_WALL_MS + this.fleet.nowMs + this.wallOffsetMs;
  }

  /** The machine starts over: boot time does. */
  reboot(): void {
    this.#bootedAtMs = this.fleet.nowMs;
    this.#bootBaseMs = this.fleet.dice.between(3_000, 90_000);
  }

  /** A daemon starts. */
  start(): void {
    this.fleet.note(this, () => "starts", [8]);
    const floor = new TimestampFloor({
      directory: this.disk as unknown as StateDirectory,
      wallMs: () => this.wallMs(),
      bootMs: () => this.bootMs(),
      log: QUIET,
    });
    const node = new FleetNode(this, floor);
    this.node = node;
    node.configure({ privateKey: this.privateKey, peers: [] });
    node.up();
    for (const edge of this.edges.values()) if (edge.isPresent) this.configurePeer(edge);
  }

  /** The daemon dies. */
  crash(losesDisk: boolean): void {
    this.fleet.note(this, () => `dies${losesDisk ? ", and its disk with it" : ""}`, [9, losesDisk ? 1 : 0]);
    this.node = undefined;
    this.isAsleep = false;
    if (losesDisk || this.disk.isBehind) this.#forget();
    this.disk.crash(losesDisk);
  }

  wake(): void {
    if (this.isAsleep) this.node?.watch.woke();
    this.isAsleep = false;
  }

  #forget(): void {
    this.greatestSentS = 0;
    this.isForgetful = true;
  }

  /** Tells the daemon what the admin wants of a peer. */
  configurePeer(edge: Edge): void {
    const allowedIps = this.routes.prefixesOf(edge.peer).map(allow);
    const update: PeerUpdate = { publicKey: edge.publicKey, allowedIps, replaceAllowedIps: true };
    if (edge.namesEndpoint) update.endpoint = parseAddress(this.fleet.sites[edge.peer].address);
    update.presharedKey = edge.presharedKey;
    update.persistentKeepaliveS = edge.keepaliveS;
    this.node?.configure({ peers: [update] });
  }

  /** The peer goes: out of the daemon, with its routes. */
  removePeer(edge: Edge): void {
    edge.isPresent = false;
    this.routes.takeAll(edge.peer);
    this.node?.configure({ peers: [{ publicKey: edge.publicKey, remove: true, allowedIps: [] }] });
  }

  /** The peer comes, or comes back, with its own prefixes. */
  addPeer(edge: Edge): void {
    edge.isPresent = true;
    edge.publicKey = this.fleet.sites[edge.peer].publicKey.slice();
    for (const prefix of prefixesOf(edge.peer)) this.routes.give(prefix, edge.peer);
    this.configurePeer(edge);
  }

  /** A timestamp leaves with the present key. */
  timestampSent(seconds: number): void {
    hold("timestamps", seconds > this.greatestSentS, () => `${this.name} sends ${seconds} after ${this.greatestSentS}`);
    this.greatestSentS = seconds;
  }
}

/** The inner networks of a site. */
export function prefixesOf(index: number): Prefix[] {
  return [
    { family: 4, bytes: Uint8Array.of(10, 0, index, 0), length: 24 },
    { family: 6, bytes: Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xfd : i === 7 ? index : 0)), length: 64 },
  ];
}

/** An inner address of a site. */
export function innerAddress(index: number, family: 4 | 6, host: number): Uint8Array {
  const address = prefixesOf(index)[family === 4 ? 0 : 1].bytes.slice();
  address[address.length - 1] = host;
  return address;
}

function allow(prefix: Prefix): AllowedIpUpdate {
  return { prefix, remove: false };
}
