// Where packets can get lost between two ends of a tunnel, and what each place has counted.
import type { Host } from "../../src/demo/lab.js";
import { daemonCpuSeconds, interfaceDrops, socketDrops } from "../macro/kernel-counters.js";
import type { Link } from "../macro/link.js";
import { type DirectionCounts, unaccounted } from "./direction.js";
import type { EmulatedCable } from "./emulated-lab.js";
import type { EmulatorReport } from "./emulator.js";

/** Every place, in the order of the tables. */
export const places = {
  tun: "tunnel interface: the daemon was too slow to read",
  socket: "UDP sockets: the daemon was too slow to receive",
  queue: "the link's queue: more was sent than the line carries",
  loss: "the link's random loss",
  mtu: "the link's MTU",
  lab: "the lab itself: its interfaces, its memory",
} as const;
export type Place = keyof typeof places;
export const placeNames = Object.keys(places) as Place[];

/** Packets lost, by place; a place that this tunnel does not have is missing. */
export type Drops = Readonly<Partial<Record<Place, number>>>;

/** Everything that is counted, at one moment. */
export interface Counters {
  /** No tunnel, no interface. */
  readonly tun: number | undefined;
  readonly socket: number;
  /** Frames that the lab's own interfaces dropped, on their way into the emulator. */
  readonly labInterfaces: number;
  readonly cable: EmulatorReport;
  readonly daemonCpuSeconds: number | undefined;
}

const OUTER_DEVICE = "eth0";

export async function readCounters(link: Link, cable: EmulatedCable): Promise<Counters> {
  const hasTunnel = link.device !== OUTER_DEVICE;
  return {
    tun: hasTunnel ? await interfaceDrops(link) : undefined,
    socket: await socketDrops(link),
    labInterfaces: (await dropsOf(link.left)) + (await dropsOf(link.right)),
    cable: await cable.report(),
    daemonCpuSeconds: link.daemonPids.length > 0 ? daemonCpuSeconds(link) : undefined,
  };
}

/** What the link itself did between two moments. */
export interface LinkReport {
  readonly forward: DirectionCounts;
  readonly backward: DirectionCounts;
  /** Processor time of the emulator. */
  readonly cpuSeconds: number;
  /** Packets that its ledger cannot explain: 0. */
  readonly unaccounted: number;
}

export interface Difference {
  readonly drops: Drops;
  readonly daemonCpuSeconds: number | undefined;
  readonly link: LinkReport;
}

export function difference(before: Counters, after: Counters): Difference {
  const forward = since(before.cable.forward, after.cable.forward);
  const backward = since(before.cable.backward, after.cable.backward);
  const both = (key: keyof DirectionCounts): number => forward[key] + backward[key];
  const drops: Partial<Record<Place, number>> = {
    socket: after.socket - before.socket,
    queue: both("queueFull"),
    loss: both("lost") + both("lostInBurst"),
    mtu: both("tooBig"),
    lab: after.labInterfaces - before.labInterfaces + both("noMemory") + both("refused"),
  };
  if (after.tun !== undefined && before.tun !== undefined) drops.tun = after.tun - before.tun;
  const cpu = [before.daemonCpuSeconds, after.daemonCpuSeconds] as const;
  return {
    drops,
    daemonCpuSeconds: cpu[0] === undefined || cpu[1] === undefined ? undefined : cpu[1] - cpu[0],
    link: {
      forward,
      backward,
      cpuSeconds: after.cable.cpuSeconds - before.cable.cpuSeconds,
      unaccounted: Math.abs(unaccounted(after.cable.forward)) + Math.abs(unaccounted(after.cable.backward)),
    },
  };
}

/** Not sums: since the last report, or now. */
const momentary: ReadonlySet<keyof DirectionCounts> = new Set(["peakQueueMs", "lateMaxMs", "inFlight"]);

function since(before: DirectionCounts, after: DirectionCounts): DirectionCounts {
  const result = { ...after };
  for (const key of Object.keys(after) as Array<keyof DirectionCounts>) {
    if (!momentary.has(key)) result[key] = after[key] - before[key];
  }
  return result;
}

async function dropsOf(host: Host): Promise<number> {
  const [entry] = JSON.parse(await host.run(["ip", "-s", "-json", "link", "show", OUTER_DEVICE])) as Array<{
    stats64: { tx: { dropped: number } };
  }>;
  return entry!.stats64.tx.dropped;
}
