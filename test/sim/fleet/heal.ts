// The network and everybody heal: what was broken works, what was misconfigured is right. Then every pair has to reach each
// other soon, both ways; and in the end, after a long silence, nothing may be left of any key.

import { readEndpoint } from "../../../src/core/transport/endpoint-address.js";
import { ENDPOINT_BYTES } from "../../../src/core/transport/endpoint-record.js";
import { formatAddress } from "../world.js";
import { type Fleet, pairName } from "./fleet.js";
import { innerAddress, type Site } from "./site.js";
import { hold } from "./violation.js";

const PROBE_EVERY_MS = 500;
/** Where both sides know where the other is. */
const HEALS_MS = 10_000;
/** Where one of them has to notice by itself that its keypair is no longer known: 15 s, and then an initiation. */
const NOTICES_MS = 40_000;
/** Two initiations that cross undo each other; the next ones follow REKEY_TIMEOUT and a jitter later. */
const CROSSING_MS = 5_400;
const SILENCE_MS = 720_000;

interface Direction {
  readonly from: Site;
  readonly to: Site;
  limitMs: number;
  readonly probes: number[];
}

/** Mends everything but the clocks. */
export function mend(fleet: Fleet): void {
  fleet.network.calm();
  for (const site of fleet.sites) {
    site.wake();
    site.disk.isFull = false;
    for (const edge of site.edges.values()) {
      if (edge.isPresent && Buffer.compare(edge.publicKey, fleet.sites[edge.peer].publicKey) !== 0)
        site.removePeer(edge);
      const back = fleet.sites[edge.peer].edges.get(site.index);
      if (back !== undefined) edge.presharedKey = back.presharedKey;
    }
    if (site.node === undefined) site.start();
    if (site.node === undefined) continue;
    site.node.sendErrno = 0;
    site.node.tunErrno = 0;
    site.node.up();
    for (const edge of site.edges.values()) site.addPeer(edge);
  }
}

/** Errors: Violation, if a pair does not reach each other in time. */
export async function checkHealing(fleet: Fleet): Promise<void> {
  fleet.crossings.clear();
  const healedMs = fleet.nowMs;
  let waiting = directions(fleet);
  for (let round = 0; waiting.length > 0; round++) {
    for (const direction of waiting) probe(fleet, direction, round);
    await fleet.run(PROBE_EVERY_MS);
    waiting = waiting.filter(({ probes }) => probes.every((number) => fleet.packets.deliveredMs(number) < 0));
    for (const direction of waiting) {
      const { from, to } = direction;
      // An old initiation that came while a restarted daemon slept, from somebody who recorded it, is new to it: it answers there.
      if (!knowEachOther(from, to)) direction.limitMs = NOTICES_MS;
      const crossings = fleet.crossings.get(pairName(from.index, to.index)) ?? 0;
      const allowedMs = direction.limitMs + CROSSING_MS * crossings;
      const isInTime = fleet.nowMs - healedMs <= allowedMs;
      hold("heals", isInTime, () => `${from.name} does not reach ${to.name} within ${allowedMs} ms`);
    }
  }
}

/** Long silence, then the end. Errors: Violation, if anything is left. */
export async function checkEnd(fleet: Fleet): Promise<void> {
  for (const site of fleet.sites) {
    for (const edge of site.edges.values()) {
      edge.keepaliveS = 0;
      site.configurePeer(edge);
    }
  }
  await fleet.run(SILENCE_MS);
  for (const { node, name } of fleet.sites) {
    if (node === undefined) continue;
    node.tick();
    const { indices, staged } = node.device.state;
    hold("zeroed", node.path.slots.size === 0, () => `${name} has ${node.path.slots.size} keys after a long silence`);
    hold("memory", indices.size === 0, () => `${name} has ${indices.size} indices after a long silence`);
    hold("memory", staged.total === 0, () => `${name} has ${staged.total} packets staged after a long silence`);
    node.close();
  }
}

function directions(fleet: Fleet): Direction[] {
  const found: Direction[] = [];
  for (const from of fleet.sites) {
    for (const edge of from.edges.values()) {
      const to = fleet.sites[edge.peer];
      // Whose disk was lost while its clock was behind is refused until its clock is past what its peers remember.
      if (from.isForgetful || to.isForgetful) continue;
      const limitMs = knowEachOther(from, to) ? HEALS_MS : NOTICES_MS;
      found.push({ from, to, limitMs, probes: [] });
    }
  }
  return found;
}

function knowEachOther(one: Site, other: Site): boolean {
  return knows(one, other) && knows(other, one);
}

/** Whether the site's daemon has the right address of the other. */
function knows(site: Site, other: Site): boolean {
  const { node } = site;
  const peer = node?.peerOf(other.publicKey);
  if (node === undefined || peer === undefined) return false;
  const record = readEndpoint(node.device.state.deps.endpoints, peer.id * ENDPOINT_BYTES);
  return record !== undefined && formatAddress(record) === other.address;
}

function probe(fleet: Fleet, { from, to, probes }: Direction, round: number): void {
  const family = round % 4 === 3 ? 6 : 4;
  const source = innerAddress(from.index, family, 1);
  const number = fleet.packets.offer(from, source, innerAddress(to.index, family, 1), [8]);
  probes.push(number);
}
