// Documents of running interfaces, as `show` and `why` get them: one with all facts, one with those of the UAPI.
import { bareDocument, type ShownDocument } from "../../src/cli/read-status.js";
import { diagnose } from "../../src/metrics/diagnosis.js";
import type { StatusDocument } from "../../src/metrics/status.js";
import { headFacts, minutesAgo, NOW_MS, peerFacts, silentPeer } from "../metrics/facts.js";

export const SILENT_KEY = "c2lsZW50IGtleSBzaWxlbnQga2V5IHNpbGVudCBrZXk=";

function peerStatus(peer: ReturnType<typeof peerFacts>, friendlyName: string | null): StatusDocument["peers"][number] {
  const diagnosis = diagnose(peer, NOW_MS);
  return { ...peer, friendlyName, hasPresharedKey: true, allowedIpCount: peer.allowedIps.length, diagnosis };
}

/** Two peers: Lisbon is up, with some loss; the other has never answered and has no name. */
export function fullDocument(): ShownDocument & { source: "daemon" } {
  const head = headFacts({
    interface: { fwmark: 0xca6c },
    inbound: [
      { reason: "counter_replayed", packets: 7 },
      { reason: "unknown_receiver", packets: 1_234 },
    ],
    outbound: [{ reason: "no_endpoint", packets: 12 }],
  });
  const lisbon = peerFacts({
    path: { recentLoss: 0.0034, lost: 41, late: 1, lossBurstMax: 3, reordered: 5 },
    drops: { inbound: [{ reason: "counter_replayed", packets: 7 }] },
  });
  const silent = silentPeer({
    peer: { publicKey: SILENT_KEY, name: SILENT_KEY.slice(0, 8), allowedIps: ["10.99.0.3/32"] },
    traffic: { stagedPackets: 4, sentBitsPerSecond: 0, receivedBitsPerSecond: 0, receivedPackets: 0 },
  });
  return {
    ...(head as Required<typeof head>),
    schema: 1,
    source: "daemon",
    interface: {
      ...head.interface,
      mtu: 1_420,
      isUp: true,
      version: "1.2.3",
      pid: 4711,
      startedAtMs: minutesAgo(125),
      aead: "openssl",
      tcpSegmentation: true,
      udpSegmentation: true,
    },
    health: { isReady: true, reasons: [] },
    offloads: {} as StatusDocument["offloads"],
    peerCount: 2,
    peers: [peerStatus(lisbon, "lisbon"), peerStatus(silent, null)],
  };
}

/** One peer, by `wg show`'s facts. */
export function uapiDocument(): ShownDocument {
  return bareDocument(
    "wg0",
    {
      privateKey: new Uint8Array(32).fill(0x42),
      listenPort: 51_820,
      fwmark: 0,
      peers: [
        {
          publicKey: Uint8Array.from(Buffer.from(SILENT_KEY, "base64")),
          presharedKey: new Uint8Array(32).fill(0x43),
          endpoint: { family: 4, port: 51_820, bytes: Uint8Array.of(203, 0, 113, 7), scopeId: 0 },
          persistentKeepaliveS: 25,
          lastHandshakeMs: NOW_MS - 30_000,
          receivedBytes: 1_536,
          sentBytes: 148,
          allowedIps: [{ family: 4, bytes: Uint8Array.of(10, 99, 0, 3), length: 32 }],
        },
      ],
    },
    NOW_MS,
  );
}
