// A broken invariant, by name.

export const invariants = {
  nonce: "no nonce is used twice with a key, and no key installed twice",
  keyAge: "no key is used for 180 s or longer",
  unconfirmed: "the responder sends nothing before the initiator confirmed the keypair",
  replay: "the replay window takes each counter once, and every new one within its reach",
  twice: "nothing is delivered twice",
  source: "nothing is delivered from a source that is not allowed",
  recipient: "nothing is delivered that was not sent, as it was sent, to this very peer",
  zeroed: "keys and handshake secrets are zeroed in time",
  memory: "the index table, key slots, staged packets and peers hold what is in use and no more",
  law: "packets in = packets out + drops + staged, both ways, and the wire counts the same",
  reasons: "a packet that is dropped is counted under the reason that holds",
  initiations: "initiations keep to REKEY_TIMEOUT and REKEY_ATTEMPT_TIME",
  answers: "a handshake message is answered once, and none without a valid mac1",
  load: "under load only valid cookies are admitted, and handshakes stay bounded",
  timestamps: "sent timestamps of a key only grow, across restarts too",
  endpoint: "an endpoint follows authenticated datagrams only",
  progress: "while packets wait for a keypair, a timer is set to ask for one again",
  heals: "peers reach each other soon after the network heals",
  exception: "the core throws nothing",
} as const;
export type Invariant = keyof typeof invariants;

export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(`${invariants[invariant]}: ${detail}`);
    this.invariant = invariant;
  }
}

/** @param detail  what is wrong, made only when it is */
export function hold(invariant: Invariant, holds: boolean, detail: () => string): void {
  if (!holds) throw new Violation(invariant, detail());
}
