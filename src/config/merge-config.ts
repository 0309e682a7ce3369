// Puts what an interface runs with into the text of its file, as `wg-quick save` does, and leaves alone what has not changed:
// comments, friendly names, hooks, [Daemon], endpoints by name, keys that stand elsewhere.

import { timingSafeEqual } from "node:crypto";
import type { DeviceSnapshot, EndpointAddress, PeerSnapshot } from "../core/device/update.js";
import { blocksOf, type ConfigBlock } from "./config-blocks.js";
import { formatEndpoint } from "./endpoint.js";
import type { GatewayConfig, PeerConfig } from "./gateway-config.js";
import { findInterfaceName } from "./host-facts.js";
import { encodeBase64Key, formatBase64Key, isZeroKey } from "./key.js";
import { formatPrefix } from "./prefix.js";

/** What runs. */
export interface RunningState {
  readonly device: DeviceSnapshot;
  /** Of the interface, with prefix length; undefined: not known. */
  readonly addresses: readonly string[] | undefined;
  /** Bytes; undefined: not known. */
  readonly mtu: number | undefined;
}

export interface MergedConfig {
  /** The whole file. There are keys in it: wipe it after use. */
  readonly bytes: Buffer;
  /** What was changed, a line each; no secret is in any. */
  readonly changes: readonly string[];
}

/**
 * @param bytes   of a file without mistakes; it may have no [Interface] if it has nothing else either. Borrowed
 * @param config  what was read from it; undefined: nothing
 */
export function mergeConfig(bytes: Buffer, config: GatewayConfig | undefined, running: RunningState): MergedConfig {
  const changes: string[] = [];
  const scratch: Buffer[] = [];
  const text = config === undefined ? withInterface(bytes) : bytes;
  const blocks = blocksOf(text);
  const own = blocks.find(({ section }) => section === "Interface") as ConfigBlock;
  new InterfaceMerge(own, config, running, changes, scratch).merge();
  const merged = mergePeers(blocks, config?.peers ?? [], running.device.peers, changes, scratch);
  const whole = Buffer.concat(merged.flatMap((block) => [...block.pieces()]));
  for (const block of blocks) block.wipe();
  for (const block of merged) block.wipe();
  for (const piece of scratch) piece.fill(0);
  if (text !== bytes) text.fill(0);
  return { bytes: whole, changes };
}

function withInterface(bytes: Buffer): Buffer {
  const head = bytes.length === 0 || bytes.at(-1) === 0x0a ? "" : "\n";
  return Buffer.concat([bytes, Buffer.from(`${head}[Interface]\n`)]);
}

class InterfaceMerge {
  readonly #block: ConfigBlock;
  readonly #config: GatewayConfig | undefined;
  readonly #running: RunningState;
  readonly #changes: string[];
  readonly #scratch: Buffer[];

  constructor(
    block: ConfigBlock,
    config: GatewayConfig | undefined,
    running: RunningState,
    changes: string[],
    scratch: Buffer[],
  ) {
    this.#block = block;
    this.#config = config;
    this.#running = running;
    this.#changes = changes;
    this.#scratch = scratch;
  }

  merge(): void {
    const { addresses, mtu, device } = this.#running;
    const file = this.#config?.interface;
    if (addresses !== undefined && !sameSet(file?.addresses ?? [], addresses))
      this.#set("Address", addresses.join(", ") || undefined);
    if (file?.mtu !== undefined && mtu !== undefined && file.mtu !== mtu) this.#set("MTU", String(mtu));
    if (device.listenPort !== 0 && device.listenPort !== (file?.listenPort ?? 0)) {
      this.#set("ListenPort", String(device.listenPort));
    }
    this.#mergeMark(file?.fwmark ?? 0);
    this.#mergeKey();
  }

  /** A mark that the file does not ask for, beside a default route, is that of the full tunnel, and made anew each time. */
  #mergeMark(inFile: number): void {
    const { fwmark, peers } = this.#running.device;
    if (fwmark === inFile) return;
    const hasDefaultRoute = peers.some(({ allowedIps }) => allowedIps.some(({ length }) => length === 0));
    const isAutomatic = inFile === 0 && hasDefaultRoute && (this.#config?.interface.table ?? "auto") === "auto";
    if (!isAutomatic) this.#set("FwMark", fwmark === 0 ? undefined : `0x${fwmark.toString(16)}`);
  }

  #mergeKey(): void {
    const { privateKey } = this.#running.device;
    const inFile = this.#config?.interface.privateKey;
    if (inFile?.origin.kind === "hook") return;
    if (privateKey === undefined || (inFile !== undefined && timingSafeEqual(inFile.bytes, privateKey))) return;
    const encoded = encodeBase64Key(privateKey);
    this.#scratch.push(encoded);
    this.#block.set("PrivateKeyFile", undefined);
    this.#block.set("PrivateKey", encoded);
    this.#changes.push("PrivateKey: the one that runs");
  }

  #set(name: string, value: string | undefined): void {
    this.#block.set(name, value);
    this.#changes.push(value === undefined ? `${name}: none` : `${name} = ${value}`);
  }
}

/** Peers stay in the order of the file; those that are new come last. @returns the blocks of the new file */
function mergePeers(
  blocks: readonly ConfigBlock[],
  inFile: readonly PeerConfig[],
  running: readonly PeerSnapshot[],
  changes: string[],
  scratch: Buffer[],
): ConfigBlock[] {
  const missing = new Map(running.map((peer) => [formatBase64Key(peer.publicKey), peer]));
  const merged: ConfigBlock[] = [];
  let number = 0;
  for (const block of blocks) {
    const peer = block.section === "Peer" ? inFile[number++] : undefined;
    if (peer === undefined) {
      merged.push(block);
      continue;
    }
    const key = formatBase64Key(peer.publicKey);
    const now = missing.get(key);
    missing.delete(key);
    const label = peer.friendlyName === undefined ? `peer ${key}` : `peer ${key} (${peer.friendlyName})`;
    if (now === undefined) {
      changes.push(`${label}: removed`);
      continue;
    }
    const changed = mergePeer(block, peer, now, scratch);
    if (changed.length > 0) changes.push(`${label}: ${changed.join("; ")}`);
    merged.push(block);
  }
  const at = merged.findLastIndex(({ section }) => section === "Peer" || section === "Interface") + 1;
  const added = [...missing.values()].flatMap((peer) => newPeer(peer, scratch));
  if (added.length > 0) merged[at - 1]?.trimEnd();
  if (added.length > 0 && at < merged.length) added.push(...blocksOf(Buffer.from("\n")));
  for (const key of missing.keys()) changes.push(`peer ${key}: added`);
  return [...merged.slice(0, at), ...added, ...merged.slice(at)];
}

/** @returns what was changed */
function mergePeer(block: ConfigBlock, file: PeerConfig, now: PeerSnapshot, scratch: Buffer[]): string[] {
  const changed: string[] = [];
  const set = (name: string, value: string | undefined): void => {
    block.set(name, value);
    changed.push(value === undefined ? `${name}: none` : `${name} = ${value}`);
  };
  const [before, after] = [file.allowedIps.map(formatPrefix), now.allowedIps.map(formatPrefix)];
  if (!sameSet(before, after)) set("AllowedIPs", after.join(", ") || undefined);
  const endpoint = endpointToSave(file, now);
  if (endpoint !== undefined) set("Endpoint", endpoint);
  if ((file.persistentKeepaliveS ?? 0) !== now.persistentKeepaliveS) {
    set("PersistentKeepalive", now.persistentKeepaliveS === 0 ? undefined : String(now.persistentKeepaliveS));
  }
  if (mergePresharedKey(block, file, now, scratch)) changed.push("PresharedKey: as it runs");
  return changed;
}

/** A name stays a name: where it leads is looked up again. @returns undefined: it stays as it is */
function endpointToSave({ endpoint }: PeerConfig, now: PeerSnapshot): string | undefined {
  if (endpoint?.kind === "name" || now.endpoint === undefined) return undefined;
  if (endpoint !== undefined && formatEndpoint(endpoint.address) === formatEndpoint(now.endpoint)) return undefined;
  return scopedByName(now.endpoint);
}

/** The index of an interface is another one after the next boot, its name is not. */
function scopedByName(endpoint: EndpointAddress): string {
  const name = endpoint.scopeId === 0 ? undefined : findInterfaceName(endpoint.scopeId);
  const text = formatEndpoint(endpoint);
  return name === undefined ? text : text.replace(`%${endpoint.scopeId}]`, `%${name}]`);
}

function mergePresharedKey(block: ConfigBlock, file: PeerConfig, now: PeerSnapshot, scratch: Buffer[]): boolean {
  if (timingSafeEqual(file.presharedKey?.bytes ?? new Uint8Array(32), now.presharedKey)) return false;
  block.set("PresharedKeyFile", undefined);
  if (isZeroKey(now.presharedKey)) {
    block.set("PresharedKey", undefined);
  } else {
    const encoded = encodeBase64Key(now.presharedKey);
    scratch.push(encoded);
    block.set("PresharedKey", encoded);
  }
  return true;
}

function newPeer(peer: PeerSnapshot, scratch: Buffer[]): ConfigBlock[] {
  const blocks = blocksOf(Buffer.from(`\n[Peer]\nPublicKey = ${formatBase64Key(peer.publicKey)}\n`));
  const block = blocks[1] as ConfigBlock;
  const file: PeerConfig = {
    publicKey: peer.publicKey,
    presharedKey: undefined,
    allowedIps: [],
    endpoint: undefined,
    persistentKeepaliveS: undefined,
    friendlyName: undefined,
  };
  mergePresharedKey(block, file, peer, scratch);
  mergePeer(block, { ...file, presharedKey: { bytes: peer.presharedKey, origin: { kind: "text" } } }, peer, scratch);
  return blocks;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const set = new Set(a);
  return set.size === new Set(b).size && b.every((one) => set.has(one));
}
