// Endpoints that a file gives by host name: looked up in the background, again while the peer is silent, and alternated between the
// addresses of a name until one answers. Where a peer really is, its authenticated packets say: while its handshake is fresh, no
// name is looked up and nothing is overwritten. It must not know DNS, the event loop or the clock: all of them are given to it.

import { formatEndpoint } from "../config/endpoint.js";
import type { PeerConfig } from "../config/gateway-config.js";
import type { EndpointAddress } from "../core/device/update.js";

/** A handshake of this age was due to be renewed 15 s ago: its peer is silent, or has nothing to say. */
export const STALE_MS = 135_000;
/** How long an address may stay without answer before the next one of its name is tried. */
const UNANSWERED_MS = 10_000;
/** Between looks at the name of a peer that is tried in vain, and of one that nobody has packets for. */
const TRYING_INTERVAL_MS = 15_000;
const IDLE_INTERVAL_MS = 60_000;
const RETRY_MS_FIRST = 1_000;
const RETRY_MS_MAX = 60_000;
/** Look-ups that may be under way: one may hold a thread of Node's pool for half a minute, and the pool has four. */
const LOOKUPS_MAX = 2;
const JITTER_SHARE = 0.1;

export interface HostAddress {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
}

/** How a peer stands now. Times are device time; -Infinity: never. */
export interface PeerStanding {
  readonly endpoint: EndpointAddress | undefined;
  readonly handshakeMs: number;
  /** When the last handshake initiation to it was sent. */
  readonly initiationMs: number;
}

export interface EndpointNamesWorld {
  /** Addresses of a name, the better ones first. Rejects when there are none. */
  resolve(host: string): Promise<readonly HostAddress[]>;
  /** Undefined: there is no such peer now. */
  standing(publicKey: Uint8Array): PeerStanding | undefined;
  setEndpoint(publicKey: Uint8Array, endpoint: EndpointAddress): void;
  /** Device time. */
  nowMs(): number;
  /** Calls back once, unless it is cancelled. @returns what cancels it */
  after(delayMs: number, callback: () => void): () => void;
  /** From 0 to 1. */
  random(): number;
  /** An endpoint was set. @param endpoint  as text */
  changed(publicKey: Uint8Array, host: string, endpoint: string): void;
  /** The first failure of a series, or a later one. */
  failed(publicKey: Uint8Array, host: string, reason: string, isFirst: boolean): void;
}

interface Entry {
  readonly publicKey: Uint8Array;
  readonly host: string;
  readonly port: number;
  /** When the file began to say so. */
  readonly sinceMs: number;
  /** When the endpoint was last set from the name. */
  setMs: number;
  failures: number;
  /** The name was found once. */
  isFound: boolean;
  isStopped: boolean;
  cancel: () => void;
}

export class EndpointNames {
  readonly #world: EndpointNamesWorld;
  readonly #lookups: Lookups;
  #entries = new Map<string, Entry>();
  /** Called when a name was found or is not wanted any more. */
  readonly #waiting = new Set<() => void>();

  constructor(world: EndpointNamesWorld) {
    this.#world = world;
    this.#lookups = new Lookups((host) => world.resolve(host));
  }

  /** Begins with the names of a file's peers; those with numeric endpoints are passed over. */
  start(peers: readonly PeerConfig[]): void {
    this.update(peers);
  }

  /** The file changed: names that stand as before go on as before. */
  update(peers: readonly PeerConfig[]): void {
    const before = this.#entries;
    this.#entries = new Map();
    for (const { publicKey, endpoint } of peers) {
      if (endpoint?.kind !== "name") continue;
      const { host, port } = endpoint;
      const id = `${Buffer.from(publicKey).toString("hex")} ${host} ${port}`;
      const entry = before.get(id) ?? this.#begin(publicKey.slice(), host, port);
      before.delete(id);
      this.#entries.set(id, entry);
    }
    for (const entry of before.values()) end(entry);
    for (const look of [...this.#waiting]) look();
  }

  /**
   * Waits until the names of some peers were found.
   * @returns those that were not, when the time is over. Rejects never.
   */
  found(isWanted: (publicKey: Uint8Array) => boolean, limitMs: number): Promise<readonly string[]> {
    const wanted = [...this.#entries.values()].filter(({ publicKey }) => isWanted(publicKey));
    const missing = (): string[] =>
      wanted.filter((entry) => !entry.isFound && !entry.isStopped).map(({ host }) => host);
    if (missing().length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        this.#waiting.delete(look);
        resolve([...new Set(missing())]);
      };
      const look = (): void => {
        if (missing().length === 0) finish();
      };
      const cancel = this.#world.after(limitMs, finish);
      this.#waiting.add(look);
    });
  }

  /** Nothing is set any more, look-ups that are under way included. */
  stop(): void {
    this.update([]);
  }

  #begin(publicKey: Uint8Array, host: string, port: number): Entry {
    const sinceMs = this.#world.nowMs();
    const never = Number.NEGATIVE_INFINITY;
    const rest = { setMs: never, failures: 0, isFound: false, isStopped: false, cancel: () => {} };
    const entry: Entry = { publicKey, host, port, sinceMs, ...rest };
    this.#lookAfter(entry, 0);
    return entry;
  }

  #lookAfter(entry: Entry, delayMs: number): void {
    const jitterMs = delayMs * JITTER_SHARE * this.#world.random();
    entry.cancel = this.#world.after(delayMs + jitterMs, () => void this.#look(entry));
  }

  async #look(entry: Entry): Promise<void> {
    if (!this.#isDue(entry)) {
      this.#rest(entry);
      return;
    }
    try {
      const addresses = await this.#lookups.resolve(entry.host);
      if (entry.isStopped) return;
      entry.failures = 0;
      if (this.#isDue(entry)) this.#choose(entry, interleave(addresses));
      entry.isFound = true;
      for (const look of [...this.#waiting]) look();
      this.#rest(entry);
    } catch (error) {
      if (entry.isStopped) return;
      this.#world.failed(entry.publicKey, entry.host, (error as Error).message, entry.failures === 0);
      this.#lookAfter(entry, Math.min(RETRY_MS_FIRST * 2 ** entry.failures, RETRY_MS_MAX));
      entry.failures++;
    }
  }

  /** Whether the name counts: no handshake since the file says so, or none for long. */
  #isDue({ publicKey, sinceMs }: Entry): boolean {
    const standing = this.#world.standing(publicKey);
    if (standing === undefined) return false;
    const { handshakeMs } = standing;
    return handshakeMs < sinceMs || this.#world.nowMs() - handshakeMs >= STALE_MS;
  }

  #choose(entry: Entry, addresses: readonly HostAddress[]): void {
    const { endpoint, initiationMs } = this.#world.standing(entry.publicKey) as PeerStanding;
    const beganMs = Math.max(entry.setMs, entry.sinceMs);
    const isUnanswered = initiationMs >= beganMs && this.#world.nowMs() - beganMs >= UNANSWERED_MS;
    const at = addresses.findIndex((address) => isAt(endpoint, address, entry.port));
    if (at >= 0 && !isUnanswered) return;
    const next = addresses[(at + 1) % addresses.length];
    if (next === undefined || isAt(endpoint, next, entry.port)) return;
    const chosen: EndpointAddress = { ...next, port: entry.port, scopeId: 0 };
    this.#world.setEndpoint(entry.publicKey, chosen);
    entry.setMs = this.#world.nowMs();
    this.#world.changed(entry.publicKey, entry.host, formatEndpoint(chosen));
  }

  #rest(entry: Entry): void {
    this.#lookAfter(entry, this.#restMs(entry));
  }

  /** Until the handshake may be stale; of a silent peer, until it is time to look again. */
  #restMs(entry: Entry): number {
    const standing = this.#world.standing(entry.publicKey);
    if (standing === undefined) return IDLE_INTERVAL_MS;
    const { handshakeMs, initiationMs } = standing;
    const nowMs = this.#world.nowMs();
    if (handshakeMs >= entry.sinceMs && nowMs - handshakeMs < STALE_MS) return STALE_MS - (nowMs - handshakeMs);
    const isTried = initiationMs >= Math.max(entry.setMs, entry.sinceMs, handshakeMs);
    const isNew = nowMs - entry.setMs < IDLE_INTERVAL_MS;
    return isTried || isNew ? TRYING_INTERVAL_MS : IDLE_INTERVAL_MS;
  }
}

/** A few look-ups at a time, and one for all who ask for the same name meanwhile. */
class Lookups {
  readonly #resolve: (host: string) => Promise<readonly HostAddress[]>;
  readonly #underWay = new Map<string, Promise<readonly HostAddress[]>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(resolve: (host: string) => Promise<readonly HostAddress[]>) {
    this.#resolve = resolve;
  }

  resolve(host: string): Promise<readonly HostAddress[]> {
    const known = this.#underWay.get(host);
    if (known !== undefined) return known;
    const lookup = this.#inTurn(host).finally(() => this.#underWay.delete(host));
    this.#underWay.set(host, lookup);
    return lookup;
  }

  async #inTurn(host: string): Promise<readonly HostAddress[]> {
    if (this.#running >= LOOKUPS_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      return await this.#resolve(host);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}

/** The families take turns, beginning with that of the first address. Source: RFC 8305 section 4. */
function interleave(addresses: readonly HostAddress[]): HostAddress[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const turns = Math.max(first.length, second.length);
  return Array.from({ length: turns }, (_, i) => [first[i], second[i]])
    .flat()
    .filter((address) => address !== undefined);
}

function isAt(endpoint: EndpointAddress | undefined, { bytes }: HostAddress, port: number): boolean {
  return endpoint !== undefined && endpoint.port === port && Buffer.compare(endpoint.bytes, bytes) === 0;
}

function end(entry: Entry): void {
  entry.isStopped = true;
  entry.cancel();
}
