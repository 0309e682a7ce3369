// The lines of one `set`, turned into a DeviceUpdate. It must not know sockets or operations. A value that is a secret is
// read from the bytes as they came, never through a string.
// Source: wireguard.com/xplatform, "Configuration Protocol"; answers as wireguard-go gives them.

import type { InterfaceIndexLookup } from "../config/endpoint.js";
import { parseEndpoint } from "../config/endpoint.js";
import { parseHexKey } from "../config/key.js";
import { parseDecimalFwmark, parseDecimalKeepalive, parsePort } from "../config/number.js";
import { parsePrefix } from "../config/prefix.js";
import { quoteUnlessSecret } from "../config/secret-text.js";
import type { DeviceUpdate, PeerUpdate } from "../core/device/update.js";
import { UapiError } from "./errors.js";

const EQUALS = 0x3d;

/** Collects one update; a peer may have several sections. Nothing is applied here. */
export class SetSections {
  readonly update: DeviceUpdate = { peers: [] };
  readonly #interfaceIndex: InterfaceIndexLookup;
  #peer: PeerUpdate | undefined;

  constructor(interfaceIndex: InterfaceIndexLookup) {
    this.#interfaceIndex = interfaceIndex;
  }

  /**
   * Takes one line.
   * @param bytes  borrowed; [start, end) is the line without its end
   * Errors: UapiError EPROTO without "=", EINVAL for an unknown key; ConfigError for a value.
   */
  add(bytes: Buffer, start: number, end: number): void {
    const equals = bytes.indexOf(EQUALS, start);
    if (equals < 0 || equals >= end) {
      throw new UapiError("EPROTO", 'line without "="');
    }
    const key = bytes.toString("latin1", start, equals);
    const value = new LineValue(bytes, equals + 1, end);
    if (key === "public_key") {
      this.#peer = { publicKey: value.hexKey("public key"), allowedIps: [] };
      this.update.peers.push(this.#peer);
    } else if (this.#peer === undefined) {
      this.#addDeviceLine(key, value);
    } else {
      this.#addPeerLine(this.#peer, key, value);
    }
  }

  #addDeviceLine(key: string, value: LineValue): void {
    switch (key) {
      case "private_key":
        this.update.privateKey?.fill(0);
        this.update.privateKey = value.hexKey("private key");
        break;
      case "listen_port":
        this.update.listenPort = parsePort(value.text());
        break;
      case "fwmark":
        this.update.fwmark = parseDecimalFwmark(value.text());
        break;
      case "replace_peers":
        requireText(key, "true", value);
        this.update.replacePeers = true;
        break;
      default:
        throw new UapiError("EINVAL", `unknown key ${quoteUnlessSecret(key)} before the first public_key`);
    }
  }

  #addPeerLine(peer: PeerUpdate, key: string, value: LineValue): void {
    switch (key) {
      case "allowed_ip": {
        const text = value.text();
        const remove = text.startsWith("-");
        peer.allowedIps.push({ prefix: parsePrefix(remove ? text.slice(1) : text), remove });
        break;
      }
      case "replace_allowed_ips":
        requireText(key, "true", value);
        peer.replaceAllowedIps = true;
        peer.allowedIps.length = 0; //  it clears what stands before it in the section too
        break;
      case "preshared_key":
        peer.presharedKey?.fill(0);
        peer.presharedKey = value.hexKey("preshared key");
        break;
      case "endpoint":
        peer.endpoint = parseEndpoint(value.text(), this.#interfaceIndex);
        break;
      case "persistent_keepalive_interval":
        peer.persistentKeepaliveS = parseDecimalKeepalive(value.text());
        break;
      case "update_only":
        requireText(key, "true", value);
        peer.updateOnly = true;
        break;
      case "remove":
        requireText(key, "true", value);
        peer.remove = true;
        break;
      case "protocol_version":
        requireText(key, "1", value);
        break;
      default:
        throw new UapiError("EINVAL", `unknown key ${quoteUnlessSecret(key)} in a peer section`);
    }
  }
}

/** Zeroes the secrets of an update. Call when it has been applied or given up. */
export function wipeUpdate(update: DeviceUpdate): void {
  update.privateKey?.fill(0);
  for (const peer of update.peers) {
    peer.presharedKey?.fill(0);
  }
}

/** What stands behind "=". */
class LineValue {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  text(): string {
    return this.#bytes.toString("latin1", this.#start, this.#end);
  }

  hexKey(what: string): Uint8Array {
    return parseHexKey(this.#bytes, this.#start, this.#end, what);
  }
}

function requireText(key: string, expected: string, value: LineValue): void {
  if (value.text() !== expected) {
    throw new UapiError("EINVAL", `${key} ${quoteUnlessSecret(value.text())}; write ${expected}`);
  }
}
