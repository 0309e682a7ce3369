import { beforeEach, expect, test } from "vitest";
import { LoopStatistics } from "../../src/core/device/loop-statistics.js";
import { KERNEL_CELLS, Statistics } from "../../src/core/device/statistics.js";
import { DropReason } from "../../src/core/drop-reason.js";
import { DropLog } from "../../src/daemon/drop-log.js";
import type { DaemonLog } from "../../src/daemon/log.js";
import { type SimNode, World } from "../sim/world.js";

interface Line {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly text: string;
}

let world: World;
let alice: SimNode;
let lines: Line[];
let drops: DropLog;

function logOf(levels: readonly string[]): DaemonLog {
  const write =
    (level: string) =>
    (fields: Record<string, unknown>, text: string): void => {
      if (levels.includes(level)) lines.push({ level, fields, text });
    };
  return {
    tells: (level: string) => levels.includes(level),
    info: write("info"),
    debug: write("debug"),
    error: write("error"),
    peerName: () => "bob",
  } as unknown as DaemonLog;
}

function dropLog(levels = ["error", "info", "debug"]): DropLog {
  const statistics = new Statistics(alice.device.state, {
    nowMs: () => world.nowMs,
    wallMs: () => 0,
    kernel: new Float64Array(KERNEL_CELLS),
    loop: new LoopStatistics(),
    refreshKernel: () => {},
  });
  return new DropLog(statistics, logOf(levels));
}

beforeEach(async () => {
  world = await World.create(1);
  [alice] = world.pair();
  lines = [];
  alice.sendInner("10.0.0.1", "10.0.0.2", "first");
  world.run(100);
  drops = dropLog();
});

test("a line a reason, with the packets since the last and the peers that they were for", () => {
  alice.sendErrno = 11;
  for (let i = 0; i < 3; i++) alice.sendInner("10.0.0.1", "10.0.0.2", "x");
  alice.sendInner("10.0.0.1", "10.0.0.99", "x");
  drops.tell(1_000);
  expect(lines).toEqual([
    { level: "debug", fields: { direction: "outbound", reason: "no_route", packets: 1 }, text: "packets dropped" },
    {
      level: "info",
      fields: { direction: "outbound", reason: "send_would_block", packets: 3, peers: ["bob"] },
      text: "packets lost in this host",
    },
  ]);
});

test("one line in ten seconds for a reason that goes on, and none is forgotten", () => {
  for (let second = 0; second < 15; second++) {
    alice.sendInner("10.0.0.1", "10.0.0.99", "x");
    drops.tell(second * 1_000);
  }
  expect(lines.map(({ fields }) => fields["packets"])).toEqual([1, 10]);
});

test("what goes on for a day is told of less and less, and at once again after a pause", () => {
  const told: number[] = [];
  const lose = (second: number): void => {
    alice.device.state.ledger.lostBeforeInbound(DropReason.SocketOverflow, 1);
    const before = lines.length;
    drops.tell(second * 1_000);
    if (lines.length > before) told.push(second);
  };
  for (let second = 0; second < 86_400; second++) lose(second);
  expect(told.slice(0, 5)).toEqual([0, 10, 30, 70, 150]);
  expect(told.length).toBeLessThan(150);
  expect(lines.reduce((sum, { fields }) => sum + (fields["packets"] as number), 0)).toBe(told.at(-1)! + 1);
  told.splice(0);
  for (const second of [90_000, 90_005, 90_010, 90_015]) lose(second);
  expect(told).toEqual([90_000, 90_010]);
});

test("at level info only what this host lost", () => {
  drops = dropLog(["error", "info"]);
  alice.device.state.ledger.lostBeforeInbound(DropReason.SocketOverflow, 7);
  alice.sendInner("10.0.0.1", "10.0.0.99", "x");
  drops.tell(1_000);
  expect(lines).toEqual([
    {
      level: "info",
      fields: { direction: "inbound", reason: "socket_overflow", packets: 7 },
      text: "packets lost in this host",
    },
  ]);
});

test("a packet that nothing accounts for is an error, told once", () => {
  alice.device.state.ledger.flow[0]!++;
  drops.tell(1_000);
  drops.tell(20_000);
  expect(lines).toMatchObject([{ level: "error", fields: { inbound: 1, outbound: 0 } }]);
});
