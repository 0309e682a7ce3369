// The answer to a `get`, written into a buffer piece by piece, so that ten thousand peers neither stall the event loop nor
// stand in memory as text. It must not know sockets.
// Source: wireguard.com/xplatform, "Configuration Protocol"; order of lines as wireguard-go writes them.

import { formatEndpoint } from "../config/endpoint.js";
import { isZeroKey } from "../config/key.js";
import { formatPrefix } from "../config/prefix.js";
import type { DeviceSnapshot, PeerSnapshot } from "../core/device/update.js";

/** More than is written between two looks at the room left; the buffer of {@link formatSnapshot} must be larger. */
export const ANSWER_ROOM_BYTES = 512;

/**
 * Writes the whole answer, `errno=0` and blank line included. Each step fills `buffer` from its start and yields the
 * bytes written; what was yielded is overwritten by the next step.
 * @param snapshot  borrowed, not changed
 * Allocates: strings of one line.
 */
export function* formatSnapshot(snapshot: DeviceSnapshot, buffer: Buffer): Generator<number, void, void> {
  const out = new LineWriter(buffer);
  if (snapshot.privateKey !== undefined && !isZeroKey(snapshot.privateKey)) {
    out.key("private_key=", snapshot.privateKey);
  }
  if (snapshot.listenPort !== 0) {
    out.text(`listen_port=${snapshot.listenPort}\n`);
  }
  if (snapshot.fwmark !== 0) {
    out.text(`fwmark=${snapshot.fwmark}\n`);
  }
  for (const peer of snapshot.peers) {
    yield* out.pieces();
    out.key("public_key=", peer.publicKey);
    out.key("preshared_key=", peer.presharedKey);
    yield* out.pieces();
    out.text(peerState(peer));
    for (const prefix of peer.allowedIps) {
      yield* out.pieces();
      out.text(`allowed_ip=${formatPrefix(prefix)}\n`);
    }
  }
  yield* out.pieces();
  out.text("errno=0\n\n");
  yield out.take();
}

function peerState(peer: PeerSnapshot): string {
  const seconds = Math.floor(peer.lastHandshakeMs / 1000);
  const nanoseconds = Math.floor((peer.lastHandshakeMs - seconds * 1000) * 1_000_000);
  const endpoint = peer.endpoint === undefined ? "" : `endpoint=${formatEndpoint(peer.endpoint)}\n`;
  return (
    `protocol_version=1\n${endpoint}` +
    `last_handshake_time_sec=${seconds}\nlast_handshake_time_nsec=${nanoseconds}\n` +
    `tx_bytes=${peer.sentBytes}\nrx_bytes=${peer.receivedBytes}\n` +
    `persistent_keepalive_interval=${peer.persistentKeepaliveS}\n`
  );
}

class LineWriter {
  readonly #buffer: Buffer;
  #length = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  text(text: string): void {
    this.#length += this.#buffer.write(text, this.#length, "latin1");
  }

  /** Writes digits one by one: a key must not become a string. */
  key(name: string, key: Uint8Array): void {
    this.text(name);
    for (let i = 0; i < key.length; i++) {
      this.#buffer[this.#length++] = hexCode(key[i] >> 4);
      this.#buffer[this.#length++] = hexCode(key[i] & 0xf);
    }
    this.text("\n");
  }

  /** Yields what is written so far when the room gets scarce. */
  *pieces(): Generator<number, void, void> {
    if (this.#length > this.#buffer.length - ANSWER_ROOM_BYTES) {
      yield this.take();
    }
  }

  take(): number {
    const length = this.#length;
    this.#length = 0;
    return length;
  }
}

function hexCode(digit: number): number {
  return digit < 10 ? 0x30 + digit : 0x57 + digit;
}
