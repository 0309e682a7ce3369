// The books of a device at the end of a turn: what it holds, and that it holds nothing else. It changes nothing.

import { FlowCell } from "../../../src/core/device/ledger.js";
import { type Peer, PeerTime } from "../../../src/core/device/peer.js";
import { type Handshake, HandshakeState, NO_INDEX } from "../../../src/core/noise/handshake.js";
import type { Identity } from "../../../src/core/noise/identity.js";
import { PeerTimer } from "../../../src/core/timers/peer-timers.js";
import { readEndpoint } from "../../../src/core/transport/endpoint-address.js";
import { copyRecord, ENDPOINT_BYTES, equalRemote } from "../../../src/core/transport/endpoint-record.js";
import { formatAddress } from "../world.js";
import type { FleetNode } from "./fleet-node.js";
import { hold } from "./violation.js";
import { isZero } from "./watched-data-path.js";

/** Packets as the world counts them, to compare the ledger with. */
export const Count = { Arrived: 0, Delivered: 1, Offered: 2, Sent: 3 } as const;
/** Three times REJECT_AFTER_TIME, and what a timer may be late. */
const ZERO_KEYS_MS = 540_000 + 8;
/** The same for an exchange: it starts when the last attempt was given up. */
const ZERO_HANDSHAKE_MS = ZERO_KEYS_MS + 5_340 + 8;
const STAGED_PER_PEER_MAX = 128;
/** Keypairs that one batch may retire beside those in use. */
const RETIRED_MAX = 2 * 64;

/** Errors: Violation. */
export function inspect(node: FleetNode): void {
  checkLaw(node);
  checkMemory(node);
  for (const peer of node.device.peers()) {
    checkSecrets(node, peer);
    checkEndpoint(node, peer);
    checkProgress(node, peer);
  }
}

/** Errors: Violation, if peers or an identity that a device gave up still have secrets in them. */
export function inspectGone(peers: readonly (Peer | undefined)[], identity: Identity | undefined): void {
  for (const peer of peers) {
    if (peer === undefined) continue;
    const { handshake } = peer;
    const isClean = isZero(handshake.presharedKey) && isZero(handshake.staticStatic) && isClear(handshake);
    hold("zeroed", isClean, () => "a removed peer still has secrets");
  }
  const isWiped = identity === undefined || isZero(identity.privateKey);
  hold("zeroed", isWiped, () => "a private key is left that the device no longer has");
}

function checkLaw({ device, counts }: FleetNode): void {
  const { ledger, staged } = device.state;
  const { flow } = ledger;
  const inbound = ledger.inboundUnaccounted();
  hold("law", inbound === 0, () => `${inbound} datagrams from the network are unaccounted for`);
  const outbound = ledger.outboundUnaccounted(staged.total);
  hold("law", outbound === 0, () => `${outbound} packets from the TUN are unaccounted for`);
  const sent = flow[FlowCell.OutboundSent] + flow[FlowCell.OutboundKeepalives] + flow[FlowCell.OutboundHandshakes];
  compare("datagrams received", flow[FlowCell.InboundDatagrams] + device.messagesWaiting, counts[Count.Arrived]);
  compare("packets delivered", flow[FlowCell.InboundDelivered], counts[Count.Delivered]);
  compare("packets offered", flow[FlowCell.OutboundPackets], counts[Count.Offered]);
  compare("datagrams sent", sent, counts[Count.Sent]);
}

function compare(what: string, ledger: number, world: number): void {
  hold("law", ledger === world, () => `${what}: ${ledger} in the ledger, ${world} in the world`);
}

function checkMemory(node: FleetNode): void {
  const { indices, keypairs, peers, peerByKey, staged } = node.device.state;
  let held = 0;
  let exchanges = 0;
  let waiting = 0;
  for (const peer of peerByKey.values()) {
    const { current, previous, next } = peer.keypairs;
    for (const keypair of [current, previous, next]) if (keypair !== undefined) held++;
    if (peer.handshake.localIndex !== NO_INDEX) exchanges++;
    waiting += staged.count(peer.id);
    hold("memory", staged.count(peer.id) <= STAGED_PER_PEER_MAX, () => `${staged.count(peer.id)} packets staged`);
  }
  hold("memory", staged.total === waiting, () => `${staged.total} packets staged, and ${waiting} of them for peers`);
  const used = indices.size;
  hold("memory", used === held + exchanges, () => `${used} indices for ${held} keypairs and ${exchanges} handshakes`);
  const { slots } = node.path;
  hold("zeroed", slots.size === 2 * held, () => `${slots.size} keys are installed for ${held} keypairs`);
  node.peersMost = Math.max(node.peersMost, peerByKey.size);
  const pooled = keypairs.all.length;
  hold("memory", pooled <= 3 * node.peersMost + RETIRED_MAX, () => `${pooled} keypairs pooled`);
  hold("memory", peers.length <= node.peersMost, () => `${peers.length} rows for ${node.peersMost} peers`);
}

function checkSecrets(node: FleetNode, peer: Peer): void {
  const { handshake, keypairs, times } = peer;
  const nowMs = node.now();
  let youngestMs = Number.POSITIVE_INFINITY;
  for (const keypair of [keypairs.current, keypairs.previous, keypairs.next]) {
    if (keypair === undefined) continue;
    const slot = node.path.slots.get(keypair.sendKeySlot);
    hold("zeroed", slot !== undefined, () => "a keypair has lost its key");
    youngestMs = Math.min(youngestMs, nowMs - (slot?.installedMs ?? 0));
  }
  const isInTime = youngestMs === Number.POSITIVE_INFINITY || youngestMs <= ZERO_KEYS_MS;
  hold("zeroed", isInTime, () => `keys are there ${youngestMs} ms after the last handshake`);
  if (handshake.state === HandshakeState.Zeroed) {
    hold("zeroed", isClear(handshake), () => "a handshake that is over still has secrets");
    return;
  }
  const isWaiting = handshake.state === HandshakeState.InitiationCreated;
  hold("zeroed", isWaiting, () => `a handshake stays in state ${handshake.state}`);
  const ageMs = nowMs - times[PeerTime.HandshakeSent];
  hold("zeroed", ageMs <= ZERO_HANDSHAKE_MS, () => `an ephemeral key is there ${ageMs} ms after its initiation`);
}

/** What waits for a keypair must not depend on more traffic. */
function checkProgress({ device }: FleetNode, peer: Peer): void {
  const { isUp, staged, timers } = device.state;
  if (!isUp || !peer.hasEndpoint || staged.count(peer.id) === 0) return;
  const isAwaited = timers.isPending(peer.id, PeerTimer.RetransmitHandshake);
  hold("progress", isAwaited, () => `${staged.count(peer.id)} packets wait, and no timer does`);
}

function isClear(handshake: Handshake): boolean {
  const { ephemeralPrivate, symmetric } = handshake;
  return isZero(ephemeralPrivate) && isZero(symmetric.chainingKey) && isZero(symmetric.hash);
}

function checkEndpoint(node: FleetNode, peer: Peer): void {
  const { endpoints } = node.device.state.deps;
  const at = peer.id * ENDPOINT_BYTES;
  let before = node.endpoints.get(peer);
  if (before === undefined) {
    before = new Uint8Array(ENDPOINT_BYTES);
    node.endpoints.set(peer, before);
  }
  if (equalRemote(endpoints, at, before, 0)) return;
  copyRecord(endpoints, at, before, 0);
  const record = readEndpoint(endpoints, at);
  const address = record === undefined ? "nowhere" : formatAddress(record);
  const index = node.site.fleet.indexOf(peer.publicKey);
  const isMeant = node.isConfiguring || node.mayRoam.some((move) => move.peer === index && move.address === address);
  hold("endpoint", isMeant, () => `it became ${address}, from where nothing authentic came`);
}
