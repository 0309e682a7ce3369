// HOT PATH: packets that wait for a keypair. One pool of fixed blocks for the whole device, so that memory is bounded
// whatever the peers do; a packet is a chain of blocks, a peer a queue of packets. The oldest goes first: a peer's own
// when the peer is over its limits, the device's when the pool is full. Peers are small integers.

/** Bytes of a block: one packet of the usual MTU. */
const BLOCK_BYTES = 2048;
const NONE = -1;
/** Queue heads and tails are kept for this many peers at first; the columns double as higher numbers come. */
const INITIAL_PEERS = 64;

export interface StagedPacketsOptions {
  readonly peerPacketsMax?: number;
  /** Packet bytes a peer may hold. */
  readonly peerBytesMax?: number;
  /** Whole pool; pages are touched only as bursts need them, and the blocks used last are used again first. */
  readonly poolBytes?: number;
  /** A packet was dropped to make room, or could never fit; called for each, with its peer. */
  readonly onOverflow?: (peer: number) => void;
}

export class StagedPackets {
  readonly #peerPacketsMax: number;
  readonly #peerBytesMax: number;
  readonly #onOverflow: (peer: number) => void;
  readonly #pool: Uint8Array;
  readonly #blocks: number;
  /** By block: the next block of the packet, or of the free list. */
  readonly #nextBlock: Int32Array;
  /** By a packet's first block. */
  readonly #packetLength: Int32Array;
  readonly #packetPeer: Int32Array;
  readonly #nextOfPeer: Int32Array;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  #oldest = NONE;
  #newest = NONE;
  #freeHead = NONE;
  #freeBlocks: number;
  /** Blocks below this have been used at least once. */
  #touched = 0;
  #packets = 0;
  #peerHead = new Int32Array(INITIAL_PEERS).fill(NONE);
  /** Meaningful where the queue has a head. */
  #peerTail = new Int32Array(INITIAL_PEERS).fill(NONE);
  #peerCount = new Int32Array(INITIAL_PEERS);
  #peerBytes = new Int32Array(INITIAL_PEERS);

  constructor(options: StagedPacketsOptions = {}) {
    this.#peerPacketsMax = options.peerPacketsMax ?? 128;
    this.#peerBytesMax = options.peerBytesMax ?? 2 * 1024 * 1024;
    this.#onOverflow = options.onOverflow ?? (() => {});
    this.#blocks = Math.floor((options.poolBytes ?? 16 * 1024 * 1024) / BLOCK_BYTES);
    this.#freeBlocks = this.#blocks;
    this.#pool = new Uint8Array(this.#blocks * BLOCK_BYTES);
    this.#nextBlock = new Int32Array(this.#blocks);
    this.#packetLength = new Int32Array(this.#blocks);
    this.#packetPeer = new Int32Array(this.#blocks);
    this.#nextOfPeer = new Int32Array(this.#blocks);
    this.#older = new Int32Array(this.#blocks);
    this.#newer = new Int32Array(this.#blocks);
  }

  /** Packets waiting, of all peers. */
  get total(): number {
    return this.#packets;
  }

  /** Packets of this peer waiting. */
  count(peer: number): number {
    return peer < this.#peerCount.length ? this.#peerCount[peer] : 0;
  }

  /**
   * Copies a packet to the end of the peer's queue.
   * @returns older packets dropped to make room (of this peer, or the device's oldest), or -1 when the packet can never
   * fit and nothing changed. Allocates only when a peer number above all earlier ones comes.
   */
  push(peer: number, bytes: Uint8Array, offset: number, length: number): number {
    const needed = blocksFor(length);
    if (needed > this.#blocks || length > this.#peerBytesMax || this.#peerPacketsMax < 1) {
      this.#onOverflow(peer);
      return -1;
    }
    if (peer >= this.#peerHead.length) this.#growPeers(peer + 1);
    let dropped = 0;
    while (this.#peerCount[peer] >= this.#peerPacketsMax || this.#peerBytes[peer] + length > this.#peerBytesMax) {
      this.#drop(this.#peerHead[peer]);
      this.#onOverflow(peer);
      dropped++;
    }
    while (this.#freeBlocks < needed) {
      const displaced = this.#packetPeer[this.#oldest];
      this.#drop(this.#oldest);
      this.#onOverflow(displaced);
      dropped++;
    }
    const packet = this.#store(bytes, offset, length);
    this.#packetLength[packet] = length;
    this.#packetPeer[packet] = peer;
    this.#nextOfPeer[packet] = NONE;
    if (this.#peerHead[peer] === NONE) this.#peerHead[peer] = packet;
    else this.#nextOfPeer[this.#peerTail[peer]] = packet;
    this.#peerTail[peer] = packet;
    this.#peerCount[peer]++;
    this.#peerBytes[peer] += length;
    this.#older[packet] = this.#newest;
    this.#newer[packet] = NONE;
    if (this.#newest === NONE) this.#oldest = packet;
    else this.#newer[this.#newest] = packet;
    this.#newest = packet;
    this.#packets++;
    return dropped;
  }

  /** @returns the length of the peer's oldest packet, or -1: none. */
  nextLength(peer: number): number {
    const packet = this.count(peer) > 0 ? this.#peerHead[peer] : NONE;
    return packet === NONE ? -1 : this.#packetLength[packet];
  }

  /**
   * Moves the peer's oldest packet out.
   * @param into  must have {@link nextLength} bytes from `offset` on, else nothing happens
   * @returns its length, or -1: none, or no room.
   */
  pop(peer: number, into: Uint8Array, offset: number): number {
    const length = this.nextLength(peer);
    if (length < 0 || offset + length > into.length) return -1;
    const packet = this.#peerHead[peer];
    let block = packet;
    for (let done = 0; done < length; done += BLOCK_BYTES) {
      const base = block * BLOCK_BYTES - done;
      const end = Math.min(done + BLOCK_BYTES, length);
      for (let i = done; i < end; i++) into[offset + i] = this.#pool[base + i];
      block = this.#nextBlock[block];
    }
    this.#drop(packet);
    return length;
  }

  /** Drops everything that waits for this peer. @returns packets dropped. */
  clear(peer: number): number {
    const dropped = this.count(peer);
    for (let i = 0; i < dropped; i++) this.#drop(this.#peerHead[peer]);
    return dropped;
  }

  /** Takes a packet, the head of its peer's queue, out of both lists and gives its blocks back. */
  #drop(packet: number): void {
    const peer = this.#packetPeer[packet];
    this.#peerHead[peer] = this.#nextOfPeer[packet];
    this.#peerCount[peer]--;
    this.#peerBytes[peer] -= this.#packetLength[packet];
    const older = this.#older[packet];
    const newer = this.#newer[packet];
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    this.#packets--;
    let block = packet;
    for (let left = blocksFor(this.#packetLength[packet]); left > 0; left--) {
      const next = this.#nextBlock[block];
      this.#nextBlock[block] = this.#freeHead;
      this.#freeHead = block;
      this.#freeBlocks++;
      block = next;
    }
  }

  /** Copies the bytes into a chain of free blocks, which the caller made sure of. @returns its first block. */
  #store(bytes: Uint8Array, offset: number, length: number): number {
    const packet = this.#takeBlock();
    let block = packet;
    for (let done = 0; ; ) {
      const base = block * BLOCK_BYTES - done;
      const end = Math.min(done + BLOCK_BYTES, length);
      for (let i = done; i < end; i++) this.#pool[base + i] = bytes[offset + i];
      done += BLOCK_BYTES;
      if (done >= length) return packet;
      const next = this.#takeBlock();
      this.#nextBlock[block] = next;
      block = next;
    }
  }

  #takeBlock(): number {
    this.#freeBlocks--;
    const block = this.#freeHead;
    if (block === NONE) return this.#touched++;
    this.#freeHead = this.#nextBlock[block];
    return block;
  }

  #growPeers(needed: number): void {
    let peers = this.#peerHead.length;
    while (peers < needed) peers *= 2;
    this.#peerHead = grown(this.#peerHead, peers, NONE);
    this.#peerTail = grown(this.#peerTail, peers, NONE);
    this.#peerCount = grown(this.#peerCount, peers, 0);
    this.#peerBytes = grown(this.#peerBytes, peers, 0);
  }
}

function blocksFor(length: number): number {
  return length <= BLOCK_BYTES ? 1 : Math.ceil(length / BLOCK_BYTES);
}

// cold: amortised growth
function grown(column: Int32Array, length: number, fill: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length).fill(fill);
  longer.set(column);
  return longer;
}
