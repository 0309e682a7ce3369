// Rekeys in real time, in both roles and with wireguard-go: ten minutes, four or five of them, and neither a ping nor a
// segment of a TCP stream that runs all the while is lost. The pairs run side by side.
import { describe, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab.js";
import { longhaul, wireguardGo } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { startPair } from "../support/site.js";
import { iperf, ping } from "../support/traffic.js";

const SECONDS = 600;
const INTERVAL_S = 0.2;
const STREAM_BITS_PER_SECOND = 50_000_000;

/** Of TCP's counters, what tells a loss from a probe that was early. */
const LOSS_COUNTERS = [
  "TcpRetransSegs",
  "TcpExtTCPDSACKRecv",
  "TcpExtTCPLossProbes",
  "TcpExtTCPLossProbeRecovery",
  "TcpExtTCPTimeouts",
  "TcpExtTCPFastRetrans",
] as const;

/**
 * What a host lost: packets at its tunnel interface, and segments that TCP had to send again. A probe that the receiver reports as a
 * duplicate (RFC 2883) was sent because a busy machine was late, not because something was lost.
 */
async function losses(host: Host): Promise<{ interfaceDrops: number; segments: number; counters: object }> {
  const { kernel } = JSON.parse(await host.run(["nstat", "-a", "-z", "-s", "-j"])) as {
    kernel: Record<string, number>;
  };
  const [link] = JSON.parse(await host.run(["ip", "-json", "-s", "link", "show", "wg0"])) as Array<{
    stats64: Record<"rx" | "tx", { dropped: number }>;
  }>;
  return {
    interfaceDrops: link!.stats64.rx.dropped + link!.stats64.tx.dropped,
    segments: kernel["TcpRetransSegs"]! - kernel["TcpExtTCPDSACKRecv"]!,
    counters: Object.fromEntries(LOSS_COUNTERS.map((name) => [name, kernel[name]])),
  };
}

describe("rekeys", requireTools(["ip", "wg", "ping", "iperf3", "nstat", "wireguard-go"]), () => {
  test.concurrent.each([
    ["longhaul initiates", [longhaul, wireguardGo] as const],
    ["wireguard-go initiates", [wireguardGo, longhaul] as const],
    ["longhaul at both ends", [longhaul, longhaul] as const],
  ])("%s: ten minutes, no packet lost", async (_, programs) => {
    const pair = await startPair({ programs });
    const { left, right } = pair;
    try {
      const count = SECONDS / INTERVAL_S;
      expect(await ping(left.host, right.address(), { count: 2 })).toBe(2);
      const first = (await left.peer()).latestHandshake;
      const [replies, stream] = await Promise.all([
        ping(left.host, right.address(), { count, intervalS: INTERVAL_S }),
        iperf(left.host, right.host, right.address(), {
          seconds: SECONDS,
          tcpBitsPerSecond: STREAM_BITS_PER_SECOND,
        }),
      ]);
      expect(replies).toBe(count);
      const ends = [await losses(left.host), await losses(right.host)];
      expect(
        ends.map(({ interfaceDrops, segments }) => ({ interfaceDrops, segments })),
        JSON.stringify(ends),
      ).toEqual([
        { interfaceDrops: 0, segments: 0 },
        { interfaceDrops: 0, segments: 0 },
      ]);
      expect(stream.receivedBytes).toBeGreaterThan(0.99 * SECONDS * (STREAM_BITS_PER_SECOND / 8));
      expect((await left.peer()).latestHandshake).toBeGreaterThanOrEqual(first + 480);
    } finally {
      await pair.lab.close();
    }
  });
});
