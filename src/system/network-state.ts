// What longhaul sets in the system around an interface, as plain data: what a configuration asks for, what is in force, and what a
// killed daemon left behind are all of this one kind. It must not know commands or files.

import { flatMapInSlices } from "./in-slices.js";

/** The routing table that every packet is looked up in. */
export const MAIN_TABLE = 254;

/** One route of the interface. */
export interface Route {
  /** `192.168.20.0/24`, in the form that ip(8) prints. */
  readonly prefix: string;
  readonly table: number;
  /** rtm_protocol of a route that is there; absent: as longhaul makes them. */
  readonly protocol?: number | undefined;
}

/**
 * The default route goes into the tunnel: packets without the tunnel's own firewall mark are looked up in a table of their own, after
 * the main table's routes other than the default ones. Only the rules are here; the route in that table is one of `routes`.
 */
export interface FullTunnel {
  /** The table, and the mark of the packets that must not enter it. */
  readonly table: number;
  /** Of the rule for the main table; the number above it is that of the rule for our own. */
  readonly preference: number;
  /** Ordered: 4 before 6. */
  readonly families: readonly (4 | 6)[];
}

export interface DnsState {
  readonly servers: readonly string[];
  readonly search: readonly string[];
}

export interface NetworkState {
  /** With prefix length, host bits kept, in the form that ip(8) prints. */
  readonly addresses: readonly string[];
  /** Bytes. */
  readonly mtu: number;
  readonly isUp: boolean;
  readonly routes: readonly Route[];
  readonly fullTunnel?: FullTunnel | undefined;
  /** The packet filter that goes with a full tunnel. */
  readonly hasFilter?: boolean | undefined;
  readonly dns?: DnsState | undefined;
}

/** How packets to the peers find the interface: `Table =`. */
export type TableChoice = "auto" | "off" | number;

export interface RoutingWish {
  readonly addresses: readonly string[];
  /** Of all peers. */
  readonly allowedIps: readonly string[];
  readonly table: TableChoice;
  /** Table of the default route, where it goes into the tunnel. */
  readonly fullTunnelTable?: number | undefined;
}

/** An interface as it is made: nothing is set. @param mtu  bytes */
export function bareNetwork(mtu: number): NetworkState {
  return { addresses: [], mtu, isUp: false, routes: [] };
}

export function familyOf(text: string): 4 | 6 {
  return text.includes(":") ? 6 : 4;
}

/**
 * The routes that the allowed-ips of the peers ask for, most specific first. With `auto` a prefix inside the network of one of
 * the interface's own addresses needs none, and one of length 0 goes to the full tunnel's table.
 */
export async function routesFor(wish: RoutingWish): Promise<Route[]> {
  const { table } = wish;
  if (table === "off") return [];
  const prefixes = await flatMapInSlices([...new Set(wish.allowedIps)], (prefix) => ({
    prefix,
    length: lengthOf(prefix),
  }));
  prefixes.sort((a, b) => b.length - a.length || (a.prefix < b.prefix ? -1 : 1));
  if (table !== "auto") return prefixes.map(({ prefix }) => ({ prefix, table }));
  const own = wish.addresses.map(bitsOf);
  const isOwn = (prefix: string, length: number): boolean => {
    const around = own.filter((network) => network.length <= length);
    if (around.length === 0) return false;
    const bits = bitsOf(prefix);
    return around.some((network) => covers(network, bits));
  };
  return flatMapInSlices(prefixes, ({ prefix, length }) => {
    if (length !== 0 && isOwn(prefix, length)) return [];
    return [{ prefix, table: length === 0 && wish.fullTunnelTable !== undefined ? wish.fullTunnelTable : MAIN_TABLE }];
  });
}

/** Families whose default route goes into the tunnel by policy rules: `auto`, and a prefix of length 0. */
export function fullTunnelFamilies(wish: Pick<RoutingWish, "allowedIps" | "table">): (4 | 6)[] {
  if (wish.table !== "auto") return [];
  const families = new Set(wish.allowedIps.filter((prefix) => lengthOf(prefix) === 0).map(familyOf));
  return ([4, 6] as const).filter((family) => families.has(family));
}

export function lengthOf(prefix: string): number {
  return Number(prefix.slice(prefix.indexOf("/") + 1));
}

interface Bits {
  readonly family: 4 | 6;
  readonly address: bigint;
  readonly length: number;
}

/** @param text  an address or a prefix, with length */
function bitsOf(text: string): Bits {
  const family = familyOf(text);
  const host = text.slice(0, text.indexOf("/"));
  return { family, address: family === 4 ? ipv4Bits(host) : ipv6Bits(host), length: lengthOf(text) };
}

/** The same for every way to write an address or prefix; host bits count. */
export function prefixKey(text: string): string {
  const { family, address, length } = bitsOf(text);
  return `${family} ${address.toString(16)}/${length}`;
}

/** Whether the network of `outer` holds all of `inner`. */
function covers(outer: Bits, inner: Bits): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const shift = BigInt((outer.family === 4 ? 32 : 128) - outer.length);
  return outer.address >> shift === inner.address >> shift;
}

function ipv4Bits(text: string): bigint {
  return text.split(".").reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

function ipv6Bits(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const low = ipv4Bits(dotted[2]);
    return ipv6Bits(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const [head, tail] = text.split("::") as [string, string | undefined];
  const words = (part: string | undefined): string[] => (part === undefined || part === "" ? [] : part.split(":"));
  const left = words(head);
  const right = words(tail);
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right].reduce((bits, word) => (bits << 16n) | BigInt(`0x${word}`), 0n);
}
