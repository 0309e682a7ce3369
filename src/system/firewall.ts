// The packet filter of a full tunnel, as one nftables table an interface. It refuses packets from outside to the tunnel's own
// addresses (somebody on the local link could otherwise find out what runs inside), and gives the datagrams of the peers the mark
// of the connection that they belong to, for the reverse path filter.

import { familyOf, type NetworkState } from "./network-state.js";

/** @returns the name of the table; nft knows fewer characters than interface names have. */
export function firewallTable(interfaceName: string): string {
  return `longhaul-${interfaceName.replace(/[^a-zA-Z0-9_.-]/g, "_")}`;
}

/** @returns what to feed to `nft -f -`, replacing what was there; undefined: no filter is needed. */
export function firewallScript(interfaceName: string, state: NetworkState): string | undefined {
  const { fullTunnel } = state;
  if (fullTunnel === undefined || state.hasFilter !== true || !state.isUp) return undefined;
  const table = firewallTable(interfaceName);
  const guarded = state.addresses.filter((address) => fullTunnel.families.includes(familyOf(address)));
  const guards = guarded.map(
    (address) =>
      `    iifname != "${interfaceName}" ${familyOf(address) === 4 ? "ip" : "ip6"} daddr ${hostOf(address)} fib saddr type != local drop`,
  );
  return `table inet ${table} {}
delete table inet ${table}
table inet ${table} {
  chain guard {
    type filter hook prerouting priority raw;
${guards.join("\n")}
  }
  chain restore-mark {
    type filter hook prerouting priority mangle;
    meta l4proto udp ct mark ${fullTunnel.table} meta mark set ct mark
  }
  chain save-mark {
    type filter hook postrouting priority mangle;
    meta l4proto udp meta mark ${fullTunnel.table} ct mark set meta mark
  }
}
`;
}

function hostOf(address: string): string {
  return address.slice(0, address.indexOf("/"));
}
