// Holds back log lines that come too often, by kind and by peer, so that neither an attack nor a broken network fills the journal.
// It must not read a clock.

/** Lines at once, and lines a second after that. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

const KIND_RATE: Rate = { burst: 50, perSecond: 5 };
const PEER_RATE: Rate = { burst: 10, perSecond: 1 / 10 };
/** When kinds, or peers, are more than this, all of them begin anew: kinds are what the program or its admin says, never a stranger. */
const BUCKETS_MAX = 4_096;

class Bucket {
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  take(rate: Rate, nowMs: number): boolean {
    this.#tokens = Math.min(rate.burst, this.#tokens + ((nowMs - this.#atMs) / 1_000) * rate.perSecond);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

export class LogLimit {
  readonly #ofKind = new Map<string, Bucket>();
  readonly #ofPeer = new Map<string, Bucket>();
  readonly #held = new Map<string, number>();

  /**
   * Asks for one line.
   * @param kind  the constant text of the event. @param peer  whom it is about, or undefined
   * @returns how many lines of this kind were held back since the last one; -1: hold this one back too
   */
  admit(kind: string, peer: string | undefined, nowMs: number): number {
    for (const buckets of [this.#ofKind, this.#ofPeer, this.#held]) if (buckets.size >= BUCKETS_MAX) buckets.clear();
    const peerMay = peer === undefined || take(this.#ofPeer, `${kind}\n${peer}`, PEER_RATE, nowMs);
    if (!peerMay || !take(this.#ofKind, kind, KIND_RATE, nowMs)) {
      this.#held.set(kind, (this.#held.get(kind) ?? 0) + 1);
      return -1;
    }
    const held = this.#held.get(kind) ?? 0;
    this.#held.delete(kind);
    return held;
  }
}

function take(buckets: Map<string, Bucket>, name: string, rate: Rate, nowMs: number): boolean {
  let bucket = buckets.get(name);
  if (bucket === undefined) {
    bucket = new Bucket(rate, nowMs);
    buckets.set(name, bucket);
  }
  return bucket.take(rate, nowMs);
}
