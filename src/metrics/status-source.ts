// What the status document and the metrics are read from: the core's statistics, and what only the daemon knows.

import type { Peer } from "../core/device/peer.js";
import type { Statistics } from "../core/device/statistics.js";
import type { EndpointAddress, Prefix } from "../core/device/update.js";
import type { EndpointNameStatus } from "./status.js";

/** What the daemon knows of its interface. Read anew for every document. */
export interface InterfaceFacts {
  readonly name: string;
  /** 32 bytes; undefined: no private key is set. */
  readonly publicKey: Uint8Array | undefined;
  readonly listenPort: number;
  readonly fwmark: number;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly aead: string;
  readonly tcpSegmentation: boolean;
  readonly udpSegmentation: boolean;
}

export interface StatusSource {
  readonly statistics: Statistics;
  readonly version: string;
  /** ms since 1970. */
  readonly startedAtMs: number;
  readonly wallMs: () => number;
  readonly facts: () => InterfaceFacts;
  /** @param publicKey  base64 */
  readonly friendlyName: (publicKey: string) => string | undefined;
  /** @param publicKey  base64  @returns what became of the name that the file has for its endpoint */
  readonly endpointName?: (publicKey: string) => EndpointNameStatus | undefined;
  readonly endpointOf: (peer: Peer) => EndpointAddress | undefined;
  /** Visits the peer's first `limit` allowed-ips, in the order in which it got them. @returns how many it has */
  readonly allowedIpsOf: (peer: Peer, limit: number, visit: (prefix: Prefix) => void) => number;
  /** What keeps the interface from its work; empty: ready. */
  readonly problems: () => readonly string[];
}
