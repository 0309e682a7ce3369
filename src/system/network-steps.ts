// From one network state to another: the commands in their order, each with what takes it back. Pure; nothing is run here. What stays
// is not touched, and what is new comes before what is old goes, so that packets of peers that stay find their way at any instant.

import { firewallScript, firewallTable } from "./firewall.js";
import {
  type DnsState,
  type FullTunnel,
  familyOf,
  lengthOf,
  MAIN_TABLE,
  type NetworkState,
  type Route,
} from "./network-state.js";

/** One thing to do to the system. No secret is ever in one. */
export type Action =
  /** A line for ip(8), without `ip`. */
  | { readonly kind: "ip"; readonly family: 4 | 6; readonly line: string }
  | { readonly kind: "nft"; readonly script: string; readonly summary: string }
  /** Without servers the interface's record goes. */
  | { readonly kind: "resolvconf"; readonly interfaceName: string; readonly dns: DnsState | undefined }
  | { readonly kind: "sysctl"; readonly knob: string; readonly value: string };

export interface Step {
  readonly action: Action;
  /** Takes it back; absent: it may stay. */
  readonly undo?: Action | undefined;
  /** What the admin lacks when this cannot be done here: then it is a warning. Absent: without it nothing goes. */
  readonly withoutIt?: string | undefined;
  /** The kernel may have done it by itself: with a primary IPv4 address its secondary ones go. */
  readonly mayBeDone?: boolean | undefined;
}

/** rtm_protocol of what an administrator set: ours are told from the kernel's own by it. */
export const ROUTE_PROTOCOL_STATIC = 4;

/** @returns what leads from `from` to `to`; empty when they are the same. */
export function networkSteps(interfaceName: string, from: NetworkState, to: NetworkState): Step[] {
  const [addressesOn, addressesOff] = addressSteps(interfaceName, from, to);
  const tunnelChanged = !sameTunnel(from.fullTunnel, to.fullTunnel);
  const dns = dnsSteps(interfaceName, from, to);
  return [
    ...(to.isUp ? [] : dns),
    ...(tunnelChanged ? tunnelOff(from.fullTunnel) : []),
    ...addressesOn,
    ...(to.isUp ? linkSteps(interfaceName, from, to) : []),
    ...routeSteps(interfaceName, from, to),
    ...addressesOff,
    ...(to.isUp ? [] : linkSteps(interfaceName, from, to)),
    ...firewallSteps(interfaceName, from, to),
    ...(tunnelChanged ? tunnelOn(to.fullTunnel) : []),
    ...(to.isUp ? dns : []),
  ];
}

/**
 * Whether the kernel may take more along than it was told: with a primary IPv4 address its secondary ones, and with the last IPv4
 * address all IPv4 routes. Whoever applied the steps then compares with what is in force, and adds what is missing.
 */
export function mayTakeAlong(from: NetworkState, to: NetworkState): boolean {
  return from.addresses.some((address) => familyOf(address) === 4 && !to.addresses.includes(address));
}

/** A step as an admin would type it. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case "ip":
      return `ip -${action.family} ${action.line}`;
    case "nft":
      return action.summary;
    case "sysctl":
      return `sysctl -w ${action.knob}=${action.value}`;
    case "resolvconf":
      return action.dns === undefined
        ? `resolvconf -d ${action.interfaceName} -f`
        : `resolvconf -a ${action.interfaceName} -m 0 -x (${[...action.dns.servers, ...action.dns.search].join(" ")})`;
  }
}

function ip(family: 4 | 6, line: string): Action {
  return { kind: "ip", family, line };
}

/** @returns what comes, and what goes after everything else came */
function addressSteps(name: string, from: NetworkState, to: NetworkState): [Step[], Step[]] {
  const add = (address: string): Action => ip(familyOf(address), `address add ${address} dev ${name}`);
  const remove = (address: string): Action => ip(familyOf(address), `address del ${address} dev ${name}`);
  const added = to.addresses.filter((address) => !from.addresses.includes(address));
  const removed = from.addresses.filter((address) => !to.addresses.includes(address));
  const addedHosts = new Set(added.map(hostOf));
  // IPv6 knows an address once, whatever its length
  const first = removed.filter((address) => familyOf(address) === 6 && addedHosts.has(hostOf(address)));
  const last = removed.filter((address) => !first.includes(address));
  const on = [
    ...first.map((address) => ({ action: remove(address), undo: add(address) })),
    ...added.map((address) => ({ action: add(address), undo: remove(address) })),
  ];
  const off = last.reverse().map((address) => ({ action: remove(address), undo: add(address), mayBeDone: true }));
  return [byFamily(on), byFamily(off)];
}

function linkSteps(name: string, from: NetworkState, to: NetworkState): Step[] {
  const steps: Step[] = [];
  if (from.mtu !== to.mtu) {
    steps.push({
      action: ip(4, `link set dev ${name} mtu ${to.mtu}`),
      undo: ip(4, `link set dev ${name} mtu ${from.mtu}`),
    });
  }
  if (from.isUp !== to.isUp) {
    const [next, previous] = to.isUp ? ["up", "down"] : ["down", "up"];
    steps.push({ action: ip(4, `link set dev ${name} ${next}`), undo: ip(4, `link set dev ${name} ${previous}`) });
  }
  return steps;
}

function routeSteps(name: string, from: NetworkState, to: NetworkState): Step[] {
  const had = new Set(from.routes.map(routeKey));
  const has = new Set(to.routes.map(routeKey));
  const added = to.routes.filter((route) => !had.has(routeKey(route)));
  const removed = from.routes.filter((route) => !has.has(routeKey(route)));
  return byFamily([
    ...added.map((route) => ({ action: routeAction(name, "add", route), undo: routeAction(name, "del", route) })),
    ...removed.map((route) => ({ action: routeAction(name, "del", route), undo: routeAction(name, "add", route) })),
  ]);
}

function routeAction(name: string, verb: "add" | "del", { prefix, table, protocol }: Route): Action {
  const place = table === MAIN_TABLE ? "" : ` table ${table}`;
  return ip(familyOf(prefix), `route ${verb} ${prefix} dev ${name} proto ${protocol ?? ROUTE_PROTOCOL_STATIC}${place}`);
}

/** What tells one route of the interface from another. */
export function routeKey({ prefix, table }: Route): string {
  return `${prefix} ${table}`;
}

function tunnelOn(tunnel: FullTunnel | undefined): Step[] {
  if (tunnel === undefined) return [];
  const rules = tunnel.families.flatMap((family) => tunnelRules(family, tunnel));
  return [
    ...(tunnel.families.includes(4) ? [validMark] : []),
    ...rules.map(([family, rule]) => ({
      action: ip(family, `rule add ${rule}`),
      undo: ip(family, `rule del ${rule}`),
    })),
  ];
}

function tunnelOff(tunnel: FullTunnel | undefined): Step[] {
  if (tunnel === undefined) return [];
  return tunnelOn(tunnel)
    .filter((step) => step.undo !== undefined)
    .reverse()
    .map(({ action, undo }) => ({ action: undo as Action, undo: action }));
}

/** The one that lets the main table's other routes go first is there before the one it is for. */
function tunnelRules(family: 4 | 6, { table, preference }: FullTunnel): [4 | 6, string][] {
  return [
    [family, `pref ${preference} table main suppress_prefixlength 0`],
    [family, `pref ${preference + 1} not fwmark ${table} table ${table}`],
  ];
}

/** Other tunnels may rely on it by then: it stays. */
const validMark: Step = {
  action: { kind: "sysctl", knob: "net.ipv4.conf.all.src_valid_mark", value: "1" },
  withoutIt: "where reverse path filtering is strict (rp_filter = 1), the peers' answers are dropped",
};

function firewallSteps(name: string, from: NetworkState, to: NetworkState): Step[] {
  const before = firewallScript(name, from);
  const after = firewallScript(name, to);
  if (before === after) return [];
  const summaryOf = (script: string | undefined): string =>
    `nft ${script === undefined ? "delete" : "add"} table inet ${firewallTable(name)}`;
  const action = (script: string | undefined): Action => ({
    kind: "nft",
    script: script ?? `delete table inet ${firewallTable(name)}\n`,
    summary: summaryOf(script),
  });
  const withoutIt =
    "packets from outside to the tunnel's own addresses are not refused, and strict rp_filter may drop answers of peers";
  return [{ action: action(after), undo: action(before), withoutIt }];
}

function dnsSteps(interfaceName: string, from: NetworkState, to: NetworkState): Step[] {
  if (JSON.stringify(from.dns ?? null) === JSON.stringify(to.dns ?? null)) return [];
  return [
    {
      action: { kind: "resolvconf", interfaceName, dns: to.dns },
      undo: { kind: "resolvconf", interfaceName, dns: from.dns },
      withoutIt:
        to.dns === undefined
          ? "the system may still ask the tunnel's name servers"
          : "the system keeps its name servers",
    },
  ];
}

function sameTunnel(a: FullTunnel | undefined, b: FullTunnel | undefined): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/** Keeps the order within a family, so that each family's lines make one batch. */
function byFamily(steps: readonly Step[]): Step[] {
  const familyIs = (family: 4 | 6) => (step: Step) => step.action.kind === "ip" && step.action.family === family;
  return [...steps.filter(familyIs(4)), ...steps.filter(familyIs(6))];
}

function hostOf(address: string): string {
  return address.slice(0, -`/${lengthOf(address)}`.length);
}
