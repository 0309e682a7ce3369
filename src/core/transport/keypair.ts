// Both transport keys of one handshake and their counters, and the three keypairs of a peer: current, previous, next.
// Key bytes live in the data path's slots; here are only slot numbers. Source: [W] 5.4.5, 6.2.

import type { ReplayWindow } from "./replay-window.js";

/** Cells of {@link Keypair.state}, doubles that change per run. */
export const KeypairCell = { SendCounter: 0, CreatedMs: 1 } as const;

/** One keypair. Pooled: `id` stays, everything else is set when a handshake completes. */
export class Keypair {
  readonly id: number;
  peerId = -1;
  sendKeySlot = -1;
  receiveKeySlot = -1;
  localIndex = 0;
  remoteIndex = 0;
  isInitiator = false;
  readonly state = new Float64Array(2);
  readonly window: ReplayWindow;

  constructor(id: number, window: ReplayWindow) {
    this.id = id;
    this.window = window;
  }

  /** @returns ms since the keypair was derived. */
  ageMs(nowMs: number): number {
    return nowMs - this.state[KeypairCell.CreatedMs];
  }
}

/** The keypairs of one peer. */
export class PeerKeypairs {
  /** Sends; receives. */
  current: Keypair | undefined = undefined;
  /** Receives what is still in flight. */
  previous: Keypair | undefined = undefined;
  /** Responder only: receives; becomes current when the initiator's first transport message confirms it. */
  next: Keypair | undefined = undefined;
}
