// One peer as the rules of the diagnosis look at it: the reading of now, one from some seconds before where there is one, and what
// the host says. What moves between the two readings happens now; what does not is history.

import {
  dropsOf,
  type HostFacts,
  hasDetails,
  type PeerDetails,
  type PeerFacts,
  type Reading,
} from "./diagnosis-facts.js";
import { type PeerState, peerState } from "./peer-state.js";
import { countText, durationText, numberText } from "./quantity-text.js";

/** A retry comes every 5 s: what has not happened for this long is over. */
const RECENT_MS = 60_000;
const TYPED_PREFIXES_MAX = 16;
/** Characters of a key that say which one is meant. */
const KEY_CHARACTERS = 8;

export interface Count {
  readonly total: number;
  /** Between the two readings; 0 without an earlier one. */
  readonly moved: number;
}

export class DiagnosisView {
  readonly now: Reading;
  readonly earlier: Reading | undefined;
  readonly host: HostFacts | undefined;
  readonly state: PeerState;

  constructor(now: Reading, earlier?: Reading, host?: HostFacts) {
    this.now = now;
    this.earlier = earlier;
    this.host = host;
    this.state = peerState(now.peer, now.head.readAtMs);
  }

  get peer(): PeerFacts {
    return this.now.peer;
  }

  get details(): (PeerFacts & PeerDetails) | undefined {
    const { peer } = this.now;
    return hasDetails(peer) ? peer : undefined;
  }

  get interfaceName(): string {
    return this.now.head.interface.name;
  }

  get nowMs(): number {
    return this.now.head.readAtMs;
  }

  /** How the peer is called: by its name, else by the beginning of its key. */
  get label(): string {
    const { name, publicKey } = this.peer;
    return name === publicKey.slice(0, name.length) ? `${publicKey.slice(0, KEY_CHARACTERS)}…` : name;
  }

  /** `wg set hq peer KEY …`; the key is quoted by nobody: base64 has nothing that a shell minds. */
  wgSet(words: string): string {
    return `wg set ${this.interfaceName} peer ${this.peer.publicKey} ${words}`;
  }

  /** The command that adds a prefix; older wg(8) takes whole lists only. @returns undefined when the list is too long to type */
  wgAllow(prefix: string): string | undefined {
    const { allowedIps } = this.peer;
    return allowedIps.length > TYPED_PREFIXES_MAX
      ? undefined
      : this.wgSet(`allowed-ips ${[...allowedIps, prefix].join(",")}`);
  }

  count(read: (reading: Reading) => number): Count {
    const total = read(this.now);
    return { total, moved: this.earlier === undefined ? 0 : Math.max(0, total - read(this.earlier)) };
  }

  /** Of this peer, both directions. */
  drops(...reasons: readonly string[]): Count {
    return this.count(({ peer: { drops } }) => {
      const sum = (reason: string): number => dropsOf(drops?.inbound, reason) + dropsOf(drops?.outbound, reason);
      return reasons.reduce((total, reason) => total + sum(reason), 0);
    });
  }

  /** Of the whole interface, both directions. */
  deviceDrops(...reasons: readonly string[]): Count {
    return this.count(({ head: { ledger } }) => {
      const sum = (reason: string): number =>
        dropsOf(ledger?.inbound.drops, reason) + dropsOf(ledger?.outbound.drops, reason);
      return reasons.reduce((total, reason) => total + sum(reason), 0);
    });
  }

  isRecent(atMs: number | null | undefined): boolean {
    return atMs !== null && atMs !== undefined && this.nowMs - atMs < RECENT_MS;
  }

  /** Since then something good came of the peer: what was wrong before is over. */
  hasRecoveredSince(atMs: number): boolean {
    return (this.peer.latestHandshakeAtMs ?? 0) > atMs;
  }

  /** `42 packets since the start, 7 in the last 2 s` */
  countText({ total, moved }: Count, one = "packet"): string {
    const sum = `${countText(total, one)} since the start`;
    if (this.earlier === undefined) return sum;
    const seconds = durationText(this.nowMs - this.earlier.head.readAtMs);
    return `${sum}, ${numberText(moved)} in the last ${seconds}`;
  }

  /** Refusals of handshake messages that came from the peer's endpoint; `isExact`: from its port too. */
  refusalsFromEndpoint(...reasons: readonly string[]): { count: number; lastAtMs: number; isExact: boolean } {
    const { endpoint } = this.peer;
    const found = { count: 0, lastAtMs: 0, isExact: false };
    if (endpoint === null) return found;
    for (const { reason, count, lastAtMs, from } of this.now.head.refusals ?? []) {
      if (!reasons.includes(reason) || from === null || addressOf(from) !== addressOf(endpoint)) continue;
      if (from !== endpoint && this.now.endpoints?.has(from) === true) continue;
      found.count += count;
      found.lastAtMs = Math.max(found.lastAtMs, lastAtMs);
      found.isExact ||= from === endpoint;
    }
    return found;
  }
}

/** @param endpoint  `203.0.113.7:51820`, `[2001:db8::7]:51820`  @returns the address alone */
export function addressOf(endpoint: string): string {
  return endpoint.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

export function portOf(endpoint: string): string {
  return endpoint.slice(endpoint.lastIndexOf(":") + 1);
}
