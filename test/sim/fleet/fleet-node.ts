// One incarnation of a site's daemon: the real core, watched. Every turn ends with an inspection of its books.

import type { Peer } from "../../../src/core/device/peer.js";
import type { DeviceUpdate } from "../../../src/core/device/update.js";
import { DROP_REASON_COUNT, DropReason } from "../../../src/core/drop-reason.js";
import { decodeTai64n } from "../../../src/core/noise/tai64n.js";
import type { TimestampKeeper } from "../../../src/core/noise/timestamp-keeper.js";
import { SimNode } from "../world.js";
import { describe, type Fleet } from "./fleet.js";
import { HandshakeWatch } from "./handshake-watch.js";
import { Count, inspect, inspectGone } from "./inspection.js";
import { keyText } from "./key-text.js";
import type { Flight } from "./network.js";
import type { Site } from "./site.js";
import { hold } from "./violation.js";
import { WatchedDataPath } from "./watched-data-path.js";
import { watchedPrimitives } from "./watched-primitives.js";

/** Room for two peers' worth of short packets: the pool runs full too. */
const STAGED_POOL_BYTES = 256 * 2_048;
const INITIATION = 1;
const RESPONSE = 2;
const COOKIE_REPLY = 3;
const DATA = 4;

export class FleetNode extends SimNode<Fleet> {
  readonly site: Site;
  readonly watch: HandshakeWatch;
  readonly path: WatchedDataPath;
  readonly counts = new Float64Array(4);
  /** Peers whose endpoint may have changed in this turn, each with the address that it may have changed to. */
  readonly mayRoam: { peer: number; address: string }[] = [];
  /** Endpoint records, as the last turn left them. */
  readonly endpoints = new WeakMap<Peer, Uint8Array>();
  /** A configuration or a start is under way: endpoints change because somebody says so. */
  isConfiguring = false;
  /** Most peers that the device ever had at a time. */
  peersMost = 0;
  /** Time of the last turn, of the fleet. */
  turnedMs = -1;
  #dropsBefore = new Float64Array(DROP_REASON_COUNT);

  constructor(site: Site, timestampKeeper: TimestampKeeper) {
    const { fleet } = site;
    const bootMs = (): number => site.bootMs();
    const watch = new HandshakeWatch(fleet.primitives, bootMs);
    const path = new WatchedDataPath(fleet.primitives, fleet.keys, bootMs);
    const primitives = watchedPrimitives(fleet.primitives, {
      timestampSealed: (timestamp) => {
        const { seconds, nanos } = decodeTai64n(timestamp);
        site.timestampSent(seconds + nanos / 1e9);
      },
      cookieSealed: (cookie) => watch.cookieSealed(cookie),
    });
    const events = {
      underLoad: (on: boolean) => watch.loadChanged(on),
      handshakeCompleted: (peer: Peer, role: string) =>
        fleet.note(site, () => `completed with ${fleet.nameOf(peer.publicKey)} as ${role}`, [1]),
      handshakeGivenUp: (peer: Peer) => fleet.note(site, () => `gave up on ${fleet.nameOf(peer.publicKey)}`, [2]),
    };
    const wallMs = (): number => site.wallMs();
    const parts = { primitives, dataPath: path, wallMs, timestampKeeper, stagedPoolBytes: STAGED_POOL_BYTES };
    super(fleet, site.name, site.address, events, parts);
    this.site = site;
    this.watch = watch;
    this.path = path;
    path.heard = (peer) => this.#hasReason(peer);
    path.peerOf = (keySlot) => this.#siteOf(this.device.state.keypairs.all[keySlot >> 1].peerId);
  }

  override now(): number {
    return this.site.bootMs();
  }

  configure(update: DeviceUpdate): void {
    if (this.site.isAsleep) this.watch.woke();
    const gone = update.peers.filter((peer) => peer.remove).map((peer) => this.peerOf(peer.publicKey));
    const identity = update.privateKey === undefined ? undefined : this.device.state.identity;
    if (update.privateKey !== undefined) this.watch.keyChanged(this.site.publicKey);
    for (const { publicKey, remove } of update.peers) {
      if (remove) {
        this.watch.forget(keyText(publicKey));
        continue;
      }
      this.watch.hasReason(keyText(publicKey));
    }
    this.isConfiguring = true;
    this.device.configure(update, this.now());
    this.device.finishTurn(this.now());
    inspectGone(gone, identity);
    this.#turned();
    this.isConfiguring = false;
  }

  up(): void {
    for (const peer of this.device.peers()) this.watch.hasReason(keyText(peer.publicKey));
    this.device.up(this.now());
    this.device.finishTurn(this.now());
    this.#turned();
  }

  down(): void {
    this.device.down();
    this.watch.wentDown();
    this.#turned();
    hold(
      "zeroed",
      this.path.slots.size === 0,
      () => `${this.path.slots.size} keys are left of an interface that is down`,
    );
  }

  /** Nothing is left of it afterwards. */
  close(): void {
    const gone = [...this.device.peers()];
    const { identity } = this.device.state;
    this.device.close();
    inspectGone(gone, identity);
    this.#turned();
  }

  /** Time came for a timer. */
  tick(): void {
    this.device.finishTurn(this.now());
    this.#turned();
  }

  /** Inner packets leave the host: one run. @param peer  site that they are for, by the routes; -1: none */
  offer(packets: Uint8Array[], peer: number): void {
    this.#hasReason(peer);
    this.counts[Count.Offered] += packets.length;
    const name = this.world.sites[peer]?.name ?? "nobody";
    this.world.note(this.site, () => `is given ${packets.length} packets for ${name}`, [7, peer, packets.length]);
    this.sendInnerRaw(...packets);
    this.#turned();
  }

  override arriveTogether(arrivals: readonly Flight[]): void {
    const { state } = this.device;
    this.#dropsBefore.set(state.ledger.inboundDrops);
    this.counts[Count.Arrived] += arrivals.length;
    const delivered = this.counts[Count.Delivered];
    this.watch.begin(arrivals, this.device.messagesWaiting);
    this.mayRoam.push(...this.world.handshakeOrigins(arrivals));
    super.arriveTogether(arrivals);
    this.#checkHandshakes();
    this.#checkData(this.counts[Count.Delivered] - delivered);
    this.#turned();
  }

  /** @returns the device's peer with this key */
  peerOf(publicKey: Uint8Array): Peer | undefined {
    return this.device.state.peerByKey.get(keyText(publicKey));
  }

  protected override took(inner: Uint8Array): void {
    this.counts[Count.Delivered]++;
    this.world.delivered(this.site, inner);
  }

  protected override sent(to: string, bytes: Uint8Array, row: number): void {
    this.counts[Count.Sent]++;
    this.world.note(this.site, () => `sends ${describe(bytes)} to ${this.world.placeName(to)}`, [3], bytes);
    const peer = this.device.state.peers[row];
    const type = bytes[0];
    if (type === INITIATION && peer !== undefined) {
      this.watch.initiationSent(keyText(peer.publicKey), peer.persistentKeepaliveMs > 0);
      this.world.initiationLaunched(this.site.index, this.#siteOf(row));
    } else if (type === RESPONSE && peer !== undefined) {
      this.watch.responseSent(keyText(peer.publicKey), readU32(bytes, 8));
    } else if (type === DATA && peer !== undefined) {
      this.watch.hasReason(keyText(peer.publicKey));
    } else if (type === COOKIE_REPLY) this.watch.cookieReplySent(to);
    this.world.launchFrom(this.site, to, bytes);
  }

  #drops(reason: number): number {
    return this.device.state.ledger.inboundDrops[reason] - this.#dropsBefore[reason];
  }

  #checkHandshakes(): void {
    const { state } = this.device;
    if (!state.isUp || state.identity === undefined) return;
    const forged = this.#drops(DropReason.Mac1Invalid);
    hold(
      "reasons",
      forged === this.watch.forged,
      () => `${forged} refused by mac1, ${this.watch.forged} had a bad one`,
    );
    this.watch.end(this.#drops(DropReason.UnderLoad), this.#drops(DropReason.RateLimited));
  }

  #checkData(delivered: number): void {
    const { opened, badTags } = this.path;
    const fresh = opened.filter((packet) => packet.verdict === DropReason.None);
    for (const { peer, from } of fresh) this.mayRoam.push({ peer, address: from });
    // A keypair that goes away while its datagrams are in work takes them with it.
    if (this.#drops(DropReason.KeypairExpired) > 0) return;
    const wrong = this.#drops(DropReason.AuthenticationFailed);
    hold("reasons", wrong === badTags, () => `${wrong} refused by their tag, ${badTags} had a bad one`);
    for (const reason of [DropReason.CounterReplayed, DropReason.CounterTooOld, DropReason.CounterTooLarge]) {
      const wanted = opened.filter((packet) => packet.verdict === reason).length;
      hold("replay", this.#drops(reason) === wanted, () => `${this.#drops(reason)} refused, not ${wanted} (${reason})`);
    }
    if (this.tunErrno !== 0) return;
    const wanted = this.#wantedOf(fresh);
    hold("source", delivered === wanted, () => `${delivered} delivered, ${wanted} new ones have an allowed source`);
  }

  /** @returns packets that the TUN has to get, by the routes that the site has */
  #wantedOf(fresh: WatchedDataPath["opened"]): number {
    return fresh.filter(({ peer, source }) => source !== undefined && this.site.routes.ownerOf(source) === peer).length;
  }

  #hasReason(peer: number): void {
    const edge = this.site.edges.get(peer);
    if (edge !== undefined) this.watch.hasReason(keyText(edge.publicKey));
  }

  #siteOf(peerId: number): number {
    const peer = this.device.state.peers[peerId];
    return peer === undefined ? -1 : this.world.indexOf(peer.publicKey);
  }

  #turned(): void {
    this.turnedMs = this.world.nowMs;
    this.path.endTurn();
    inspect(this);
    if (this.device.messagesWaiting === 0) this.mayRoam.length = 0; // what waits moves an endpoint when its turn comes
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}
