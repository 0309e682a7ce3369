// What the kernel has now, read by `ip -json`: an interface's addresses and routes, the policy rules, the way to an address. It changes
// nothing.

import { flatMapInSlices, Slices } from "./in-slices.js";
import { familyOf, MAIN_TABLE, type NetworkState, prefixKey, type Route } from "./network-state.js";
import { runProgram } from "./program.js";

/** Bytes on the wire around an inner packet over IPv6: 40 + 8 + 32. */
const TUNNEL_OVERHEAD = 80;
const DEFAULT_UNDERLAY_MTU = 1_500;
/** Below it there is no IPv6, and with less than 576 hardly anything. */
const MTU_MIN = 576;
/** Commands for one ip(8): its answers take a few milliseconds to read. */
const BATCH_LINES = 256;
/** Where a list of ten thousand routes may be cut: nothing inside of an entry begins with its destination. */
const NEXT_ROUTE = '},{"dst":';
/** Characters of JSON to parse at a time: a millisecond. */
const PARSE_CHARS = 100_000;
const PROTOCOL_KERNEL = 2;
const PROTOCOL_RA = 9;
/** Also what fwmark and table are numbered from when the file says nothing, as wg-quick(8) does. */
export const FIRST_TABLE = 51_820;

interface IpRoute {
  readonly dst?: string;
  readonly dev?: string;
  readonly table?: string;
  readonly protocol?: string;
  readonly type?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

interface IpLink {
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number; readonly scope?: string }[];
}

interface IpRule {
  readonly priority: number;
  readonly table?: string;
}

/** What of `wanted` is in force on the interface now, addresses and routes; the rest of it is returned as it is. */
export async function inForce(interfaceName: string, wanted: NetworkState): Promise<NetworkState> {
  const [link] = await ipJson<IpLink>(["address", "show", "dev", interfaceName]);
  if (link === undefined) throw new Error(`there is no interface ${interfaceName} here any more`);
  const addresses = new Set(
    (link.addr_info ?? []).map(({ local, prefixlen }) => prefixKey(`${local ?? "0.0.0.0"}/${prefixlen ?? 0}`)),
  );
  const routes = await routesOf(interfaceName);
  return {
    ...wanted,
    mtu: link.mtu,
    isUp: link.flags.includes("UP"),
    addresses: wanted.addresses.filter((address) => addresses.has(prefixKey(address))),
    routes: await flatMapInSlices(wanted.routes, (route) => routes.get(keyOf(route)) ?? []),
  };
}

export interface LinkView {
  /** With prefix length, as ip(8) prints them; link-local ones too. */
  readonly addresses: readonly string[];
  /** Bytes. */
  readonly mtu: number;
}

/** @returns undefined when there is no such interface */
export async function viewLink(interfaceName: string): Promise<LinkView | undefined> {
  const [link] = await ipJson<IpLink>(["address", "show", "dev", interfaceName]);
  if (link === undefined) return undefined;
  const known = (link.addr_info ?? []).filter(({ local }) => local !== undefined);
  return { mtu: link.mtu, addresses: known.map(({ local, prefixlen }) => `${local}/${prefixlen}`) };
}

/** The routes over an interface that the kernel did not make by itself. */
async function routesOf(interfaceName: string): Promise<Map<string, Route>> {
  const found = new Map<string, Route>();
  for (const family of [4, 6] as const) {
    const entries = await ipJson<IpRoute>([`-${family}`, "route", "show", "dev", interfaceName, "table", "all"]);
    const slices = new Slices();
    for (const entry of entries) {
      if (slices.isOver) await slices.next();
      const protocol = Number(entry.protocol ?? 0);
      if (entry.dst === undefined || protocol === PROTOCOL_KERNEL || protocol === PROTOCOL_RA) continue;
      const route = { prefix: fullPrefix(entry.dst, family), table: Number(entry.table ?? MAIN_TABLE), protocol };
      found.set(keyOf(route), route);
    }
  }
  return found;
}

/** IPv4 has one way to write a prefix, IPv6 many. */
function keyOf({ prefix, table }: Route): string {
  return `${familyOf(prefix) === 4 ? prefix : prefixKey(prefix)} ${table}`;
}

function fullPrefix(text: string, family: 4 | 6): string {
  if (text === "default") return family === 4 ? "0.0.0.0/0" : "::/0";
  return text.includes("/") ? text : `${text}/${family === 4 ? 32 : 128}`;
}

/**
 * The MTU for the tunnel: that of the narrowest way to an endpoint, or of the default route, less what WireGuard adds.
 * @param endpoints  numeric addresses
 * @param mark  of the tunnel's own datagrams; 0: none
 */
export async function suggestMtu(interfaceName: string, endpoints: readonly string[], mark: number): Promise<number> {
  const ways: number[] = [];
  const linkMtus: LinkMtus = new Map();
  const routes = await waysTo([...new Set(endpoints)], mark);
  const slices = new Slices();
  for (const route of routes) {
    if (slices.isOver) await slices.next();
    const mtu = await mtuOf(route, interfaceName, linkMtus);
    if (mtu !== undefined) ways.push(mtu);
  }
  if (ways.length === 0) {
    for (const family of ["-4", "-6"]) {
      const defaults = await ipJson<IpRoute>([family, "route", "show", "default"]);
      const mtu = await mtuOf(
        defaults.find(({ dev }) => dev !== interfaceName),
        interfaceName,
        linkMtus,
      );
      if (mtu !== undefined) ways.push(mtu);
    }
  }
  const underlay = ways.length === 0 ? DEFAULT_UNDERLAY_MTU : Math.min(...ways);
  return Math.max(MTU_MIN, underlay - TUNNEL_OVERHEAD);
}

/** Routes to addresses, a batch at a time: ten thousand peers would be as many processes. An address without a route has none. */
async function waysTo(endpoints: readonly string[], mark: number): Promise<IpRoute[]> {
  const marked = mark === 0 ? "" : ` mark ${mark}`;
  const ways: IpRoute[] = [];
  for (let first = 0; first < endpoints.length; first += BATCH_LINES) {
    const lines = endpoints.slice(first, first + BATCH_LINES).map((endpoint) => `route get ${endpoint}${marked}\n`);
    const { stdout } = await runProgram(["ip", "-N", "-json", "-force", "-batch", "-"], { input: lines.join("") });
    for (const line of stdout.split("\n")) if (line.trim() !== "") ways.push(...(JSON.parse(line) as IpRoute[]));
  }
  return ways;
}

/** MTUs of the interfaces that were looked at, by name. */
type LinkMtus = Map<string, number | undefined>;

async function mtuOf(route: IpRoute | undefined, ownName: string, known: LinkMtus): Promise<number | undefined> {
  if (route?.dev === undefined || route.dev === ownName || route.type === "local") return undefined;
  const stated = route.metrics?.find(({ mtu }) => mtu !== undefined)?.mtu;
  if (stated !== undefined) return stated;
  if (!known.has(route.dev)) known.set(route.dev, (await ipJson<IpLink>(["link", "show", "dev", route.dev]))[0]?.mtu);
  return known.get(route.dev);
}

/** A table for a full tunnel that holds no route and no rule names, and the place of its rules: before all others but the local one. */
export async function findFullTunnelPlace(): Promise<{ table: number; preference: number }> {
  const rules = [...(await ipJson<IpRule>(["-4", "rule"])), ...(await ipJson<IpRule>(["-6", "rule"]))];
  const routes = [
    ...(await ipJson<IpRoute>(["-4", "route", "show", "table", "all"])),
    ...(await ipJson<IpRoute>(["-6", "route", "show", "table", "all"])),
  ];
  const taken = new Set([...rules, ...routes].map(({ table }) => Number(table ?? MAIN_TABLE)));
  let table = FIRST_TABLE;
  while (taken.has(table)) table++;
  return { table, preference: preferenceBefore(rules) };
}

/** The place of the rules alone, for a table that the file names. */
export async function findRulePreference(): Promise<number> {
  return preferenceBefore([...(await ipJson<IpRule>(["-4", "rule"])), ...(await ipJson<IpRule>(["-6", "rule"]))]);
}

function preferenceBefore(rules: readonly IpRule[]): number {
  return Math.max(1, Math.min(...rules.map(({ priority }) => priority).filter((priority) => priority > 0)) - 2);
}

export async function hasInterface(name: string): Promise<boolean> {
  return (await ipJson<IpLink>(["link", "show", "dev", name])).length > 0;
}

/** @returns what ip(8) lists, numbers instead of names; nothing when it finds nothing. Errors: ProgramMissingError. */
async function ipJson<T>(args: readonly string[]): Promise<T[]> {
  const { status, stdout } = await runProgram(["ip", "-N", "-json", ...args]);
  if (status !== 0 || stdout.trim() === "") return [];
  return flatMapInSlices(pieces(stdout), (text) => JSON.parse(text) as T[]);
}

/** A JSON array in one or several, each of a length that can be parsed at a time. */
function pieces(list: string): string[] {
  const texts: string[] = [];
  let first = 0; //  behind the comma
  for (;;) {
    const end = list.indexOf(NEXT_ROUTE, first + PARSE_CHARS);
    const text = end < 0 ? list.slice(first) : `${list.slice(first, end + 1)}]`;
    texts.push(first === 0 ? text : `[${text}`);
    if (end < 0) return texts;
    first = end + 2;
  }
}
