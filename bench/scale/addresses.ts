// Addresses of the thousands: outside, where they are; outside, where nobody is; and inside the tunnel.

/** Peers that there are addresses for. */
export const PEERS_MAX = 60_000;
/** Routed to the far host, which has them all. */
export const IDENTITIES = "10.50.0.0/16";
/** Routed to the far host, which swallows what comes for them. */
export const NOBODY = "10.60.0.0/16";

export const identityAddress = (i: number): string => `10.50.${(i >> 8) + 1}.${i & 255}`;
export const deadAddress = (i: number): string => `10.60.${(i >> 8) + 1}.${i & 255}`;
export const innerAddress = (i: number): string => `10.100.${(i >> 8) + 1}.${i & 255}`;
