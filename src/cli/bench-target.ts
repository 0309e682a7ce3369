// Which peer `longhaul bench` is to measure, and by which address: from the same words as `longhaul why` takes.

import { addressOf } from "../metrics/diagnosis-view.js";
import { findPeers, readPrefix } from "./find-peer.js";
import { UsageError } from "./output.js";
import type { ShownDocument } from "./read-status.js";

export interface BenchTarget {
  readonly interfaceName: string;
  /** Of the far gateway in the tunnel. */
  readonly address: string;
  /** Of the far gateway outside the tunnel; null: not known. */
  readonly endpointAddress: string | null;
}

const HOST_PREFIX = /^(.+)\/(?:32|128)$/;

/**
 * @param deviceTowards  the interface that the kernel sends an address to; asked only where no peer tells
 * Errors: UsageError when the word means no peer, or more than one, or one without an address of its own.
 */
export async function chooseTarget(
  documents: readonly ShownDocument[],
  word: string,
  deviceTowards: (address: string) => Promise<string>,
): Promise<BenchTarget> {
  const isAddress = readPrefix(word) !== undefined && !word.includes("/");
  let found = findPeers(documents, word);
  if (isAddress && found.length !== 1) {
    const device = await deviceTowards(word);
    found = found.filter(({ document }) => document.interface.name === device);
    if (found.length === 0) return { interfaceName: device, address: word, endpointAddress: null };
  }
  const [one] = found;
  if (one === undefined) throw new UsageError(`no peer is called ${word}, and no key begins so`);
  if (found.length > 1) throw new UsageError(`${word} can be ${found.length} peers: name one by its public key`);
  const { document, peer } = one;
  const own = peer.allowedIps.map((prefix) => HOST_PREFIX.exec(prefix)?.[1]).find((host) => host !== undefined);
  const address = isAddress ? word : own;
  if (address === undefined) {
    throw new UsageError(`${peer.name} has no address of its own in AllowedIPs: name its address in the tunnel`);
  }
  const endpointAddress = peer.endpoint === null ? null : addressOf(peer.endpoint);
  return { interfaceName: document.interface.name, address, endpointAddress };
}
