// The phases of one round, each on gateways of its own: a crowd of peers that are dead, and a crowd that shakes hands.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Program } from "../../src/demo/command.js";
import type { Host, Lab } from "../../src/demo/lab.js";
import { INTERFACE } from "../../test/support/gateway.js";
import type { DaemonProgram } from "../../test/support/programs.js";
import type { Figures } from "../macro/metrics.js";
import { CONGESTION_CONTROL } from "../macro/traffic.js";
import { setCongestionControl } from "../support/congestion-control.js";
import { root } from "../support/root.js";
import { scrape, watched } from "./readings.js";
import {
  CONFIG,
  configFile,
  INSIDE,
  OTHER_CONFIG,
  OUTSIDE,
  randomKeys,
  type Site,
  startSite,
  untilEstablished,
  wg,
} from "./site.js";
import type { StormOptions, StormReport } from "./storm-process.js";

export interface Setup {
  readonly program: DaemonProgram;
  readonly isLonghaul: boolean;
  readonly peers: number;
  /** How long dead peers are retried, and how long each stream runs. */
  readonly retryS: number;
  readonly streamS: number;
  readonly add: (lab: Lab) => void;
}

const TICKS_A_SECOND = 100;
const STORM = join(root, "dist-bench/bench/scale/storm-process.js");
const KEYS = "/run/storm-keys";
/** Handshakes under way at a time while their rate is measured: fewer than any daemon takes for a flood. */
const WINDOW = 64;
/** A stream that leaves the machine room for the crowd: what it loses then, the daemon took from it. */
const BOUNDED_MBPS = 300;

/** wg setconf, a minute of retries, wg show, a scrape, wg syncconf, a reload. */
export async function measureDeadCrowd(setup: Setup): Promise<Figures> {
  const { isLonghaul, peers, retryS } = setup;
  const site = await startSite(setup.program, setup.add);
  try {
    const { host } = site.gateway;
    const keys = randomKeys(peers);
    await host.writeFile(CONFIG, configFile(site, { keys, isDead: true }));
    await host.writeFile(OTHER_CONFIG, configFile(site, { keys, isDead: true, keepaliveS: 26 }));
    await wg(site.gateway.host, "set", INTERFACE, "peer", site.far.keys.publicKey, "allowed-ips", `${INSIDE.far}/32`);
    await untilEstablished(site);
    const figures: Figures = { rssBeforeMb: rssMb(site.pid) };
    const during = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      const cpu = cpuSeconds(site.pid);
      const seen = await watched(site, name, isLonghaul, async () => void (await work()));
      Object.assign(figures, seen, { [`${name}CpuSeconds`]: cpuSeconds(site.pid) - cpu });
    };
    await during("setconf", () => wg(host, "setconf", INTERFACE, CONFIG));
    figures["rssAfterSetconfMb"] = rssMb(site.pid);
    Object.assign(figures, await measureRetries(site, retryS));
    await during("retriesSeen", () => sleep(Math.min(10, retryS) * 1_000));
    await during("show", () => wg(host, "show", INTERFACE, "dump"));
    if (isLonghaul) await during("scrape", () => scrape(host));
    await during("syncconf", () => wg(host, "syncconf", INTERFACE, OTHER_CONFIG));
    figures["rssAtEndMb"] = rssMb(site.pid);
    return figures;
  } finally {
    await site.lab.close();
  }
}

/** Nobody pings meanwhile: what the daemon spends, it spends on its peers. */
async function measureRetries(site: Site, retryS: number): Promise<Figures> {
  const [cpu, sent] = [cpuSeconds(site.pid), await packetsAt(site.far.host)];
  await sleep(retryS * 1_000);
  const figures = { retriesCpuSeconds: cpuSeconds(site.pid) - cpu, rssAfterRetriesMb: rssMb(site.pid) };
  return { ...figures, retriesSent: (await packetsAt(site.far.host)) - sent };
}

/** Datagrams that came to a host over its cable: initiations, but for a keepalive a second. */
async function packetsAt(host: Host): Promise<number> {
  const [link] = JSON.parse(await host.run(["ip", "-s", "-json", "link", "show", "eth0"])) as Array<{
    stats64: { rx: { packets: number } };
  }>;
  return link!.stats64.rx.packets;
}

/** A service with a file of thousands of peers: a reload that changes nothing, and one that changes every peer. */
export async function measureReload(setup: Setup): Promise<Figures> {
  const site = await startSite(setup.program, setup.add);
  try {
    await site.gateway.kill("SIGTERM");
    const { host } = site.gateway;
    const keys = randomKeys(setup.peers);
    const file = (keepaliveS: number): string =>
      configFile(site, { keys, isDead: true, keepaliveS }).replace(
        "[Peer]",
        `Address = ${INSIDE.gateway}/24\nTable = off\n[Peer]`,
      );
    await host.writeFile(CONFIG, file(25));
    const before = new Set(host.processes());
    await host.run([setup.program.path, "up", CONFIG], { timeoutMs: 120_000 });
    const service: Site = { ...site, pid: host.processes().find((pid) => !before.has(pid))! };
    await untilEstablished(service);
    await sleep(Math.min(6, setup.retryS) * 1_000); // the first initiations are over
    const same = await watched(service, "reloadSame", true, () => reload(service));
    await host.writeFile(CONFIG, file(26));
    const all = await watched(service, "reloadAll", true, () => reload(service));
    return { ...same, ...all };
  } finally {
    await site.lab.close();
  }
}

/** How fast handshakes are answered, and what a stream of the established peer loses while all shake hands at once. */
export async function measureStorm(setup: Setup): Promise<Figures> {
  const site = await startSite(setup.program, setup.add);
  const { host } = site.far;
  let storm: Program | undefined;
  try {
    const options: StormOptions = {
      identities: setup.peers,
      gateway: OUTSIDE.gateway,
      port: 51_820,
      gatewayKey: site.gateway.keys.publicKey,
      keysPath: KEYS,
    };
    storm = host.start(["nice", "-n", "5", process.execPath, STORM, JSON.stringify(options)]);
    await storm.waitForOutput(/"open"/, 120_000);
    const keys = readFileSync(host.path(KEYS), "utf8").trim().split("\n");
    await site.gateway.host.writeFile(CONFIG, configFile(site, { keys, isDead: false }));
    await wg(site.gateway.host, "setconf", INTERFACE, CONFIG);
    await untilEstablished(site);
    await ask(storm, "prepare");
    await ask<StormReport>(storm, `rate ${WINDOW}`); // warm: code compiled, what is computed once a peer computed
    await ask(storm, "prepare");
    const cpu = cpuSeconds(site.pid);
    const rate = await ask<StormReport>(storm, `rate ${WINDOW}`);
    const spent = cpuSeconds(site.pid) - cpu;
    const figures: Figures = {
      answered: rate.answered,
      answeredPerSecond: rate.answered / rate.seconds,
      answeredPerCpuSecond: rate.answered / spent,
      messagesPerAnswer: rate.initiations / rate.answered,
    };
    Object.assign(figures, await measureStream(site, storm, "bounded", setup.streamS, BOUNDED_MBPS));
    Object.assign(figures, await measureStream(site, storm, "full", setup.streamS));
    return figures;
  } finally {
    await storm?.stop("SIGKILL");
    await site.lab.close();
  }
}

async function measureStream(
  site: Site,
  storm: Program,
  name: string,
  seconds: number,
  mbps?: number,
): Promise<Figures> {
  const alone = await stream(site, seconds, mbps);
  await ask(storm, "prepare");
  await sleep(1_100); // the source's buckets and the timestamps' seconds
  const beginStorm = async (): Promise<StormReport> => {
    await sleep(1_000);
    return ask<StormReport>(storm, "burst");
  };
  const [crowded, report] = await Promise.all([stream(site, seconds, mbps), beginStorm()]);
  const mean = (rates: readonly number[]): number =>
    rates.reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length);
  // the first second is before the storm
  const during = crowded.slice(2, 2 + Math.max(2, Math.ceil(report.seconds / STREAM_INTERVAL_S)));
  return {
    [`${name}AloneMbps`]: mean(alone.slice(2)),
    [`${name}InStormMbps`]: mean(during),
    [`${name}Kept`]: mean(during) / mean(alone.slice(2)),
    [`${name}StormAnswered`]: report.answered,
    [`${name}StormSeconds`]: report.seconds,
    [`${name}StormFirstFive`]: report.tenths.slice(0, 50).reduce((sum, count) => sum + count, 0),
  };
}

const STREAM_INTERVAL_S = 0.5;

/** From the far host to the gateway. @returns Mbit/s at the receiver, one each half second */
async function stream(site: Site, seconds: number, mbps?: number): Promise<number[]> {
  const [left, right] = [site.far.host, site.gateway.host];
  await setCongestionControl({ left, right, device: INTERFACE, target: INSIDE.gateway }, CONGESTION_CONTROL);
  const server = site.gateway.host.start(["iperf3", "-s", "-1", "-J", "-i", String(STREAM_INTERVAL_S)], { input: "" });
  try {
    await sleep(300);
    const words = [
      "iperf3",
      "-c",
      INSIDE.gateway,
      "-t",
      String(seconds),
      ...(mbps === undefined ? [] : ["-b", `${mbps}M`]),
    ];
    await site.far.host.run(words, { timeoutMs: seconds * 1_000 + 30_000 });
    await server.exited;
    const { intervals } = JSON.parse(server.stdout) as {
      intervals: { sum: { bits_per_second: number; seconds: number } }[];
    };
    return intervals
      .filter(({ sum }) => sum.seconds > STREAM_INTERVAL_S / 2)
      .map(({ sum }) => sum.bits_per_second / 1e6);
  } finally {
    await server.stop("SIGKILL");
  }
}

/** Says a line to the storm. @returns its answer */
async function ask<T = string>(storm: Program, line: string): Promise<T> {
  storm.stdout = "";
  storm.child.stdin!.write(`${line}\n`);
  const [, answer] = await storm.waitForOutput(/^(.+)\n/m, 120_000);
  return JSON.parse(answer!) as T;
}

function reload(site: Site): Promise<void> {
  return new Promise((resolve, reject) => {
    const socketPath = site.gateway.host.path("/run/longhaul/wg0.sock");
    const asked = request({ socketPath, method: "POST", path: "/reload", agent: false }, (response) => {
      response
        .resume()
        .on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error("reload refused"))));
    });
    asked.on("error", reject).end();
  });
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

function rssMb(pid: number): number {
  return (Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024) / 1e6;
}
