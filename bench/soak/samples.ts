// What is read of a daemon every few seconds: from /proc, and from its own metrics by the control socket, which is a file and
// needs no program in the daemon's namespace.
import { readdirSync, readFileSync } from "node:fs";
import { get, request } from "node:http";
import type { Host } from "../../src/demo/lab.js";
import type { Watched } from "./site.js";

const TICKS_A_SECOND = 100;
const SOCKET = "/run/longhaul/wg0.sock";

/** One daemon at one moment. */
export interface DaemonSample {
  readonly rssMb: number;
  readonly heapMb: number;
  readonly externalMb: number;
  readonly descriptors: number;
  /** What keeps its event loop alive: sockets, timers, requests. */
  readonly handles: number;
  readonly threads: number;
  readonly cpuSeconds: number;
  readonly stallMaxMs: number;
  readonly handshakes: number;
  readonly sentPackets: number;
  readonly receivedPackets: number;
  /** Refused or lost in this host, all reasons. */
  readonly drops: number;
  /** Between sender and here, as the counters that arrive tell. */
  readonly pathLost: number;
  /** The law; 0 unless there is a bug. */
  readonly unaccounted: number;
}

export async function sampleDaemon({ host, pid }: Watched): Promise<DaemonSample> {
  const metrics = parseMetrics(await control(host, "GET", "/metrics"));
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const sum = (name: string): number => metrics.get(name) ?? 0;
  return {
    rssMb: (Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1_024) / 1e6,
    heapMb: sum("nodejs_heap_size_used_bytes") / 1e6,
    externalMb: sum("nodejs_external_memory_bytes") / 1e6,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    handles: sum("nodejs_active_resources"),
    threads: Number(/^Threads:\s*(\d+)$/m.exec(status)?.[1]),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND,
    stallMaxMs: sum("longhaul_loop_stall_max_seconds") * 1_000,
    handshakes: sum("longhaul_peer_handshakes_completed_total"),
    sentPackets: sum("longhaul_peer_sent_packets_total"),
    receivedPackets: sum("longhaul_peer_received_packets_total"),
    drops: sum("longhaul_dropped_packets_total"),
    pathLost: sum("longhaul_path_lost_packets_total"),
    unaccounted: sum("longhaul_unaccounted_packets"),
  };
}

/** Sums of every metric over its labels; of what may be negative, of the sizes: two errors must not hide each other. */
function parseMetrics(text: string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line);
    if (match !== null) sums.set(match[1]!, (sums.get(match[1]!) ?? 0) + Math.abs(Number(match[2])));
  }
  if (!sums.has("longhaul_unaccounted_packets")) throw new Error(`no metrics: ${text.slice(0, 200)}`);
  return sums;
}

/** Asks a daemon of a lab. Errors: throws unless it answers with 200. */
export function control(host: Host, method: "GET" | "POST", path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: host.path(SOCKET), method, path, agent: false } as const;
    const asked = (method === "GET" ? get : request)(options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () =>
        response.statusCode === 200 ? resolve(text) : reject(new Error(`${path}: ${response.statusCode} ${text}`)),
      );
    });
    asked.on("error", reject);
    asked.end();
  });
}
