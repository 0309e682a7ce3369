// The conservation law while everything goes wrong at once: after each step, in both directions, at both ends, nothing is
// unaccounted for, and no peer has lost more than its device.

import { expect, test } from "vitest";
import { DROP_REASON_COUNT, DropReason } from "../../src/core/drop-reason.js";
import { ipv4Packet, parseAddress, type SimNode, World } from "./world.js";

const STEPS = 250;

function checkLaw(world: World, seed: number, step: number): void {
  for (const { name, device } of world.nodes.values()) {
    const { ledger, staged } = device.state;
    const where = `seed ${seed}, step ${step}, ${name}`;
    expect(ledger.inboundUnaccounted(), where).toBe(0);
    expect(ledger.outboundUnaccounted(staged.total), where).toBe(0);
    const overdrawn = Array.from({ length: DROP_REASON_COUNT }, (_, reason) => reason).filter((reason) => {
      let inbound = 0;
      let outbound = 0;
      for (const { statistics } of device.peers()) {
        inbound += statistics.inboundDrops[reason]!;
        outbound += statistics.outboundDrops[reason]!;
      }
      return inbound > ledger.inboundDrops[reason]! || outbound > ledger.outboundDrops[reason]!;
    });
    expect(overdrawn, where).toEqual([]);
  }
}

test.each(Array.from({ length: 8 }, (_, i) => i + 1))("seed %i", async (seed) => {
  const world = await World.create(seed);
  const [alice, bob] = world.pair();
  const pick = (count: number): number => Math.floor(world.random() * count);
  const inside = (last: number) => ({
    prefix: { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, last), length: 32 },
    remove: false,
  });
  const seals = new Map([alice, bob].map((node) => [node, node.dataPath.seal.bind(node.dataPath)]));
  const step = (node: SimNode, other: SimNode): void => {
    const [own, far] = node === alice ? [1, 2] : [2, 1];
    const peer = { endpoint: parseAddress(other.address), allowedIps: [inside(far)] };
    const packet = ipv4Packet(`10.0.0.${own}`, `10.0.0.${far}`, "x".repeat(1 + pick(1_300)));
    const deeds: (() => void)[] = [
      () => node.sendInnerRaw(...Array.from({ length: 1 + pick(40) }, () => packet)),
      () => node.sendInner(`10.0.0.${pick(4)}`, `10.0.0.${pick(4)}`, "somewhere"),
      () => node.sendInnerRaw(Uint8Array.from({ length: pick(60) }, () => pick(256))),
      () =>
        node.arrive(
          Uint8Array.from({ length: pick(200) }, () => pick(5)),
          "198.51.100.1:1",
        ),
      () => Object.assign(node, { sendErrno: pick(2) * [1, 11, 90, 101, 105][pick(5)]! }),
      () => Object.assign(node, { tunErrno: pick(2) * [5, 22][pick(2)]! }),
      () => Object.assign(node.dataPath, { seal: pick(3) === 0 ? () => -5 : seals.get(node) }),
      () =>
        Object.assign(world.faults, {
          lossPerMille: pick(300),
          corruptPerMille: pick(100),
          duplicatePerMille: pick(100),
        }),
      () => Object.assign(world.faults, { delayMsMax: pick(2_000) }),
      () => (pick(2) === 0 ? node.device.down() : node.device.up(world.nowMs)),
      () => node.device.up(world.nowMs),
      () => node.peer(other, { remove: true }),
      () => node.peer(other, peer),
      () => node.peer(other, { ...peer, persistentKeepaliveS: pick(3) }),
      () => node.peer(other, { presharedKey: new Uint8Array(32).fill(pick(2)) }),
      () => world.run(pick(30_000)),
      () => world.run(pick(500)),
    ];
    deeds[pick(deeds.length)]!();
  };
  for (let i = 0; i < STEPS; i++) {
    if (pick(2) === 0) step(alice, bob);
    else step(bob, alice);
    checkLaw(world, seed, i);
  }
  for (const node of [alice, bob]) {
    node.device.close();
    checkLaw(world, seed, STEPS);
  }
});

test("a TUN that fails as a whole loses nothing from the books", async () => {
  const world = await World.create(13);
  const [alice, bob] = world.pair();
  alice.sendInner("10.0.0.1", "10.0.0.2", "first");
  world.run(1_000);
  const { delivered } = bob.device;
  bob.device.delivered = (batch) => delivered.call(bob.device, batch, -77);
  alice.sendInner("10.0.0.1", "10.0.0.2", "second");
  world.run(10);
  expect(bob.device.state.ledger.inboundDrops[DropReason.TunWriteFailed]).toBe(1);
  expect(bob.device.state.ledger.inboundUnaccounted()).toBe(0);
});
