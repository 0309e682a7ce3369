// What the diagnosis is made from: the status document, as far as it is known. With nothing but the UAPI socket there is what
// `wg show` has, and the diagnosis makes do with it.

import type { DropCount, InterfaceStatus, PeerStatus, StatusHead } from "./status.js";

type PeerBasics = Pick<
  PeerStatus,
  | "name"
  | "publicKey"
  | "endpoint"
  | "allowedIps"
  | "persistentKeepaliveSeconds"
  | "latestHandshakeAtMs"
  | "sentBytes"
  | "receivedBytes"
>;

/** What only the daemon itself tells. */
export type PeerDetails = Pick<
  PeerStatus,
  | "endpointName"
  | "lastReceivedAtMs"
  | "traffic"
  | "path"
  | "roundTrip"
  | "handshakes"
  | "drops"
  | "endpointChanges"
  | "endpointChangedAtMs"
>;

/** A PeerStatus is one. */
export type PeerFacts = PeerBasics & (PeerDetails | { readonly [Field in keyof PeerDetails]?: undefined });

/** A StatusHead is one. */
export interface HeadFacts {
  /** ms since 1970. */
  readonly readAtMs: number;
  readonly interface: Pick<InterfaceStatus, "name" | "publicKey" | "listenPort" | "fwmark"> &
    Partial<Pick<InterfaceStatus, "mtu" | "isUp">>;
  readonly ledger?: StatusHead["ledger"];
  readonly loop?: StatusHead["loop"];
  readonly refusals?: StatusHead["refusals"];
}

/** The way that the kernel sends to an address. */
export interface WayFacts {
  readonly address: string;
  /** Undefined: there is no way. */
  readonly device: string | undefined;
  /** The address is this host's own. */
  readonly isLocal: boolean;
  /** Of the path as far as the kernel knows it, else of the device. */
  readonly mtu?: number | undefined;
}

/** What the host says, besides the daemon. */
export interface HostFacts {
  /** To the endpoint, with the fwmark of the interface. */
  readonly outer?: WayFacts | undefined;
  /** To addresses in the peer's AllowedIPs, or to the one that was asked about. */
  readonly inner: readonly WayFacts[];
}

/** One reading of an interface and a peer of it. */
export interface Reading {
  readonly head: HeadFacts;
  readonly peer: PeerFacts;
  /** Of all peers of the interface: what comes from another's is not this one's. */
  readonly endpoints?: ReadonlySet<string>;
}

/** A PeerFacts that has everything. */
export function hasDetails(peer: PeerFacts): peer is PeerFacts & PeerDetails {
  return peer.handshakes !== undefined;
}

/** @returns packets of one reason; 0 when it never happened */
export function dropsOf(drops: readonly DropCount[] | undefined, reason: string): number {
  return drops?.find((one) => one.reason === reason)?.packets ?? 0;
}
