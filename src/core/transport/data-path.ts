// What the protocol core asks of the code that touches bytes. The daemon gives it native code, the simulator
// libsodium. Key slots are small integers that the core hands out.

import type { PacketBatch } from "./packet-batch.js";

export interface DataPath {
  /** Installs a 32-byte ChaCha20-Poly1305 key; the caller wipes its copy. */
  setKey(slot: number, key: Uint8Array): void;
  /** Zeroes the key. */
  clearKey(slot: number): void;
  /**
   * Seals every packet of runs with a key whose status is 0, in place: header, padding, ciphertext, tag; offset and
   * length then describe the datagram. @returns packets sealed, or < 0: nothing of the batch may be sent. Allocates
   * nothing.
   */
  seal(batch: PacketBatch): number;
  /**
   * Opens every datagram of runs with a key whose status is 0, in place: offset and length then describe the
   * plaintext; a tag that does not verify sets status -EBADMSG. @returns packets opened. Allocates nothing.
   */
  open(batch: PacketBatch): number;
}

/** Sends datagrams. The daemon's is two UDP sockets. */
export interface Transmitter {
  /**
   * Sends every datagram of runs with an endpoint whose status is 0; one that the kernel refuses gets status -errno.
   * @returns datagrams sent. Allocates nothing.
   */
  transmit(batch: PacketBatch): number;
}
