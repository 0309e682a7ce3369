import { expect, test } from "vitest";
import { FlowCell } from "../../src/core/device/ledger.js";
import { ipv4Packet, World } from "./world.js";

test("a packet that no peer has the address of is answered, one that a peer has is not", async () => {
  const world = await World.create(1);
  const [alice] = world.pair();
  alice.sendInner("10.0.0.1", "10.0.0.2", "fine");
  expect(alice.answers).toEqual([]);
  alice.sendInner("10.0.0.1", "10.0.0.99", "lost");
  expect(alice.answers).toHaveLength(1);
  const quoted = ipv4Packet("10.0.0.1", "10.0.0.99", "lost");
  expect(alice.answers[0]!.subarray(28)).toEqual(quoted);
  expect(alice.device.state.ledger.flow[FlowCell.HostAnswers]).toBe(1);
  expect(alice.device.state.ledger.outboundUnaccounted(alice.device.state.staged.total)).toBe(0);
});

test("so is one for a peer without an endpoint, once for a whole run", async () => {
  const world = await World.create(1);
  const [alice] = world.pair();
  const carol = world.node("carol", "192.0.2.3:1003");
  const prefix = { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, 3), length: 32 };
  alice.peer(carol, { allowedIps: [{ prefix, remove: false }] });
  const packet = ipv4Packet("10.0.0.1", "10.0.0.3", "x");
  alice.sendInnerRaw(packet, packet, packet);
  expect(alice.answers).toHaveLength(1);
});

test("answers are limited: fifty at once, a hundred a second", async () => {
  const world = await World.create(1);
  const [alice] = world.pair();
  const flood = (): void => {
    for (let i = 0; i < 500; i++) alice.sendInner("10.0.0.1", "10.0.0.99", "x");
  };
  flood();
  expect(alice.answers).toHaveLength(50);
  world.run(100);
  flood();
  expect(alice.answers).toHaveLength(60);
});
