import { beforeAll, describe, expect, test } from "vitest";
import type { DeviceState } from "../../../src/core/device/device-state.js";
import { InitiationQueue, type InitiationSender } from "../../../src/core/device/initiation-queue.js";
import type { Peer } from "../../../src/core/device/peer.js";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";

let p: Primitives;
beforeAll(async () => {
  p = await createPrimitives();
});

interface Sent {
  readonly peer: number;
  readonly ephemeralPrivate: Uint8Array;
  readonly isPair: boolean;
  readonly isForPeer: boolean;
}

/** A queue whose sender notes every key, copied, and whether it fits the peer. */
class Fixture {
  readonly sent: Sent[] = [];
  readonly refused = new Set<number>();
  readonly keysInUse: Uint8Array[] = [];
  units = 100;
  during: (peer: number) => void = () => {};
  readonly queue: InitiationQueue;
  #drawn = 0;

  constructor() {
    const state = {
      budget: { take: () => this.units-- > 0 },
      deps: {
        primitives: p,
        random: (bytes: Uint8Array) => {
          for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(++this.#drawn, 0x9e3779b1) >>> 24;
        },
      },
    } as unknown as DeviceState;
    const sender: InitiationSender = {
      mayInitiate: (peer) => !this.refused.has(peer.id),
      initiateWith: (peer, key) => {
        const [ownPublic, shared] = [new Uint8Array(32), new Uint8Array(32)];
        p.x25519Base(ownPublic, key.ephemeralPrivate);
        p.x25519(shared, key.ephemeralPrivate, peer.handshake.remoteStatic);
        this.sent.push({
          peer: peer.id,
          ephemeralPrivate: key.ephemeralPrivate.slice(),
          isPair: p.equal(ownPublic, key.ephemeralPublic),
          isForPeer: p.equal(shared, key.ephemeralStatic),
        });
        this.keysInUse.push(key.ephemeralPrivate, key.ephemeralStatic);
        this.during(peer.id);
      },
    };
    this.queue = new InitiationQueue(state, sender);
  }

  peer(id: number): Peer {
    const remoteStatic = new Uint8Array(32);
    p.x25519Base(remoteStatic, new Uint8Array(32).fill(id + 1));
    return { id, handshake: { remoteStatic } } as unknown as Peer;
  }

  /** Nothing secret is left, every key was its peer's, and none was used twice. */
  expectGoodKeys(): void {
    expect(this.sent.every(({ isPair, isForPeer }) => isPair && isForPeer)).toBe(true);
    const keys = this.sent.map(({ ephemeralPrivate }) => Buffer.from(ephemeralPrivate).toString("hex"));
    expect(new Set(keys).size).toBe(keys.length);
    for (const bytes of this.keysInUse) expect(bytes.every((byte) => byte === 0)).toBe(true);
  }
}

describe("initiations in line", () => {
  test("go in order, each with a key pair of its own for its peer, which is zeroed then", () => {
    const f = new Fixture();
    for (let id = 0; id < 11; id++) f.queue.add(f.peer(id));
    const sizes: number[] = [];
    while (f.queue.sendSome(4, 0)) sizes.push(f.queue.size);
    expect(sizes).toEqual([7, 3, 0]);
    expect(f.sent.map(({ peer }) => peer)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    f.expectGoodKeys();
  });

  test("stop where the budget ends; those that may not be any more cost theirs and are forgotten", () => {
    const f = new Fixture();
    f.units = 3;
    f.refused.add(1);
    for (let id = 0; id < 5; id++) f.queue.add(f.peer(id));
    expect(f.queue.sendSome(4, 0)).toBe(true);
    expect(f.sent.map(({ peer }) => peer)).toEqual([0, 2]);
    expect(f.queue.size).toBe(2);
    expect(f.queue.sendSome(4, 0)).toBe(false);
    f.expectGoodKeys();
  });

  test("one that a message brings about when it leaves has a key for its own peer", () => {
    const f = new Fixture();
    let left = 3;
    f.during = () => {
      if (left-- > 0) f.queue.sendNow(f.peer(20 + left), 0);
    };
    f.queue.sendNow(f.peer(0), 0);
    left = 1;
    f.queue.add(f.peer(1));
    f.queue.add(f.peer(2));
    f.queue.sendSome(4, 0);
    expect(f.sent.map(({ peer }) => peer)).toEqual([0, 22, 21, 20, 1, 20, 2]);
    f.expectGoodKeys();
  });

  test("a failure leaves no key behind, and the next ones are right", () => {
    const f = new Fixture();
    f.during = () => {
      throw new Error("no");
    };
    f.queue.add(f.peer(0));
    f.queue.add(f.peer(1));
    expect(() => f.queue.sendSome(4, 0)).toThrow("no");
    expect(() => f.queue.sendNow(f.peer(2), 0)).toThrow("no");
    f.during = () => {};
    for (let id = 3; id < 7; id++) f.queue.add(f.peer(id));
    f.queue.sendSome(4, 0);
    f.queue.sendNow(f.peer(7), 0);
    expect(f.sent.map(({ peer }) => peer)).toEqual([0, 2, 3, 4, 5, 6, 7]);
    f.expectGoodKeys();
  });
});
