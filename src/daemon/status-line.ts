// One line about a running interface, as `systemctl status` shows it: how many peers are there, and how much passes.

import { type Peer, PeerBytes } from "../core/device/peer.js";
import type { Gateway } from "./gateway.js";

/** A peer holds its keypair for as long. */
const CONNECTED_MS = 180_000;
const UNITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"] as const;

export class StatusLine {
  #atMs = Number.NaN;
  #receivedBytes = 0;
  #sentBytes = 0;

  /** @param nowMs  a clock that only goes forward. @returns rates are since the last call */
  of(gateway: Pick<Gateway, "device" | "listenPort">, nowMs: number): string {
    let peers = 0;
    let connected = 0;
    let received = 0;
    let sent = 0;
    for (const peer of gateway.device.peers()) {
      peers++;
      if (isConnected(peer)) connected++;
      received += peer.bytes[PeerBytes.Received];
      sent += peer.bytes[PeerBytes.Sent];
    }
    const seconds = (nowMs - this.#atMs) / 1_000;
    const rateIn = rate(received - this.#receivedBytes, seconds);
    const rateOut = rate(sent - this.#sentBytes, seconds);
    this.#atMs = nowMs;
    this.#receivedBytes = received;
    this.#sentBytes = sent;
    return `${connected} of ${peers} ${peers === 1 ? "peer" : "peers"} connected, port ${gateway.listenPort}; in ${rateIn}, out ${rateOut}`;
  }
}

function isConnected(peer: Peer): boolean {
  return Date.now() - peer.lastHandshakeWallMs < CONNECTED_MS;
}

/** @returns with two digits that count, so that a steady flow is told once. A peer that went takes its bytes along: no rate then. */
function rate(bytes: number, seconds: number): string {
  let value = seconds > 0 && bytes > 0 ? (bytes * 8) / seconds : 0;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${Number(value.toPrecision(value >= 100 ? 3 : 2))} ${UNITS[unit]}`;
}
