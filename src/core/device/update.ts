// What a configuration change asks of a device, and what a device tells of itself: plain data between the UAPI, the
// config file and the protocol core. It must not know text formats.

/** An IPv4 or IPv6 prefix; host bits are zero. */
export interface Prefix {
  readonly family: 4 | 6;
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array;
  /** Bits, 0–32 or 0–128. */
  readonly length: number;
}

/** A UDP address. */
export interface EndpointAddress {
  readonly family: 4 | 6;
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array;
  /** 1–65535. */
  readonly port: number;
  /** IPv6 link-local scope (interface index), else 0. */
  readonly scopeId: number;
}

export interface AllowedIpUpdate {
  readonly prefix: Prefix;
  /** `allowed_ip=-CIDR`: take it away if this peer has it. */
  readonly remove: boolean;
}

/** One peer section of a `set`; an absent field leaves what is there. */
export interface PeerUpdate {
  /** 32 bytes. */
  publicKey: Uint8Array;
  remove?: boolean;
  updateOnly?: boolean;
  /** 32 bytes; all zero takes it away. */
  presharedKey?: Uint8Array;
  endpoint?: EndpointAddress;
  /** Seconds, 0–65535; 0: off. */
  persistentKeepaliveS?: number;
  replaceAllowedIps?: boolean;
  allowedIps: AllowedIpUpdate[];
}

/** A whole `set`; applied entirely or not at all. */
export interface DeviceUpdate {
  /** 32 bytes; all zero takes the key away. */
  privateKey?: Uint8Array;
  /** 0: the kernel chooses. */
  listenPort?: number;
  /** 0: none. */
  fwmark?: number;
  replacePeers?: boolean;
  peers: PeerUpdate[];
}

export interface PeerSnapshot {
  publicKey: Uint8Array;
  /** All zero: none. */
  presharedKey: Uint8Array;
  endpoint: EndpointAddress | undefined;
  persistentKeepaliveS: number;
  /** Wall time, ms since 1970; 0: never. */
  lastHandshakeMs: number;
  /** Bytes on the wire, with headers. */
  receivedBytes: number;
  sentBytes: number;
  allowedIps: Prefix[];
}

export interface DeviceSnapshot {
  /** 32 bytes, or undefined: no key set. Wipe after use. */
  privateKey: Uint8Array | undefined;
  listenPort: number;
  fwmark: number;
  peers: PeerSnapshot[];
}
