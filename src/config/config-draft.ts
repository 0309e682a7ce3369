// A configuration file half read: what was said so far and where, so that checks across lines can point at both places.

import type { EndpointAddress, Prefix } from "../core/device/update.js";
import type { Span } from "./config-lines.js";
import type { ConfigProblem } from "./config-problem.js";
import type { InterfaceIndexLookup } from "./endpoint.js";
import type { DaemonConfig, DnsConfig, HookConfig, PeerEndpoint, SecretKey, TableChoice } from "./gateway-config.js";
import type { KeyPlaces } from "./key-source.js";

/** A network that this host is on by another interface. */
export interface LocalNetwork {
  /** `192.168.10.0/24`; host bits may be set. */
  readonly prefix: string;
  /** Such as eth0. */
  readonly interfaceName: string;
}

/** What the checks of a file know of the machine. */
export interface ConfigSurroundings {
  /** Checked; the base name of the file. */
  readonly interfaceName: string;
  readonly keys: KeyPlaces;
  /** Of this host's other interfaces; those of the file's own are passed over. */
  readonly localNetworks: readonly LocalNetwork[];
  readonly interfaceIndex: InterfaceIndexLookup;
  /** Number of a routing table by name; undefined: there is no such name. */
  readonly routingTable: (name: string) => number | undefined;
}

export interface Located<T> {
  readonly value: T;
  readonly span: Span;
}

export interface PeerDraft {
  /** Its `[Peer]`. */
  readonly section: Span;
  publicKey?: Located<Uint8Array>;
  /** A key was meant, but not understood: what depends on it is not checked. */
  publicKeyFailed: boolean;
  presharedKey?: Located<SecretKey>;
  readonly allowedIps: Located<Prefix>[];
  endpoint?: Located<PeerEndpoint>;
  persistentKeepaliveS?: number;
  friendlyName?: Located<string>;
}

/** Whose a prefix is: the same one on two peers is found as it is read. */
export interface PrefixOwner {
  readonly peer: PeerDraft;
  readonly line: number;
}

export class ConfigDraft {
  readonly errors: ConfigProblem[] = [];
  readonly warnings: ConfigProblem[] = [];
  /** The first `[Interface]`. */
  section: Span | undefined;
  privateKey: Located<SecretKey> | undefined;
  privateKeyFailed = false;
  readonly addresses: Located<string>[] = [];
  listenPort: number | undefined;
  fwmark: number | undefined;
  mtu: Located<number> | undefined;
  readonly dns: { [K in keyof DnsConfig]: string[] } = { servers: [], search: [] };
  table: TableChoice = "auto";
  readonly hooks: { [K in keyof HookConfig]: string[] } = { preUp: [], postUp: [], preDown: [], postDown: [] };
  saveConfig = false;
  readonly peers: PeerDraft[] = [];
  readonly owners = new Map<string, PrefixOwner>();
  /** Lengths of the prefixes there. */
  readonly lengths = new Set<number>();
  readonly daemon: { -readonly [K in keyof DaemonConfig]: DaemonConfig[K] } = {
    metrics: undefined,
    logLevel: undefined,
    aead: undefined,
    stateDirectory: undefined,
  };

  /** Zeroes every key that was read. */
  wipe(): void {
    this.privateKey?.value.bytes.fill(0);
    for (const peer of this.peers) peer.presharedKey?.value.bytes.fill(0);
  }
}

/** The numeric address of an endpoint, if that is what it is. */
export function numericEndpoint(endpoint: PeerEndpoint | undefined): EndpointAddress | undefined {
  return endpoint?.kind === "address" ? endpoint.address : undefined;
}
