// Applies a configuration update to a device and takes snapshots of it. Cold: called by the UAPI and at start-up.
// An update is checked whole before anything of it is applied. Source: wg(8), the cross-platform UAPI.

import { DropReason } from "../drop-reason.js";
import { CookieChecker, CookieGenerator } from "../noise/cookie.js";
import { Handshake, HandshakeContext } from "../noise/handshake.js";
import { Identity } from "../noise/identity.js";
import { secretCopy } from "../noise/secret-bytes.js";
import { readEndpoint, writeEndpoint } from "../transport/endpoint-address.js";
import { clear as clearRecord, ENDPOINT_BYTES } from "../transport/endpoint-record.js";
import { type DeviceState, dropStaged } from "./device-state.js";
import type { HandshakeExchange } from "./handshake-exchange.js";
import { Peer, PeerBytes } from "./peer.js";
import type { SendPath } from "./send-path.js";
import type { DeviceUpdate, PeerSnapshot, PeerUpdate, Prefix } from "./update.js";

/** An update that a device cannot take; nothing of it was applied. */
export class ConfigureError extends Error {
  /** The errno that a UAPI client gets: no space left. */
  readonly code = "ENOSPC";
}

export class Configurator {
  readonly #state: DeviceState;
  readonly #exchange: HandshakeExchange;
  readonly #send: SendPath;
  readonly #freeIds: number[] = [];

  constructor(state: DeviceState, exchange: HandshakeExchange, send: SendPath) {
    this.#state = state;
    this.#exchange = exchange;
    this.#send = send;
  }

  /**
   * Applies keys and peers of an update; its port and mark are for whoever owns the sockets.
   * Errors: ConfigureError, with nothing applied, if there would be more peers than the device has rows for.
   */
  apply(update: DeviceUpdate, nowMs: number): void {
    const steps = this.steps(update, () => nowMs);
    while (steps.next().done !== true);
  }

  /**
   * {@link apply} in steps of one peer each, so that ten thousand do not hold up the event loop. The first steps check the
   * whole update, and change nothing; none after them can fail. Nobody else may add peers in between.
   * @param now  device time, read anew by each step
   */
  *steps(update: DeviceUpdate, now: () => number): Generator<void, void, void> {
    yield* this.#checkRoom(update);
    if (update.privateKey !== undefined) yield* this.#setPrivateKey(update.privateKey);
    if (update.replacePeers === true) {
      for (const peer of [...this.#state.peerByKey.values()]) yield this.#removePeer(peer);
    }
    for (const peerUpdate of update.peers) yield this.#applyPeer(peerUpdate, now());
  }

  /** Removes every peer. */
  removeAllPeers(): void {
    for (const peer of [...this.#state.peerByKey.values()]) this.#removePeer(peer);
  }

  /** @returns what `wg show` tells of one peer; keys are copies. */
  snapshotPeer(peer: Peer): PeerSnapshot {
    const allowedIps: Prefix[] = [];
    this.#state.allowedIps.forEachOf(peer.id, (prefix) => allowedIps.push(prefix));
    return {
      publicKey: peer.publicKey.slice(),
      presharedKey: secretCopy(peer.handshake.presharedKey),
      endpoint: peer.hasEndpoint ? readEndpoint(this.#state.deps.endpoints, peer.id * ENDPOINT_BYTES) : undefined,
      persistentKeepaliveS: peer.persistentKeepaliveMs / 1000,
      lastHandshakeMs: peer.lastHandshakeWallMs,
      receivedBytes: peer.bytes[PeerBytes.Received],
      sentBytes: peer.bytes[PeerBytes.Sent],
      allowedIps,
    };
  }

  /** Wipes the identity and every peer. */
  wipe(): void {
    this.removeAllPeers();
    this.#clearIdentity();
  }

  *#checkRoom(update: DeviceUpdate): Generator<void, void, void> {
    const { peerByKey, peersMax } = this.#state;
    if ((update.replacePeers === true ? 0 : peerByKey.size) + update.peers.length <= peersMax) return;
    /** What the update adds to the present peers, and what it takes from them. */
    const added = new Set<string>();
    const removed = new Set<string>();
    for (const peer of update.peers) {
      const key = hexOf(peer.publicKey);
      const isPresent = update.replacePeers !== true && peerByKey.has(key);
      if (peer.remove === true) {
        added.delete(key);
        if (isPresent) removed.add(key);
      } else if (peer.updateOnly !== true) {
        removed.delete(key);
        if (!isPresent) added.add(key);
      }
      yield;
    }
    const count = (update.replacePeers === true ? 0 : peerByKey.size) + added.size - removed.size;
    if (count > peersMax) {
      throw new ConfigureError(`${count} peers are more than the ${peersMax} a device can hold; split the device`);
    }
  }

  *#setPrivateKey(privateKey: Uint8Array): Generator<void, void, void> {
    const state = this.#state;
    const { primitives } = state.deps;
    if (state.identity !== undefined && primitives.equal(state.identity.privateKey, privateKey)) return;
    this.#clearIdentity(); //  from here on nobody is spoken to or heard
    for (const peer of state.peerByKey.values()) {
      this.#exchange.forgetKeys(peer);
      yield peer.handshake.forgetIdentity();
    }
    if (privateKey.every((byte) => byte === 0)) return;
    const identity = new Identity(primitives, privateKey);
    state.identity = identity;
    const floor = state.deps.timestampKeeper?.keyChanged(identity.publicKey);
    if (floor !== undefined) state.timestamps.raiseFloor(floor.seconds, floor.nanos);
    state.noise = new HandshakeContext(primitives, identity);
    state.cookies = new CookieChecker(primitives, identity, state.deps.random);
    const own = state.peerByKey.get(hexOf(identity.publicKey));
    if (own !== undefined) this.#removePeer(own);
  }

  #clearIdentity(): void {
    const state = this.#state;
    state.identity?.wipe();
    state.cookies?.wipe();
    state.identity = undefined;
    state.cookies = undefined;
  }

  #applyPeer(update: PeerUpdate, nowMs: number): void {
    const state = this.#state;
    const key = hexOf(update.publicKey);
    let peer = state.peerByKey.get(key);
    if (update.remove === true) {
      if (peer !== undefined) this.#removePeer(peer);
      return;
    }
    if (peer === undefined) {
      const isOwn =
        state.identity !== undefined && state.deps.primitives.equal(state.identity.publicKey, update.publicKey);
      if (update.updateOnly === true || isOwn) return;
      peer = this.#addPeer(update.publicKey, key);
    }
    if (update.presharedKey !== undefined) peer.handshake.presharedKey.set(update.presharedKey);
    const hadEndpoint = peer.hasEndpoint;
    if (update.endpoint !== undefined) {
      writeEndpoint(state.deps.endpoints, peer.id * ENDPOINT_BYTES, update.endpoint);
      peer.hasEndpoint = true;
    }
    if (update.replaceAllowedIps === true) state.allowedIps.removePeer(peer.id);
    for (const { prefix, remove } of update.allowedIps) {
      if (remove) state.allowedIps.remove(prefix, peer.id);
      else state.allowedIps.insert(prefix, peer.id);
    }
    if (update.persistentKeepaliveS !== undefined) this.#setKeepalive(peer, update.persistentKeepaliveS * 1000, nowMs);
    if (!hadEndpoint && peer.hasEndpoint) this.#endpointKnown(peer, nowMs);
    if (state.isUp && state.staged.count(peer.id) > 0) this.#send.flushStaged(peer, nowMs);
  }

  #setKeepalive(peer: Peer, intervalMs: number, nowMs: number): void {
    const wasOff = peer.persistentKeepaliveMs === 0;
    peer.persistentKeepaliveMs = intervalMs;
    this.#exchange.keepaliveChanged(peer, nowMs);
    if (wasOff && intervalMs > 0 && this.#state.isUp) this.#send.sendKeepalive(peer, nowMs);
  }

  /** A peer with a persistent keepalive speaks as soon as there is somewhere to speak to: a name may take its time. */
  #endpointKnown(peer: Peer, nowMs: number): void {
    if (peer.persistentKeepaliveMs > 0 && this.#state.isUp) this.#send.sendKeepalive(peer, nowMs);
  }

  #addPeer(publicKey: Uint8Array, key: string): Peer {
    const state = this.#state;
    const { primitives } = state.deps;
    const id = this.#freeIds.pop() ?? state.peers.length;
    const handshake = new Handshake(state.noise, publicKey);
    const peer = new Peer(id, publicKey.slice(), handshake, new CookieGenerator(primitives, publicKey));
    state.peers[id] = peer;
    state.peerByKey.set(key, peer);
    this.#exchange.peerAdded(peer);
    return peer;
  }

  #removePeer(peer: Peer): void {
    const state = this.#state;
    this.#exchange.forgetKeys(peer);
    state.timers.cancelAll(peer.id);
    dropStaged(state, peer, DropReason.StagedExpired);
    state.allowedIps.removePeer(peer.id);
    state.peerByKey.delete(hexOf(peer.publicKey));
    peer.handshake.wipe();
    peer.cookie.wipe();
    clearRecord(state.deps.endpoints, peer.id * ENDPOINT_BYTES);
    state.peers[peer.id] = undefined;
    this.#freeIds.push(peer.id);
  }
}

/** @returns lower-case hex */
export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i]];
  return text;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
