// A device with peers and no network, as a source of status: what the tests of formats and slices read from.

import { ENDPOINT_BYTES, PacketBatch } from "../../native/packet-batch.js";
import { Device } from "../../src/core/device/device.js";
import { REPLY_ROWS } from "../../src/core/device/device-state.js";
import { LoopStatistics } from "../../src/core/device/loop-statistics.js";
import type { Peer } from "../../src/core/device/peer.js";
import { KERNEL_CELLS, Statistics } from "../../src/core/device/statistics.js";
import type { PeerUpdate, Prefix } from "../../src/core/device/update.js";
import { createPrimitives } from "../../src/core/noise/primitives.js";
import { readEndpoint } from "../../src/core/transport/endpoint-address.js";
import type { InterfaceFacts, StatusSource } from "../../src/metrics/status-source.js";
import { ReferenceDataPath } from "../sim/reference-data-path.js";

export const WALL_MS = Date.UTC(2026, 5, 1, 14, 2);

export interface TestSource extends StatusSource {
  readonly device: Device;
  /** In the order in which they were added; each has one IPv4 and one IPv6 prefix and an endpoint. */
  readonly peers: readonly Peer[];
  readonly names: Map<string, string>;
  readonly troubles: string[];
  kernelReads: number;
}

/** @param facts  that differ from an interface wg0 which is up */
export async function testSource(peerCount: number, facts: Partial<InterfaceFacts> = {}): Promise<TestSource> {
  const primitives = await createPrimitives();
  const endpoints = new Uint8Array((peerCount + 1 + REPLY_ROWS) * ENDPOINT_BYTES);
  let random = 1;
  const device = new Device(
    {
      primitives,
      dataPath: new ReferenceDataPath(primitives),
      transmitter: { transmit: () => 0 },
      random: (into) => {
        for (let i = 0; i < into.length; i++) {
          random = (random * 48_271) % 0x7fff_ffff;
          into[i] = random & 0xff;
        }
      },
      wallMs: () => WALL_MS,
      endpoints,
      outbox: new PacketBatch({ slots: 8, runs: 8, endpoints: 0, arenaBytes: 1 << 16 }),
    },
    8,
  );
  device.configure({ peers: Array.from({ length: peerCount }, (_, i) => peerUpdate(i)) }, 0);
  const statistics = new Statistics(device.state, {
    nowMs: () => 1_000_000,
    wallMs: () => WALL_MS,
    kernel: new Float64Array(KERNEL_CELLS),
    loop: new LoopStatistics(),
    refreshKernel: () => {
      source.kernelReads++;
    },
  });
  const { state } = device;
  const source: TestSource = {
    device,
    statistics,
    peers: [...device.peers()],
    names: new Map(),
    troubles: [],
    kernelReads: 0,
    version: "1.2.3",
    startedAtMs: WALL_MS - 60_000,
    wallMs: () => WALL_MS,
    facts: () => ({ ...usualFacts, ...facts }),
    friendlyName: (publicKey) => source.names.get(publicKey),
    endpointOf: (peer) => (peer.hasEndpoint ? readEndpoint(endpoints, peer.id * ENDPOINT_BYTES) : undefined),
    allowedIpsOf: (peer, limit, visit) => {
      state.allowedIps.forEachOf(peer.id, visit, limit);
      return state.allowedIps.countOf(peer.id);
    },
    problems: () => source.troubles,
  };
  return source;
}

const usualFacts: InterfaceFacts = {
  name: "wg0",
  publicKey: new Uint8Array(32).fill(7),
  listenPort: 51_820,
  fwmark: 0,
  mtu: 1_420,
  isUp: true,
  aead: "openssl",
  tcpSegmentation: true,
  udpSegmentation: false,
};

function peerUpdate(i: number): PeerUpdate {
  const publicKey = new Uint8Array(32).fill(9);
  new DataView(publicKey.buffer).setUint32(0, i + 1);
  const inner = [10, (i >> 16) & 255, (i >> 8) & 255, i & 255];
  const prefixes: Prefix[] = [
    { family: 4, bytes: Uint8Array.from(inner), length: 32 },
    { family: 6, bytes: Uint8Array.from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...inner]), length: 128 },
  ];
  return {
    publicKey,
    endpoint: { family: 4, bytes: Uint8Array.from([192, 0, 2, i & 255]), port: 1_000 + (i % 60_000), scopeId: 0 },
    allowedIps: prefixes.map((prefix) => ({ prefix, remove: false })),
  };
}

/** All pieces of a text. */
export async function collect(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}
