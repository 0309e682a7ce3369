// What a running device must be told so that it is as a file says: the difference alone, so that a peer that stays as it is keeps its
// keypairs, its endpoint where it roamed to, and every packet. The file is the whole truth: a peer that is not in it goes. Pure.

import { timingSafeEqual } from "node:crypto";
import type { GatewayConfig, PeerConfig } from "../config/gateway-config.js";
import { peerUpdateOf } from "../config/gateway-config.js";
import { formatPrefix } from "../config/prefix.js";
import type { AllowedIpUpdate, DeviceSnapshot, DeviceUpdate, PeerSnapshot, PeerUpdate } from "../core/device/update.js";

const NO_KEY = new Uint8Array(32);

/** What {@link deviceDiff} compares. */
export interface DiffInput {
  /**
   * The file that was applied last; its keys may be wiped. An endpoint that stands there as it does in `next` is left to where the
   * peer roamed.
   */
  readonly previous: GatewayConfig | undefined;
  /** What the device has now, changes by wg(8) included. */
  readonly live: DeviceSnapshot;
  readonly next: GatewayConfig;
  /** For `next`: its own, or that of its full tunnel. */
  readonly mark: number;
}

/**
 * A generator that yields after every peer, so that a long list can be worked through in slices.
 * @returns updates in an order in which no prefix is without an owner in between, even if each is applied by itself. Keys are
 *          those of `next`, not copies.
 */
export function* deviceDiff(input: DiffInput): Generator<void, DeviceUpdate, void> {
  const { previous, live, next, mark } = input;
  const update: DeviceUpdate = { peers: [] };
  const { privateKey, listenPort } = next.interface;
  const isOurs = privateKey.origin.kind !== "hook";
  if (isOurs && !sameKey(live.privateKey ?? NO_KEY, privateKey.bytes)) update.privateKey = privateKey.bytes;
  const wasChosen = (previous?.interface.listenPort ?? 0) !== 0;
  if ((listenPort ?? 0) !== 0 ? listenPort !== live.listenPort : wasChosen) update.listenPort = listenPort ?? 0;
  if (mark !== live.fwmark) update.fwmark = mark;
  update.peers = yield* peerDiffs(input);
  return update;
}

function* peerDiffs({ previous, live, next }: DiffInput): Generator<void, PeerUpdate[], void> {
  const before = new Map<string, PeerConfig>();
  const running = new Map<string, PeerSnapshot>();
  const owned = new Set<string>();
  for (const peer of previous?.peers ?? []) yield void before.set(keyOf(peer), peer);
  for (const peer of live.peers) yield void running.set(keyOf(peer), peer);
  for (const peer of next.peers) {
    for (const prefix of peer.allowedIps) owned.add(formatPrefix(prefix));
    yield;
  }
  const updates: PeerUpdate[] = [];
  for (const peer of next.peers) {
    const key = keyOf(peer);
    const now = running.get(key);
    running.delete(key);
    const update = now === undefined ? peerUpdateOf(peer) : peerDiff(before.get(key), now, peer, owned);
    if (update !== undefined) updates.push(update);
    yield;
  }
  for (const { publicKey } of running.values()) updates.push({ publicKey, remove: true, allowedIps: [] });
  return updates;
}

/** @param owned  prefixes that some peer has from now on: giving one away takes it from whoever has it */
function peerDiff(
  before: PeerConfig | undefined,
  now: PeerSnapshot,
  next: PeerConfig,
  owned: ReadonlySet<string>,
): PeerUpdate | undefined {
  const update: PeerUpdate = { publicKey: next.publicKey, allowedIps: allowedIpDiff(now, next, owned) };
  const presharedKey = next.presharedKey?.bytes ?? NO_KEY;
  if (!sameKey(now.presharedKey, presharedKey)) update.presharedKey = presharedKey;
  const keepaliveS = next.persistentKeepaliveS ?? 0;
  if (now.persistentKeepaliveS !== keepaliveS) update.persistentKeepaliveS = keepaliveS;
  const { endpoint } = next;
  const isNew = before === undefined || JSON.stringify(plain(before)) !== JSON.stringify(plain(next));
  if (endpoint?.kind === "address" && (isNew || now.endpoint === undefined)) update.endpoint = endpoint.address;
  return Object.keys(update).length > 2 || update.allowedIps.length > 0 ? update : undefined;
}

function allowedIpDiff(now: PeerSnapshot, next: PeerConfig, owned: ReadonlySet<string>): AllowedIpUpdate[] {
  const has = new Set(now.allowedIps.map(formatPrefix));
  const added = next.allowedIps.filter((prefix) => !has.has(formatPrefix(prefix)));
  const removed = now.allowedIps.filter((prefix) => !owned.has(formatPrefix(prefix)));
  return [
    ...added.map((prefix) => ({ prefix, remove: false })),
    ...removed.map((prefix) => ({ prefix, remove: true })),
  ];
}

/** An endpoint as plain data, to compare. */
function plain({ endpoint }: PeerConfig): unknown {
  if (endpoint?.kind !== "address") return endpoint ?? null;
  const { bytes, port, scopeId } = endpoint.address;
  return { bytes: [...bytes], port, scopeId };
}

function keyOf(peer: { readonly publicKey: Uint8Array }): string {
  return Buffer.from(peer.publicKey).toString("base64");
}

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return timingSafeEqual(a, b);
}

/**
 * An update for a person: one line a change. No secret is in any. A generator for the same reason as {@link deviceDiff}.
 * @param nameOf  a peer's friendly name, or undefined
 */
export function* describeUpdate(
  update: DeviceUpdate,
  nameOf: (publicKey: Uint8Array) => string | undefined,
): Generator<void, string[], void> {
  const lines: string[] = [];
  if (update.privateKey !== undefined) lines.push("private key: a new one; every peer shakes hands again");
  if (update.listenPort !== undefined)
    lines.push(`listen port: ${update.listenPort === 0 ? "any" : update.listenPort}`);
  if (update.fwmark !== undefined) lines.push(`fwmark: ${update.fwmark === 0 ? "off" : update.fwmark}`);
  for (const peer of update.peers) yield void lines.push(describePeer(peer, nameOf(peer.publicKey)));
  return lines;
}

function describePeer(peer: PeerUpdate, name: string | undefined): string {
  const key = Buffer.from(peer.publicKey).toString("base64");
  const label = name === undefined ? `peer ${key}` : `peer ${key} (${name})`;
  if (peer.remove === true) return `${label}: removed`;
  const added = peer.allowedIps.filter(({ remove }) => !remove).map(({ prefix }) => formatPrefix(prefix));
  const removed = peer.allowedIps.filter(({ remove }) => remove).map(({ prefix }) => formatPrefix(prefix));
  const changes = [
    ...(peer.replaceAllowedIps === true ? ["added"] : []),
    ...(added.length > 0 ? [`allowed-ips + ${added.join(", ")}`] : []),
    ...(removed.length > 0 ? [`allowed-ips - ${removed.join(", ")}`] : []),
    ...(peer.endpoint === undefined ? [] : ["endpoint as in the file"]),
    ...(peer.presharedKey === undefined || peer.replaceAllowedIps === true ? [] : ["preshared key"]),
    ...(peer.persistentKeepaliveS === undefined || peer.replaceAllowedIps === true
      ? []
      : [`persistent keepalive ${peer.persistentKeepaliveS === 0 ? "off" : `${peer.persistentKeepaliveS} s`}`]),
  ];
  return `${label}: ${changes.join("; ")}`;
}
