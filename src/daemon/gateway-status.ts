// What a running gateway tells to whoever shows it: the source of the status document and of the metrics.

import { readFileSync } from "node:fs";
import { readEndpoint } from "../core/transport/endpoint-address.js";
import { ENDPOINT_BYTES } from "../core/transport/endpoint-record.js";
import { wallMs } from "../io/entropy.js";
import type { StatusSource } from "../metrics/status-source.js";
import type { Gateway } from "./gateway.js";

export function gatewayStatus(gateway: Gateway): StatusSource {
  const { device, statistics } = gateway;
  const { state } = device;
  return {
    statistics,
    version: longhaulVersion(),
    startedAtMs: wallMs() - process.uptime() * 1_000,
    wallMs,
    facts: () => ({
      name: gateway.lastName,
      publicKey: state.identity?.publicKey,
      listenPort: gateway.listenPort,
      fwmark: gateway.mark,
      mtu: gateway.mtu,
      isUp: state.isUp,
      aead: gateway.aeadBackend,
      tcpSegmentation: gateway.offloads.tso,
      udpSegmentation: gateway.offloads.uso,
    }),
    friendlyName: (publicKey) => gateway.friendlyName(publicKey),
    endpointName: (publicKey) => gateway.endpointNames.get(publicKey),
    endpointOf: (peer) => (peer.hasEndpoint ? readEndpoint(state.deps.endpoints, peer.id * ENDPOINT_BYTES) : undefined),
    allowedIpsOf: (peer, limit, visit) => {
      state.allowedIps.forEachOf(peer.id, visit, limit);
      return state.allowedIps.countOf(peer.id);
    },
    problems: () => problemsOf(gateway),
  };
}

function problemsOf(gateway: Gateway): string[] {
  const { state } = gateway.device;
  const problems: string[] = [];
  if (state.identity === undefined) problems.push("no private key is set: nobody can be spoken to");
  if (!state.isUp) problems.push(`the interface is down: ip link set ${gateway.lastName} up`);
  return problems;
}

function longhaulVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
