// What a configuration file says, complete and checked: the records that everything which runs an interface builds on. Text is
// gone by here, except where text is what the system wants. It must not know files.

import type { DeviceUpdate, EndpointAddress, PeerUpdate, Prefix } from "../core/device/update.js";
import type { AeadChoice, LogLevel } from "./daemon-choices.js";

export interface GatewayConfig {
  /** Checked; the base name of the file. */
  readonly interfaceName: string;
  readonly interface: InterfaceConfig;
  /** In the order of the file; no two of one key. */
  readonly peers: readonly PeerConfig[];
  readonly daemon: DaemonConfig;
}

/** Where a key came from, so that saving does not copy it into a file that it was kept out of. */
export type KeyOrigin =
  | { readonly kind: "text" }
  /** `PrivateKeyFile =` or `PresharedKeyFile =`. */
  | { readonly kind: "file"; readonly path: string }
  /** A systemd credential. */
  | { readonly kind: "credential"; readonly name: string }
  /** A hook of the file hands it to wg(8): whoever runs the file has zeros, and leaves the device's own alone. */
  | { readonly kind: "hook" };

export interface SecretKey {
  /** 32 bytes; {@link wipeKeys} zeroes them. */
  readonly bytes: Uint8Array;
  readonly origin: KeyOrigin;
}

export interface DnsConfig {
  /** IP addresses. */
  readonly servers: readonly string[];
  /** Search domains. */
  readonly search: readonly string[];
}

/** `Table =`: where routes to the peers go. */
export type TableChoice = "auto" | "off" | number;

/** Commands of the shell, in order; `%i` is still in them. */
export interface HookConfig {
  readonly preUp: readonly string[];
  readonly postUp: readonly string[];
  readonly preDown: readonly string[];
  readonly postDown: readonly string[];
}

/** Whether a hook hands the interface its private key. */
export function givesPrivateKey(hook: string): boolean {
  return /\bwg\s+set\s.*\sprivate-key\s/.test(hook);
}

export interface InterfaceConfig {
  readonly privateKey: SecretKey;
  /** With prefix length, host bits kept, in the form that ip(8) prints. No two equal. */
  readonly addresses: readonly string[];
  /** 0 or undefined: the kernel chooses. */
  readonly listenPort: number | undefined;
  /** 0 or undefined: none was asked for. */
  readonly fwmark: number | undefined;
  /** Bytes; undefined: from the underlay. */
  readonly mtu: number | undefined;
  readonly dns: DnsConfig;
  readonly table: TableChoice;
  readonly hooks: HookConfig;
  /** Whether going down writes the running configuration into the file. */
  readonly saveConfig: boolean;
}

/** Where a peer is said to be. */
export type PeerEndpoint =
  | { readonly kind: "address"; readonly address: EndpointAddress }
  | { readonly kind: "name"; readonly host: string; readonly port: number };

export interface PeerConfig {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly presharedKey: SecretKey | undefined;
  readonly allowedIps: readonly Prefix[];
  readonly endpoint: PeerEndpoint | undefined;
  /** Seconds; 0 or undefined: off. */
  readonly persistentKeepaliveS: number | undefined;
  /** `# friendly_name = …` in the section. */
  readonly friendlyName: string | undefined;
}

/** One place where metrics are served. */
export type MetricsAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** `[Daemon]`: what is ours alone. Undefined: not said, so that a command line or the environment may. */
export interface DaemonConfig {
  /** Empty: `off`. */
  readonly metrics: readonly MetricsAddress[] | undefined;
  readonly logLevel: LogLevel | undefined;
  readonly aead: AeadChoice | undefined;
  /** Absolute. */
  readonly stateDirectory: string | undefined;
}

/**
 * The file as one update that replaces what a device has. Endpoints by name are not in it: whoever resolves them sets them.
 * Keys are the config's own bytes, so apply it before {@link wipeKeys}.
 */
export function deviceUpdateOf(config: GatewayConfig): DeviceUpdate {
  const { privateKey } = config.interface;
  return {
    ...(privateKey.origin.kind === "hook" ? {} : { privateKey: privateKey.bytes }),
    listenPort: config.interface.listenPort ?? 0,
    fwmark: config.interface.fwmark ?? 0,
    replacePeers: true,
    peers: config.peers.map(peerUpdateOf),
  };
}

/** One peer as an update that leaves nothing of what a device had for it, but a learned endpoint. */
export function peerUpdateOf(peer: PeerConfig): PeerUpdate {
  const update: PeerUpdate = {
    publicKey: peer.publicKey,
    presharedKey: peer.presharedKey?.bytes ?? new Uint8Array(32),
    persistentKeepaliveS: peer.persistentKeepaliveS ?? 0,
    replaceAllowedIps: true,
    allowedIps: peer.allowedIps.map((prefix) => ({ prefix, remove: false })),
  };
  if (peer.endpoint?.kind === "address") update.endpoint = peer.endpoint.address;
  return update;
}

/** Zeroes the private key and every preshared key. The config is of no use to a device afterwards. */
export function wipeKeys(config: GatewayConfig): void {
  config.interface.privateKey.bytes.fill(0);
  for (const peer of config.peers) peer.presharedKey?.bytes.fill(0);
}
