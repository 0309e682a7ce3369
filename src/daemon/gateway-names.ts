// Endpoint names of a real gateway: Node's resolver, Node's timers, the gateway's peers and log.

import { lookup } from "node:dns/promises";
import { parseIpv4, parseIpv6 } from "../config/ip-address.js";
import { formatBase64Key } from "../config/key.js";
import { hexOf } from "../core/device/configure.js";
import { PeerTime } from "../core/device/peer.js";
import { readEndpoint } from "../core/transport/endpoint-address.js";
import { ENDPOINT_BYTES } from "../core/transport/endpoint-record.js";
import { EndpointNames, type HostAddress, type PeerStanding } from "./endpoint-names.js";
import type { Gateway } from "./gateway.js";
import type { DaemonLog } from "./log.js";

/** @returns names that are not looked up yet: start() them with the peers of the file. */
export function gatewayNames(gateway: Gateway, log: DaemonLog): EndpointNames {
  const { peerByKey } = gateway.device.state;
  const nameOf = (publicKey: Uint8Array): string | undefined => {
    const peer = peerByKey.get(hexOf(publicKey));
    return peer && log.peerName(peer);
  };
  return new EndpointNames({
    resolve: resolveHost,
    standing: (publicKey) => standingOf(gateway, publicKey),
    setEndpoint: (publicKey, endpoint) =>
      gateway.configure({ peers: [{ publicKey, updateOnly: true, endpoint, allowedIps: [] }] }),
    nowMs: () => gateway.nowMs(),
    after: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs).unref();
      return () => clearTimeout(timer);
    },
    random: Math.random,
    changed: (publicKey, host, endpoint) => {
      gateway.endpointNames.set(formatBase64Key(publicKey), { host, problem: null });
      log.info({ peer: nameOf(publicKey), host, endpoint }, "endpoint from its name");
    },
    failed: (publicKey, host, reason, isFirst) => {
      gateway.endpointNames.set(formatBase64Key(publicKey), { host, problem: reason });
      const fields = { peer: nameOf(publicKey), host, reason };
      if (isFirst) log.info(fields, "endpoint name not found; trying again in the background");
      else log.debug(fields, "endpoint name still not found");
    },
  });
}

/**
 * A and AAAA by getaddrinfo(3), as the rest of the system: /etc/hosts, a resolv.conf that changes, RFC 6724 order. It runs on a
 * thread of Node's pool.
 */
async function resolveHost(host: string): Promise<readonly HostAddress[]> {
  const found: HostAddress[] = [];
  for (const { address, family } of await lookup(host, { all: true, order: "verbatim" })) {
    const bytes = family === 4 ? parseIpv4(address) : parseIpv6(address);
    if (bytes !== undefined) found.push({ family: family === 4 ? 4 : 6, bytes });
  }
  if (found.length === 0) throw new Error(`${host} has no usable address`);
  return found;
}

function standingOf(gateway: Gateway, publicKey: Uint8Array): PeerStanding | undefined {
  const { peerByKey, deps } = gateway.device.state;
  const peer = peerByKey.get(hexOf(publicKey));
  if (peer === undefined) return undefined;
  return {
    endpoint: peer.hasEndpoint ? readEndpoint(deps.endpoints, peer.id * ENDPOINT_BYTES) : undefined,
    handshakeMs: peer.times[PeerTime.HandshakeDone],
    initiationMs: peer.times[PeerTime.HandshakeSent],
  };
}
