// What a gateway does to packets while it is kept busy, seen from two sides: by a ping through the tunnel, for any daemon, and by
// longhaul's own count of how long its event loop was away.
import { readFileSync } from "node:fs";
import { get } from "node:http";
import type { Program } from "../../src/demo/command.js";
import type { Host } from "../../src/demo/lab.js";
import type { Figures } from "../macro/metrics.js";
import { INSIDE, type Site } from "./site.js";

const SOCKET = "/run/longhaul/wg0.sock";
/** Before this line nothing of the answer depends on the number of peers. */
const LAST_LINE = /^longhaul_loop_stall_max_seconds\{.*$/m;
const BUCKET = /^longhaul_loop_stall_seconds_bucket\{.*le="([^"]+)"\} (\d+)$/gm;
const PING_EVERY_S = "0.002";

/** Times that the loop was away for longer than so many ms, since the start. */
type Absences = ReadonlyMap<number, number>;

/** Bounds of the histogram that are told. */
const BOUNDS_MS = [5, 10, 25] as const;

/** Does `work` and tells how the packets of the established peer fared meanwhile. @param name  begins the figures' names */
export async function watched(
  site: Site,
  name: string,
  isLonghaul: boolean,
  work: () => Promise<void>,
): Promise<Figures> {
  const delayMs = runDelayMs(site.pid);
  const before = isLonghaul ? await absences(site.gateway.host) : undefined;
  const ping = startPing(site.far.host);
  const beganMs = performance.now();
  await work();
  const figures: Figures = { [`${name}Seconds`]: (performance.now() - beganMs) / 1_000 };
  figures[`${name}RunDelayMs`] = runDelayMs(site.pid) - delayMs;
  const heard = await endPing(ping);
  const after = isLonghaul ? await absences(site.gateway.host) : undefined;
  if (heard !== undefined) {
    figures[`${name}PingMaxMs`] = heard.maxMs;
    figures[`${name}PingLost`] = heard.lost;
  }
  for (const bound of BOUNDS_MS) {
    if (before !== undefined && after !== undefined)
      figures[`${name}StallsOver${bound}Ms`] = after.get(bound)! - before.get(bound)!;
  }
  return figures;
}

/** @returns ms for which the daemon's first thread was ready to run and others had the processors: no fault of its own */
function runDelayMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
}

export function startPing(host: Host): Program {
  return host.start(["ping", "-n", "-q", "-i", PING_EVERY_S, INSIDE.gateway], { input: "" });
}

export async function endPing(ping: Program): Promise<{ maxMs: number; lost: number } | undefined> {
  await ping.stop("SIGINT");
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.stdout) ?? [];
  const maxMs = /= [\d.]+\/[\d.]+\/([\d.]+)\//.exec(ping.stdout)?.[1];
  if (sent === undefined || maxMs === undefined) return undefined;
  return { maxMs: Number(maxMs), lost: Number(sent) - Number(received) };
}

function absences(host: Host): Promise<Absences> {
  return new Promise((resolve, reject) => {
    const asked = get({ socketPath: host.path(SOCKET), path: "/metrics", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (!LAST_LINE.test(text)) return;
        resolve(readAbsences(text));
        response.destroy(); // the peers' part would be a scrape that is not asked for
      });
      response.on("error", () => {});
      response.on("end", () => reject(new Error("the metrics have no loop_stall_max_seconds")));
    });
    asked.on("error", reject);
  });
}

function readAbsences(text: string): Absences {
  const within = new Map([...text.matchAll(BUCKET)].map(([, le, count]) => [le!, Number(count)]));
  const total = within.get("+Inf") ?? Number.NaN;
  return new Map(BOUNDS_MS.map((bound) => [bound, total - (within.get(String(bound / 1_000)) ?? Number.NaN)]));
}

/** Asks for all of /metrics. @returns its bytes */
export function scrape(host: Host): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = get({ socketPath: host.path(SOCKET), path: "/metrics", agent: false }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on("end", () => resolve(bytes));
      response.on("error", reject);
    });
    asked.on("error", reject);
  });
}
