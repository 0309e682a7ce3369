// One peer: its static key, handshake, keypairs and what the timers need to remember. No I/O.

import type { CookieGenerator } from "../noise/cookie.js";
import type { Handshake } from "../noise/handshake.js";
import { PeerKeypairs } from "../transport/keypair.js";
import { PeerStatistics } from "./peer-statistics.js";

/** Cells of {@link Peer.bytes}: bytes on the wire of authenticated packets, with headers. */
export const PeerBytes = { Sent: 0, Received: 1 } as const;

/** Cells of {@link Peer.times}: boot-time ms; -Infinity: never. */
export const PeerTime = {
  HandshakeSent: 0,
  Received: 1,
  HandshakeDone: 2,
  /** By the fine clock: what a round trip is measured from. */
  InitiationSentFine: 3,
  ResponseSentFine: 4,
} as const;

export class Peer {
  /** Row in every per-peer table, the endpoint table included. */
  readonly id: number;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly handshake: Handshake;
  readonly cookie: CookieGenerator;
  readonly keypairs = new PeerKeypairs();
  readonly statistics = new PeerStatistics();
  readonly bytes = new Float64Array(2);
  readonly times = new Float64Array(5).fill(Number.NEGATIVE_INFINITY);
  /** Whether the endpoint table's row holds an address. */
  hasEndpoint = false;
  /** 0: off. */
  persistentKeepaliveMs = 0;
  /** Wall time, ms since 1970, of the last completed handshake; 0: never. */
  lastHandshakeWallMs = 0;
  /** Retransmissions of the handshake that is under way. */
  handshakeAttempts = 0;
  /** The rekey on receive, 15 s before the end, was asked for. */
  sentLastMinuteHandshake = false;
  /** Data came in while a keepalive was already due. */
  needAnotherKeepalive = false;

  constructor(id: number, publicKey: Uint8Array, handshake: Handshake, cookie: CookieGenerator) {
    this.id = id;
    this.publicKey = publicKey;
    this.handshake = handshake;
    this.cookie = cookie;
  }
}
