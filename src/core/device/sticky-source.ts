// Which local address a peer is answered from: the one that it spoke to, unless the routes of this host lead elsewhere. What was
// refused is remembered in the record (address without interface), so that the peer's next packet does not ask again.

import {
  clearSource,
  copyRecord,
  ENDPOINT_BYTES,
  isRefusedSource,
  refuseSource,
  sourceInterface,
} from "../transport/endpoint-record.js";
import type { DeviceState } from "./device-state.js";
import type { Peer } from "./peer.js";

/** Takes remote and local address as a packet showed them. @param at  of its record in `records` */
export function learnEndpoint({ deps }: DeviceState, peer: Peer, records: Uint8Array, at: number): void {
  const row = peer.id * ENDPOINT_BYTES;
  copyRecord(records, at, deps.endpoints, row);
  if (sourceInterface(records, at) !== 0 && deps.canAnswerFrom?.(row) === false) refuseSource(deps.endpoints, row);
}

/** After routes changed: gives up what they contradict, and lets what was refused be learned again. One peer a step. */
export function* recheckSources({ deps, peers }: DeviceState): Generator<void, void, void> {
  const { endpoints, canAnswerFrom } = deps;
  if (canAnswerFrom === undefined) return;
  for (let id = 0; id < peers.length; id++) {
    if (peers[id] === undefined) continue;
    const row = id * ENDPOINT_BYTES;
    if (isRefusedSource(endpoints, row)) clearSource(endpoints, row);
    else if (sourceInterface(endpoints, row) === 0) continue;
    else if (!canAnswerFrom(row)) refuseSource(endpoints, row);
    yield;
  }
}
