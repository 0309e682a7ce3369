// Wrong clocks over hours of virtual time, on real cores with the real floor, against a peer that remembers.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DropReason } from "../../src/core/drop-reason.js";
import { TimestampFloor } from "../../src/daemon/timestamp-floor.js";
import { StateDirectory } from "../../src/system/state-directory.js";
import { parseAddress, type SimNode, World } from "./world.js";

const HOUR_MS = 3_600_000;
const to = (last: number) => ({
  prefix: { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, last), length: 32 },
  remove: false,
});

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "longhaul-clocks-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

class Office {
  readonly world: World;
  readonly bob: SimNode;
  alice!: SimNode;
  offsetMs = 0;
  #privateKey: Uint8Array | undefined;
  #sent = 0;

  constructor(world: World) {
    this.world = world;
    this.bob = world.node("bob", "192.0.2.2:1002");
    this.boot();
    this.bob.peer(this.alice, { allowedIps: [to(1)] });
  }

  /** Alice's daemon starts, as after a crash: nothing of the last one is left but its key and its disk. */
  boot(): void {
    const { world } = this;
    const wallMs = (): number => Date.UTC(2027, 0, 1) + world.nowMs + this.offsetMs;
    const floor = new TimestampFloor({
      directory: new StateDirectory(path),
      wallMs,
      bootMs: () => world.nowMs,
      log: { info: () => {}, error: () => {} },
    });
    this.alice = world.node("alice", "192.0.2.1:1001", {}, { timestampKeeper: floor, wallMs });
    this.#privateKey ??= this.alice.privateKey.slice();
    this.alice.device.configure({ privateKey: this.#privateKey, peers: [] }, world.nowMs);
    this.alice.peer(this.bob, { endpoint: parseAddress(this.bob.address), allowedIps: [to(2)] });
  }

  /** Alice says something every minute, and Bob hears all of it. */
  talk(ms: number): void {
    for (const endMs = this.world.nowMs + ms; this.world.nowMs < endMs; ) {
      const mark = `${this.#sent++}`;
      this.alice.sendInner("10.0.0.1", "10.0.0.2", mark);
      this.world.run(60_000);
      expect(this.bob.marks().at(-1)).toBe(mark);
    }
    expect(this.bob.device.state.ledger.inboundDrops[DropReason.TimestampReplayed]).toBe(0);
  }
}

test("1970 after a restart, until NTP answers an hour later", async () => {
  const office = new Office(await World.create());
  office.talk(HOUR_MS);
  office.offsetMs = -Date.UTC(2027, 0, 1);
  office.boot();
  office.talk(HOUR_MS);
  office.boot();
  office.talk(HOUR_MS);
  office.offsetMs = 0;
  office.talk(HOUR_MS);
});

test("2038 for an hour, with a restart in the middle, and without the disk afterwards", async () => {
  const office = new Office(await World.create());
  office.talk(HOUR_MS);
  office.offsetMs = Date.UTC(2038, 0, 19) - Date.UTC(2027, 0, 1);
  office.talk(HOUR_MS / 2);
  office.boot();
  office.talk(HOUR_MS / 2);
  office.offsetMs = 0;
  office.talk(HOUR_MS);
  rmSync(path, { recursive: true, force: true });
  office.world.run(HOUR_MS / 2); //  what was reserved, but not used
  office.boot();
  office.talk(HOUR_MS);
});

test("after a sleep longer than keys are kept, the handshake that it ends with is not forgotten, and the first packet arrives", async () => {
  const world = await World.create();
  const [alice, bob] = world.pair();
  alice.sendInner("10.0.0.1", "10.0.0.2", "before");
  world.run(1_000);
  world.nowMs += 1_200_000;
  alice.device.finishTurn(world.nowMs); //  what came due in the sleep, the end of all keys too
  alice.sendInner("10.0.0.1", "10.0.0.2", "after");
  world.run(1_000);
  expect(bob.marks()).toEqual(["before", "after"]);
  expect(bob.device.state.ledger.inboundDrops[DropReason.InitiationFlood]).toBe(0);
});
