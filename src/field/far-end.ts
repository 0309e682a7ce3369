// The far host's half of `longhaul bench`: while `longhaul bench --serve` runs there, it answers iperf3 and tells its
// facts, to whoever may reach its address in the tunnel. It listens nowhere else unless asked to, and stops with Ctrl-C.

import { spawn } from "node:child_process";
import { createServer, get } from "node:http";
import { isIPv6 } from "node:net";
import type { EndFacts } from "./end-facts.js";
import { FarEndError } from "./probes.js";

/** iperf3's own port, and the next one for the facts. */
export const FIELD_PORT = 5_201;
const FACTS_PATH = "/facts";
const CLIENTS_MAX = 8;
const ANSWER_MS = 5_000;
const FACTS_BYTES_MAX = 1 << 20;

export interface Serving {
  /** Settles when iperf3 ends by itself, with what it said. */
  readonly ended: Promise<string>;
  close(): void;
}

/**
 * Serves on the address in the tunnel. @param everywhere  iperf3 also outside the tunnel
 * Errors: system errors of listening.
 */
export async function serveFarEnd(
  address: string,
  port: number,
  everywhere: boolean,
  facts: () => Promise<EndFacts>,
): Promise<Serving> {
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== FACTS_PATH) {
      response.writeHead(404).end();
      return;
    }
    facts().then(
      (value) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value)),
      () => response.writeHead(503).end(),
    );
  });
  server.maxConnections = CLIENTS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port + 1, address, resolve);
  });
  const words = ["-s", "-p", String(port), ...(everywhere ? [] : ["-B", address])];
  const iperf = spawn("iperf3", words, { stdio: ["ignore", "ignore", "pipe"], cwd: "/" });
  let said = "";
  iperf.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-1_000);
  });
  const ended = new Promise<string>((resolve) => {
    iperf.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ENOENT" ? "iperf3 is not installed: apt install iperf3" : error.message),
    );
    iperf.once("exit", () => resolve(said.trim() || "iperf3 has ended"));
  });
  const close = (): void => {
    iperf.kill("SIGTERM");
    server.close();
    server.closeAllConnections();
  };
  return { ended, close };
}

/** @returns the far end's facts; null when nothing answers there. Errors: FarEndError when something else does. */
export function askFarEnd(address: string, port: number): Promise<EndFacts | null> {
  const host = isIPv6(address) ? `[${address}]` : address;
  return new Promise((resolve, reject) => {
    const asked = get(`http://${host}:${port + 1}${FACTS_PATH}`, { timeout: ANSWER_MS, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.length > FACTS_BYTES_MAX) response.destroy();
      });
      response.on("error", () => resolve(null));
      response.on("end", () => {
        try {
          resolve(checkFacts(JSON.parse(text)));
        } catch {
          reject(new FarEndError(`what answers at ${host}:${port + 1} is no longhaul bench of this version`));
        }
      });
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(null));
  });
}

/** Another host's word is not taken for more than it is. Errors: TypeError. */
export function checkFacts(value: unknown): EndFacts {
  const facts = value as EndFacts;
  const { hostname, interfaceName, congestionControl } = facts;
  const plain = /^[\w.:@-]{1,64}$/; // these go to a terminal, and into commands to copy
  for (const text of [hostname, interfaceName, congestionControl]) {
    if (typeof text !== "string" || !plain.test(text)) throw new TypeError("not a name");
  }
  const { mtu, tunDrops, socketDrops, tcpReceiveBytes, tcpSendBytes, cores, busySeconds, totalSeconds } = facts;
  const numbers = [
    mtu,
    tunDrops,
    socketDrops,
    facts.anySocketDrops,
    tcpReceiveBytes,
    tcpSendBytes,
    cores,
    busySeconds,
    totalSeconds,
  ];
  if (facts.socketBufferBytes !== null) numbers.push(facts.socketBufferBytes);
  if (facts.daemon !== null) numbers.push(facts.daemon.runSeconds, facts.daemon.waitSeconds);
  if (facts.outside !== null) {
    numbers.push(facts.outside.mtu);
    const { device } = facts.outside;
    if (typeof device !== "string" || !plain.test(device)) throw new TypeError("not a name");
  }
  for (const [reason, packets] of Object.entries(facts.refused ?? {})) {
    if (!plain.test(reason)) throw new TypeError("not a name");
    numbers.push(packets);
  }
  if (numbers.some((number) => !Number.isFinite(number))) throw new TypeError("not a number");
  return facts;
}
