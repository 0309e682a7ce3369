// The core's structures at the sizes they must bear: replay window, allowed-ips, timer wheel.
import { AllowedIps } from "../../src/core/device/allowed-ips.js";
import { DropReason } from "../../src/core/drop-reason.js";
import { TimerWheel } from "../../src/core/timers/timer-wheel.js";
import { REPLAY_WINDOW, ReplayWindow } from "../../src/core/transport/replay-window.js";
import { type Case, type Group, must, timeNs } from "./case.js";

const OPERATIONS = 10_000;
const PREFIX_COUNTS = [10, 10_000, 1_000_000] as const;
/** Packets that change places. */
const REORDERED = 64;

export const replayGroup: Group = {
  name: "replay window",
  async cases() {
    const accepts = (name: string, counterOf: (i: number) => number): Case => {
      const window = new ReplayWindow();
      let base = REPLAY_WINDOW;
      const run = (): number => {
        let accepted = 0;
        const ns = timeNs(() => {
          for (let i = 0; i < OPERATIONS; i++)
            if (window.accept(base + counterOf(i), false) === DropReason.None) accepted++;
        });
        must(accepted === OPERATIONS, `${name}: ${accepted} accepted`);
        base += OPERATIONS * 2 + REORDERED;
        return ns;
      };
      return { name, operations: OPERATIONS, run };
    };
    return [
      accepts("in order", (i) => i),
      accepts("reordered by up to 64", (i) => i ^ (REORDERED - 1)),
      accepts("every second lost", (i) => i * 2),
      replayed(),
    ];
  },
};

function replayed(): Case {
  const window = new ReplayWindow();
  for (let i = 0; i < OPERATIONS; i++) window.accept(i, false);
  const run = (): number =>
    timeNs(() => {
      let refused = 0;
      for (let i = 0; i < OPERATIONS; i++) if (window.accept(i, false) !== DropReason.None) refused++;
      must(refused === OPERATIONS, "a replay was accepted");
    });
  return { name: "replayed", operations: OPERATIONS, run };
}

export const allowedIpsGroup: Group = {
  name: "allowed-ips",
  async cases({ prefixesMax }) {
    return PREFIX_COUNTS.filter((count) => count <= prefixesMax).flatMap((count) => [
      ...lookups(count, 4),
      ...lookups(count, 6),
    ]);
  },
};

function lookups(count: number, family: 4 | 6): Case[] {
  const table = new AllowedIps();
  const width = family === 4 ? 4 : 16;
  const random = xorshift(count + family);
  const addresses = new Uint8Array(OPERATIONS * width);
  const prefixes = Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(width);
    for (let at = 0; at < width; at += 4) new DataView(bytes.buffer).setUint32(at, random());
    if (i < OPERATIONS) addresses.set(bytes, i * width);
    const length = family === 4 ? 16 + (random() % 17) : 32 + (random() % 97);
    for (let bit = length; bit < width * 8; bit++) bytes[bit >> 3]! &= ~(128 >> (bit & 7));
    return { family, bytes, length };
  });
  for (let i = count; i < OPERATIONS; i++)
    addresses.copyWithin(i * width, (i % count) * width, (i % count) * width + width);
  prefixes.forEach((prefix, i) => {
    table.insert(prefix, i & 1_023);
  });
  const label = `IPv${family}, ${count.toLocaleString("en-US")} prefixes`;
  const lookup = (): number =>
    timeNs(() => {
      let found = 0;
      for (let at = 0; at < addresses.length; at += width) {
        if ((family === 4 ? table.lookup4(addresses, at) : table.lookup6(addresses, at)) >= 0) found++;
      }
      must(found === OPERATIONS, `${found} addresses found`);
    });
  const moved = prefixes.slice(0, OPERATIONS);
  let peer = 0;
  const insert = (): number => {
    peer = (peer + 1) & 1_023;
    return timeNs(() => {
      for (const prefix of moved) table.insert(prefix, peer);
    });
  };
  return [
    { name: `lookup ${label}`, operations: OPERATIONS, run: lookup },
    { name: `give to another peer ${label}`, operations: moved.length, run: insert },
  ];
}

export const timersGroup: Group = {
  name: "timer wheel",
  async cases({ timers }) {
    const label = `of ${timers.toLocaleString("en-US")}`;
    const random = xorshift(timers);
    const delays = Uint32Array.from({ length: timers }, () => 1 + (random() % 180_000));
    const makeWheel = (): TimerWheel => {
      const wheel = new TimerWheel({ capacity: timers, tickMs: 8 });
      for (let id = 0; id < timers; id++) wheel.arm(id, delays[id]!);
      return wheel;
    };
    return [moveTimers(makeWheel(), delays, label), expireTimers(makeWheel(), delays, label)];
  },
};

/** Each packet moves a timer or two. */
function moveTimers(wheel: TimerWheel, delays: Uint32Array, label: string): Case {
  let turn = 0;
  const run = (): number => {
    turn++;
    return timeNs(() => {
      for (let id = 0; id < delays.length; id++) wheel.arm(id, delays[(id + turn) % delays.length]!);
    });
  };
  return { name: `move one ${label}`, operations: delays.length, run };
}

/** The loop's turns, 5 ms apart, over a second; what fires is armed again. */
function expireTimers(wheel: TimerWheel, delays: Uint32Array, label: string): Case {
  const turns = 200;
  let nowMs = 0;
  const fire = (id: number, firedMs: number): void => wheel.arm(id, firedMs + delays[id]!);
  const run = (): number =>
    timeNs(() => {
      for (let i = 0; i < turns; i++) {
        nowMs += 5;
        wheel.expire(nowMs, fire);
      }
    });
  return { name: `a turn, 5 ms, ${label}`, operations: turns, run };
}

/** Marsaglia's xorshift32: the same numbers in every run. */
function xorshift(seed: number): () => number {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
