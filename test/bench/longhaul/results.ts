// Results of a lab that never ran, for tests of what is made of them.
import type { DirectionCounts } from "../../../bench/longhaul/direction.js";
import { load } from "../../../bench/longhaul/loads.js";
import { places } from "../../../bench/longhaul/places.js";
import { type LoadSample, TCP_SYSCTLS } from "../../../bench/longhaul/run.js";
import { scenario } from "../../../bench/longhaul/scenarios.js";
import { settingToJson } from "../../../bench/longhaul/setting.js";
import { summarise } from "../../../bench/longhaul/summary.js";
import { judge } from "../../../bench/longhaul/targets.js";

export function counts(some: Partial<DirectionCounts>): DirectionCounts {
  return {
    ...{ offered: 0, offeredBytes: 0, passed: 0, tooBig: 0, queueFull: 0, lost: 0, lostInBurst: 0, reordered: 0 },
    ...{ duplicated: 0, corrupted: 0, peakQueueMs: 0, framesIn: 0, superFramesIn: 0, framesOut: 0, delivered: 0 },
    ...{ deliveredBytes: 0, refused: 0, noMemory: 0, inFlight: 0, lateMaxMs: 0, lateSumMs: 0, lateOver1Ms: 0 },
    ...some,
  };
}

export function sample(some: Partial<LoadSample>): LoadSample {
  return {
    ...{ scenario: "office", round: 1, tunnel: "longhaul", load: "cubic1", startedAt: "2026-01-01T00:00:00.000Z" },
    ...{ bytes: 1e9, mbps: 800, mbpsSettled: 900, retransmits: 0, seriesMbps: [100, 900], pingsMs: [90], pingsLost: 0 },
    drops: { socket: 0, queue: 0, loss: 0, mtu: 0, lab: 0, ...(some.tunnel === "none" ? {} : { tun: 0 }) },
    link: { forward: counts({}), backward: counts({}), cpuSeconds: 2, unaccounted: 0 },
    ...some,
  };
}

/** A whole result: two links, two loads, three tunnels, two rounds. */
export function result() {
  const [scenarios, loads] = [
    [scenario("office"), scenario("dsl")],
    [load("cubic1"), load("bbr1")],
  ];
  const rates = { longhaul: 0.95, "wireguard-go": 0.6, none: 1 };
  const samples: LoadSample[] = [];
  for (const { name, link } of scenarios) {
    for (const round of [1, 2]) {
      for (const [tunnel, share] of Object.entries(rates)) {
        const at = { scenario: name, round, tunnel };
        samples.push(sample({ ...at, load: "idle", pingsMs: [link.forward.delayMs * 2 + 0.2] }));
        for (const one of loads) samples.push(busySample(at, one.name, share * link.forward.rateMbps));
      }
    }
  }
  const summaries = summarise(samples, 20);
  return {
    ...{ kind: "longhaul", date: "2026-01-01T00:00:00.000Z", commit: { hash: "0123abc", dirty: false } },
    machine: {
      cpu: "test",
      cores: 2,
      memoryGb: 8,
      kernel: "6.1.0 #1",
      node: "v20.0.0",
      sysctls: { "net.core.x": "1" },
    },
    ...{ versions: { longhaul: "0123abc", none: "the bare link" }, absent: ["ssh: not here"], tcpSysctls: TCP_SYSCTLS },
    ...{ rounds: 2, seconds: 20, seed: 1, settleS: 5, intervalS: 0.5, places, loads, samples, summaries },
    scenarios: scenarios.map((one) => ({ ...one, link: JSON.parse(settingToJson(one.link)) as object })),
    ...{ tunnels: Object.keys(rates), targets: judge(summaries, samples) },
  };
}

function busySample(at: Pick<LoadSample, "scenario" | "round" | "tunnel">, name: string, mbps: number): LoadSample {
  const ramp = Array.from({ length: 40 }, (_, i) => Math.round(mbps * Math.min(1, (i + 1) / 6)));
  const pingsMs = Array.from({ length: 100 }, (_, i) => 80 + i / 2);
  const drops = {
    queue: 1_000,
    loss: 0,
    ...(at.tunnel === "none" ? {} : { tun: at.tunnel === "longhaul" ? 0 : 300, socket: 0 }),
  };
  return sample({ ...at, load: name, mbps: mbps * 0.9, mbpsSettled: mbps, seriesMbps: ramp, pingsMs, drops });
}
