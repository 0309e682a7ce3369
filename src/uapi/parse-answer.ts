// The answer to a `get`, read back into a DeviceSnapshot, for the client's side. Keys that a newer daemon may add are
// passed over.

import { parseEndpoint } from "../config/endpoint.js";
import { KEY_BYTES, parseHexKey } from "../config/key.js";
import { parseDecimal, parseDecimalFwmark, parseDecimalKeepalive, parsePort } from "../config/number.js";
import { parsePrefix } from "../config/prefix.js";
import type { DeviceSnapshot, PeerSnapshot } from "../core/device/update.js";

/** A `get` answer, read line by line. */
export class AnswerReader {
  readonly snapshot: DeviceSnapshot = { privateKey: undefined, listenPort: 0, fwmark: 0, peers: [] };
  /** Of the `errno=` line: positive, negative, or 0. */
  errno = 0;
  #peer: PeerSnapshot | undefined;

  /** @param line  `key=value`, without its end. Errors: ConfigError for a value that does not parse. */
  add(line: string): void {
    const equals = line.indexOf("=");
    const key = line.slice(0, equals);
    const value = line.slice(equals + 1);
    if (key === "errno") {
      this.errno = Number.parseInt(value, 10);
    } else if (key === "public_key") {
      this.#peer = emptyPeer(hexKey(value));
      this.snapshot.peers.push(this.#peer);
    } else if (this.#peer === undefined) {
      this.#addDeviceLine(key, value);
    } else {
      addPeerLine(this.#peer, key, value);
    }
  }

  #addDeviceLine(key: string, value: string): void {
    if (key === "private_key") {
      this.snapshot.privateKey = hexKey(value);
    } else if (key === "listen_port") {
      this.snapshot.listenPort = parsePort(value);
    } else if (key === "fwmark") {
      this.snapshot.fwmark = parseDecimalFwmark(value);
    }
  }
}

function addPeerLine(peer: PeerSnapshot, key: string, value: string): void {
  const number = (): number => parseDecimal(value, Number.MAX_SAFE_INTEGER, key);
  switch (key) {
    case "preshared_key":
      peer.presharedKey = hexKey(value);
      break;
    case "endpoint":
      peer.endpoint = parseEndpoint(value, () => 0);
      break;
    case "last_handshake_time_sec":
      peer.lastHandshakeMs = number() * 1000;
      break;
    case "last_handshake_time_nsec":
      peer.lastHandshakeMs += number() / 1_000_000;
      break;
    case "tx_bytes":
      peer.sentBytes = number();
      break;
    case "rx_bytes":
      peer.receivedBytes = number();
      break;
    case "persistent_keepalive_interval":
      peer.persistentKeepaliveS = parseDecimalKeepalive(value);
      break;
    case "allowed_ip":
      peer.allowedIps.push(parsePrefix(value));
      break;
  }
}

function emptyPeer(publicKey: Uint8Array): PeerSnapshot {
  return {
    publicKey,
    presharedKey: new Uint8Array(KEY_BYTES),
    endpoint: undefined,
    persistentKeepaliveS: 0,
    lastHandshakeMs: 0,
    receivedBytes: 0,
    sentBytes: 0,
    allowedIps: [],
  };
}

function hexKey(text: string): Uint8Array {
  const bytes = Buffer.from(text, "latin1");
  return parseHexKey(bytes, 0, bytes.length);
}
