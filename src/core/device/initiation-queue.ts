// Peers whose handshake initiation waits, and the ephemeral keys of those whose turn has come, made for several at once.
// It must not know messages or timers.
import { type InitiationKey, InitiationKeys } from "../noise/initiation-keys.js";
import type { DeviceState } from "./device-state.js";
import type { Peer } from "./peer.js";

/** What sends: the handshake exchange. */
export interface InitiationSender {
  /** Whether an initiation may go to this peer now. */
  mayInitiate(peer: Peer, nowMs: number): boolean;
  /** Sends it. @param key  made for this peer, borrowed */
  initiateWith(peer: Peer, key: InitiationKey, nowMs: number): void;
}

export class InitiationQueue {
  readonly #state: DeviceState;
  readonly #sender: InitiationSender;
  /** In order. */
  readonly #waiting = new Set<Peer>();
  readonly #group: Peer[] = [];
  readonly #groupKeys = new InitiationKeys();
  /** Of one that does not wait, which a message of the group may bring about when it leaves. */
  readonly #loneKeys = new InitiationKeys();

  constructor(state: DeviceState, sender: InitiationSender) {
    this.#state = state;
    this.#sender = sender;
  }

  /** Peers that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  add(peer: Peer): void {
    this.#waiting.add(peer);
  }

  remove(peer: Peer): void {
    this.#waiting.delete(peer);
  }

  /** Initiates to a peer that may be and need not wait. */
  sendNow(peer: Peer, nowMs: number): void {
    const { primitives, random } = this.#state.deps;
    const keys = this.#loneKeys;
    keys.wipe(primitives); // a message that leaves may bring about another: the outer one has used its key by then
    try {
      keys.add(peer.handshake.remoteStatic);
      keys.make(primitives, random);
      this.#sender.initiateWith(peer, keys.key(0), nowMs);
    } finally {
      keys.wipe(primitives);
    }
  }

  /**
   * Initiates to some that wait, a unit of the budget each; those that may not be any more are forgotten.
   * @param most  at most PAIRS_MAX. @returns false: there is no budget left, or nobody waits
   */
  sendSome(most: number, nowMs: number): boolean {
    const taken = this.#takeGroup(most, nowMs);
    const { primitives, random } = this.#state.deps;
    const [group, keys] = [this.#group, this.#groupKeys];
    try {
      if (group.length > 0) keys.make(primitives, random);
      for (let i = 0; i < group.length; i++) this.#sender.initiateWith(group[i], keys.key(i), nowMs);
    } finally {
      keys.wipe(primitives);
      group.length = 0;
    }
    return taken > 0;
  }

  /** @returns how many no longer wait; those of them that may be initiated to are the group. */
  #takeGroup(most: number, nowMs: number): number {
    let taken = 0;
    for (const peer of this.#waiting) {
      if (taken === most || !this.#state.budget.take()) break;
      taken++;
      this.#waiting.delete(peer);
      if (!this.#sender.mayInitiate(peer, nowMs)) continue;
      this.#groupKeys.add(peer.handshake.remoteStatic);
      this.#group.push(peer);
    }
    return taken;
  }
}
