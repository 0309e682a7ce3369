// The status document as JSON text in pieces, the event loop free in between: with 10,000 peers it is some ten megabytes.

import { setImmediate as nextRound } from "node:timers/promises";
import { readPeerStatus, readStatusHead } from "./status-reading.js";
import type { StatusSource } from "./status-source.js";

/** Peers that are read before others get their turn: about a millisecond. */
const SLICE_PEERS = 32;

/** @returns the text of readStatus(source), in pieces */
export async function* statusText(source: StatusSource): AsyncGenerator<string> {
  const peers = [...source.statistics.peers()];
  yield `${JSON.stringify(readStatusHead(source)).slice(0, -1)},"peers":[`;
  for (let first = 0; first < peers.length; first += SLICE_PEERS) {
    if (first > 0) await nextRound();
    const slice = peers.slice(first, first + SLICE_PEERS).map((peer) => JSON.stringify(readPeerStatus(source, peer)));
    yield (first === 0 ? "" : ",") + slice.join(",");
  }
  yield "]}\n";
}
