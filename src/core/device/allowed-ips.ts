// HOT PATH: cryptokey routing, [W] 2: which peer has an address, by longest prefix. Two path-compressed binary tries
// (IPv4, IPv6) in one Int32Array; a node is 8 or 16 consecutive cells, so that a step of a lookup touches one cache
// line. The prefixes of a peer form a list through their nodes, oldest first. It must not know what a peer is.
// A node of full length has no children, so a lookup may read a bit beyond it.
// Source of the structure: Morrison, "PATRICIA", JACM 1968.

import type { Prefix } from "./update.js";

/** Cells of a node. A node reference is the index of its first cell; 0 is none. */
const Cell = {
  Zero: 0, //     child whose next bit is 0
  One: 1, //      child whose next bit is 1
  Peer: 2, //     owner of the prefix, or NO_PEER: the node only joins its two children
  Length: 3, //   bits of the prefix, plus IPV6_FLAG
  Parent: 4,
  Next: 5, //     younger prefix of the same peer; of a freed node: the next freed one
  Previous: 6, // older prefix of the same peer
  Key: 7, //      1 or 4 words of address, bits beyond Length zero
} as const;
/** IPv4 nodes have 8 cells, IPv6 nodes twice that. */
const UNIT_CELLS = 8;
const IPV6_FLAG = 256;
const LENGTH_MASK = 255;
const NO_PEER = -1;
const NONE = 0;
const INITIAL_UNITS = 64;
const INITIAL_PEERS = 16;

export class AllowedIps {
  #cells = new Int32Array(INITIAL_UNITS * UNIT_CELLS);
  /** First cell never used; unit 0 stays empty, because its reference means none. */
  #end = UNIT_CELLS;
  /** By family: 0 IPv4, 1 IPv6. */
  readonly #roots = new Int32Array(2);
  readonly #freed = new Int32Array(2);
  /** By peer: its list of prefixes. */
  #oldest = new Int32Array(INITIAL_PEERS);
  #newest = new Int32Array(INITIAL_PEERS);
  #counts = new Int32Array(INITIAL_PEERS);
  #size = 0;
  /** The key being worked on. */
  readonly #key = new Int32Array(4);

  /** Prefixes of all peers. */
  get size(): number {
    return this.#size;
  }

  /** Memory held by the tries. */
  get memoryBytes(): number {
    return this.#cells.byteLength;
  }

  /** Prefixes of this peer. */
  countOf(peer: number): number {
    return peer < this.#counts.length ? this.#counts[peer] : 0;
  }

  /** @returns the peer with the longest prefix of the IPv4 address at `offset`, or -1. */
  lookup4(bytes: Uint8Array, offset: number): number {
    const cells = this.#cells;
    const address = wordAt(bytes, offset);
    let best = NO_PEER;
    let node = this.#roots[0];
    while (node !== NONE) {
      const length = cells[node + Cell.Length];
      if (Math.clz32(address ^ cells[node + Cell.Key]) < length) return best;
      const peer = cells[node + Cell.Peer];
      const joins = peer >> 31; // -1 or 0: which nodes have an owner cannot be predicted, so no branch asks
      best = (best & joins) | (peer & ~joins);
      node = cells[node + ((address >>> (31 - length)) & 1)];
    }
    return best;
  }

  /** @returns the peer with the longest prefix of the IPv6 address at `offset`, or -1. */
  lookup6(bytes: Uint8Array, offset: number): number {
    const cells = this.#cells;
    const a = wordAt(bytes, offset);
    const b = wordAt(bytes, offset + 4);
    const c = wordAt(bytes, offset + 8);
    const d = wordAt(bytes, offset + 12);
    let best = NO_PEER;
    let node = this.#roots[1];
    while (node !== NONE) {
      const length = cells[node + Cell.Length] & LENGTH_MASK;
      let common = Math.clz32(a ^ cells[node + Cell.Key]);
      if (common === 32) {
        common += Math.clz32(b ^ cells[node + Cell.Key + 1]);
        if (common === 64) {
          common += Math.clz32(c ^ cells[node + Cell.Key + 2]);
          if (common === 96) common += Math.clz32(d ^ cells[node + Cell.Key + 3]);
        }
      }
      if (common < length) return best;
      const peer = cells[node + Cell.Peer];
      const joins = peer >> 31; // -1 or 0: which nodes have an owner cannot be predicted, so no branch asks
      best = (best & joins) | (peer & ~joins);
      const word = length < 64 ? (length < 32 ? a : b) : length < 96 ? c : d;
      node = cells[node + ((word >>> (31 - (length & 31))) & 1)];
    }
    return best;
  }

  /**
   * Gives a prefix to a peer, taking it from any other. Allocates only when the table grows.
   * @param peer  integer ≥ 0
   * @returns the previous owner, the same peer included (then nothing changes), or -1.
   */
  insert(prefix: Prefix, peer: number): number {
    if (peer >= this.#counts.length) this.#growPeers(peer + 1);
    this.#loadKey(prefix);
    const family = prefix.family === 4 ? 0 : 1;
    let parent = NONE;
    let node = this.#roots[family];
    let common = 0;
    while (node !== NONE) {
      const length = this.#cells[node + Cell.Length] & LENGTH_MASK;
      common = this.#commonBits(node, Math.min(length, prefix.length));
      if (common < length) break;
      if (length === prefix.length) return this.#give(node, peer);
      parent = node;
      node = this.#cells[node + this.#keyBit(length)];
    }
    const added = this.#take(family, prefix.length);
    if (node === NONE) this.#replaceChild(family, parent, NONE, added);
    else this.#placeAbove(family, parent, node, added, common);
    return this.#give(added, peer);
  }

  /** Takes a prefix away from a peer. @returns whether the peer had it. */
  remove(prefix: Prefix, peer: number): boolean {
    this.#loadKey(prefix);
    let node = this.#roots[prefix.family === 4 ? 0 : 1];
    while (node !== NONE) {
      const length = this.#cells[node + Cell.Length] & LENGTH_MASK;
      if (length > prefix.length || this.#commonBits(node, length) < length) return false;
      if (length === prefix.length) break;
      node = this.#cells[node + this.#keyBit(length)];
    }
    if (node === NONE || this.#cells[node + Cell.Peer] !== peer) return false;
    this.#unlist(node);
    this.#prune(node);
    return true;
  }

  /** Takes all its prefixes from a peer, at the cost of those only. @returns how many. */
  removePeer(peer: number): number {
    const had = this.countOf(peer);
    for (let i = 0; i < had; i++) {
      const node = this.#oldest[peer];
      this.#unlist(node);
      this.#prune(node);
    }
    return had;
  }

  /**
   * Calls back with each prefix of a peer, in the order in which the peer got them, at the cost of those only.
   * Control plane: allocates a Prefix each.
   * @param visit  must not change the table, but for removing the prefix it was given
   * @param limit  prefixes to visit at most
   */
  forEachOf(peer: number, visit: (prefix: Prefix) => void, limit = Number.POSITIVE_INFINITY): void {
    let node = this.countOf(peer) > 0 ? this.#oldest[peer] : NONE;
    for (let visited = 0; node !== NONE && visited < limit; visited++) {
      const next = this.#cells[node + Cell.Next];
      visit(this.#prefixAt(node));
      node = next;
    }
  }

  // cold: for listings
  #prefixAt(node: number): Prefix {
    const length = this.#cells[node + Cell.Length];
    const bytes = new Uint8Array(length < IPV6_FLAG ? 4 : 16);
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = (this.#cells[node + Cell.Key + (i >>> 2)] >>> (24 - 8 * (i & 3))) & 0xff;
    }
    return { family: length < IPV6_FLAG ? 4 : 6, bytes, length: length & LENGTH_MASK };
  }

  /** Puts `added` where `node` is: as its parent if its prefix ends there, else beside it under a joining node. */
  #placeAbove(family: number, parent: number, node: number, added: number, common: number): void {
    let above = added;
    if (common < (this.#cells[added + Cell.Length] & LENGTH_MASK)) {
      maskKey(this.#key, common);
      above = this.#take(family, common);
    }
    const cells = this.#cells;
    this.#replaceChild(family, parent, node, above);
    const nodeBit = bitAt(cells, node + Cell.Key, common);
    cells[above + nodeBit] = node;
    cells[node + Cell.Parent] = above;
    if (above === added) return;
    cells[above + 1 - nodeBit] = added;
    cells[added + Cell.Parent] = above;
  }

  /** Removes a node that no longer has an owner, and the joining node above it if that has but one child left. */
  #prune(node: number): void {
    const cells = this.#cells;
    while (node !== NONE && cells[node + Cell.Peer] === NO_PEER) {
      const zero = cells[node + Cell.Zero];
      const one = cells[node + Cell.One];
      if (zero !== NONE && one !== NONE) return;
      const family = cells[node + Cell.Length] < IPV6_FLAG ? 0 : 1;
      const parent = cells[node + Cell.Parent];
      this.#replaceChild(family, parent, node, zero | one);
      cells[node + Cell.Next] = this.#freed[family];
      this.#freed[family] = node;
      node = parent;
    }
  }

  /** Makes `child` stand where `node` stood under `parent`; `node` NONE: where the loaded key leads. */
  #replaceChild(family: number, parent: number, node: number, child: number): void {
    const cells = this.#cells;
    if (child !== NONE) cells[child + Cell.Parent] = parent;
    if (parent === NONE) this.#roots[family] = child;
    else if (node === NONE) cells[parent + this.#keyBit(cells[parent + Cell.Length] & LENGTH_MASK)] = child;
    else cells[parent + (cells[parent + Cell.Zero] === node ? Cell.Zero : Cell.One)] = child;
  }

  /** Changes a node's owner, and both owners' lists. @returns the previous owner. */
  #give(node: number, peer: number): number {
    const cells = this.#cells;
    const previous = cells[node + Cell.Peer];
    if (previous === peer) return previous;
    if (previous !== NO_PEER) this.#unlist(node);
    const newest = this.#newest[peer];
    cells[node + Cell.Peer] = peer;
    cells[node + Cell.Previous] = newest;
    cells[node + Cell.Next] = NONE;
    if (newest === NONE) this.#oldest[peer] = node;
    else cells[newest + Cell.Next] = node;
    this.#newest[peer] = node;
    this.#counts[peer]++;
    this.#size++;
    return previous;
  }

  #unlist(node: number): void {
    const cells = this.#cells;
    const peer = cells[node + Cell.Peer];
    const next = cells[node + Cell.Next];
    const previous = cells[node + Cell.Previous];
    if (previous === NONE) this.#oldest[peer] = next;
    else cells[previous + Cell.Next] = next;
    if (next === NONE) this.#newest[peer] = previous;
    else cells[next + Cell.Previous] = previous;
    cells[node + Cell.Peer] = NO_PEER;
    this.#counts[peer]--;
    this.#size--;
  }

  /** A node without owner and children that holds the loaded key. */
  #take(family: number, length: number): number {
    const nodeCells = UNIT_CELLS << family;
    let node = this.#freed[family];
    if (node !== NONE) {
      this.#freed[family] = this.#cells[node + Cell.Next];
    } else {
      node = this.#end;
      this.#end += nodeCells;
      if (this.#end > this.#cells.length) this.#cells = grown(this.#cells, this.#cells.length * 2);
    }
    const cells = this.#cells;
    cells.fill(0, node, node + nodeCells);
    cells[node + Cell.Peer] = NO_PEER;
    cells[node + Cell.Length] = length + family * IPV6_FLAG;
    for (let word = 0; word < (family === 0 ? 1 : 4); word++) cells[node + Cell.Key + word] = this.#key[word];
    return node;
  }

  /** Loads the prefix, host bits cleared, as the key being worked on. */
  #loadKey(prefix: Prefix): void {
    for (let word = 0; word < 4; word++) {
      this.#key[word] = word * 4 < prefix.bytes.length ? wordAt(prefix.bytes, word * 4) : 0;
    }
    maskKey(this.#key, prefix.length);
  }

  #keyBit(position: number): number {
    return bitAt(this.#key, 0, position);
  }

  /** Leading bits that the loaded key and a node's key share, at most `limit`. */
  #commonBits(node: number, limit: number): number {
    let common = 0;
    for (let word = 0; common < limit; word++) {
      const same = Math.clz32(this.#key[word] ^ this.#cells[node + Cell.Key + word]);
      common += same;
      if (same < 32) break;
    }
    return Math.min(common, limit);
  }

  #growPeers(needed: number): void {
    let peers = this.#counts.length;
    while (peers < needed) peers *= 2;
    this.#oldest = grown(this.#oldest, peers);
    this.#newest = grown(this.#newest, peers);
    this.#counts = grown(this.#counts, peers);
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

/** Bit `position` of the words from `at` on, counted from the most significant. */
function bitAt(words: Int32Array, at: number, position: number): number {
  return (words[at + (position >>> 5)] >>> (31 - (position & 31))) & 1;
}

/** Clears all bits of four words beyond the first `length`. */
function maskKey(words: Int32Array, length: number): void {
  for (let word = 0; word < 4; word++) {
    const kept = length - word * 32;
    if (kept < 32) words[word] &= kept <= 0 ? 0 : -1 << (32 - kept);
  }
}

// cold: amortised growth
function grown(cells: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length);
  longer.set(cells);
  return longer;
}
