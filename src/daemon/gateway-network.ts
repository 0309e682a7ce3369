// What a configuration asks of the system around the interface: the network state that goes with it. Reads the kernel where the file leaves
// something open (MTU, a free table); changes nothing.

import type { GatewayConfig } from "../config/gateway-config.js";
import { formatIpAddress } from "../config/ip-address.js";
import { formatPrefix } from "../config/prefix.js";
import type { EndpointAddress } from "../core/device/update.js";
import { flatMapInSlices } from "../system/in-slices.js";
import { findFullTunnelPlace, findRulePreference, suggestMtu } from "../system/kernel-view.js";
import { type FullTunnel, fullTunnelFamilies, type NetworkState, routesFor } from "../system/network-state.js";

/** default, main, local. */
const SYSTEM_TABLES: readonly number[] = [253, 254, 255];

/**
 * @param previous  what is in force; a full tunnel keeps its table and its place
 * @param endpoints  where peers are now, besides what the file says
 * Errors: ProgramMissingError for ip(8).
 */
export async function wantedNetwork(
  config: GatewayConfig,
  previous: NetworkState | undefined,
  endpoints: readonly EndpointAddress[],
): Promise<NetworkState> {
  const { addresses, table, dns } = config.interface;
  const allowedIps = await flatMapInSlices(config.peers, (peer) => peer.allowedIps.map(formatPrefix));
  const fullTunnel = await fullTunnelOf(config, fullTunnelFamilies({ allowedIps, table }), previous);
  const hasDns = dns.servers.length > 0 || dns.search.length > 0;
  return {
    addresses,
    mtu: config.interface.mtu ?? (await suggestedMtu(config, endpoints, fullTunnel)),
    isUp: true,
    routes: await routesFor({ addresses, allowedIps, table, fullTunnelTable: fullTunnel?.table }),
    fullTunnel,
    hasFilter: fullTunnel !== undefined,
    dns: hasDns ? { servers: dns.servers, search: dns.search } : undefined,
  };
}

/** @returns the firewall mark of the tunnel's own datagrams; 0: none */
export function markFor(config: GatewayConfig, network: NetworkState): number {
  return config.interface.fwmark || (network.fullTunnel?.table ?? 0);
}

/** As wg-quick(8): the mark that the file names is also the table. */
async function fullTunnelOf(
  config: GatewayConfig,
  families: readonly (4 | 6)[],
  previous: NetworkState | undefined,
): Promise<FullTunnel | undefined> {
  if (families.length === 0) return undefined;
  const before = previous?.fullTunnel;
  const named = config.interface.fwmark || undefined;
  if (before !== undefined && (named ?? before.table) === before.table) return { ...before, families };
  if (named !== undefined && SYSTEM_TABLES.includes(named)) {
    throw new Error(
      `FwMark ${named} is also the routing table of the default route, and ${SYSTEM_TABLES.join(", ")} are the system's; write another`,
    );
  }
  if (named !== undefined) return { table: named, preference: await findRulePreference(), families };
  return { ...(await findFullTunnelPlace()), families };
}

async function suggestedMtu(
  config: GatewayConfig,
  endpoints: readonly EndpointAddress[],
  fullTunnel: FullTunnel | undefined,
): Promise<number> {
  const stated = config.peers.flatMap(({ endpoint }) => (endpoint?.kind === "address" ? [endpoint.address] : []));
  const addresses = await flatMapInSlices([...stated, ...endpoints], ({ bytes }) => formatIpAddress(bytes));
  return suggestMtu(config.interfaceName, addresses, config.interface.fwmark || (fullTunnel?.table ?? 0));
}
