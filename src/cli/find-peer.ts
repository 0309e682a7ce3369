// Which peer a word means: its name, the beginning of its key, or an address that its AllowedIPs contain.

import { parseIpv4, parseIpv6 } from "../config/ip-address.js";
import { parsePrefix } from "../config/prefix.js";
import { covers } from "../config/prefix-relation.js";
import type { Prefix } from "../core/device/update.js";
import type { PeerFacts } from "../metrics/diagnosis-facts.js";
import type { ShownDocument } from "./read-status.js";

export interface FoundPeer {
  readonly document: ShownDocument;
  readonly peer: PeerFacts;
}

/** Shorter beginnings of a key are slips. */
const KEY_CHARACTERS_MIN = 4;

/**
 * @returns every peer that the word means: more than one when it is ambiguous. A name beats a key, a key beats an address;
 * of the addresses the longest prefix wins, on each interface.
 */
export function findPeers(documents: readonly ShownDocument[], word: string): FoundPeer[] {
  const all = documents.flatMap((document) =>
    (document.peers as readonly PeerFacts[]).map((peer) => ({ document, peer })),
  );
  const isNamed = (fold: (text: string) => string) => all.filter(({ peer }) => fold(peer.name) === fold(word));
  const exact = isNamed((text) => text);
  if (exact.length > 0) return exact;
  const folded = isNamed((text) => text.toLowerCase());
  if (folded.length > 0) return folded;
  if (word.length >= KEY_CHARACTERS_MIN) {
    const keyed = all.filter(({ peer }) => peer.publicKey.startsWith(word));
    if (keyed.length > 0) return keyed;
  }
  const wanted = readPrefix(word);
  if (wanted === undefined) return [];
  return documents.flatMap((document) => ownersOf(document, wanted));
}

/** @returns the address or network that a word is, if it is one */
export function readPrefix(word: string): Prefix | undefined {
  const address = word.split("/")[0];
  if (parseIpv4(address) === undefined && parseIpv6(address) === undefined) return undefined;
  try {
    return parsePrefix(word, { bareAddress: true });
  } catch {
    return undefined;
  }
}

function ownersOf(document: ShownDocument, wanted: Prefix): FoundPeer[] {
  let longest = -1;
  let owner: PeerFacts | undefined;
  for (const peer of document.peers as readonly PeerFacts[]) {
    for (const text of peer.allowedIps) {
      const prefix = parsePrefix(text);
      if (prefix.length > longest && covers(prefix, wanted)) {
        longest = prefix.length;
        owner = peer;
      }
    }
  }
  return owner === undefined ? [] : [{ document, peer: owner }];
}
