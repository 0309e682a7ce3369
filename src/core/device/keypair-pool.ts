// Keypairs and key slots of a device, handed out and taken back. Taking one back zeroes its keys and frees its index.
// While a receive is under way the keys outlive their keypair until it ends: runs of the batch may still name them.

import type { KeypairSecrets } from "../noise/handshake.js";
import type { DataPath } from "../transport/data-path.js";
import { Keypair, KeypairCell } from "../transport/keypair.js";
import { ReplayWindow } from "../transport/replay-window.js";
import type { IndexTable } from "./index-table.js";

/** What an entry of the index table stands for: a handshake of a peer (even) or a keypair (odd). */
export const IndexValue = {
  ofHandshake: (peerId: number): number => peerId * 2,
  ofKeypair: (keypairId: number): number => keypairId * 2 + 1,
} as const;

export class KeypairPool {
  /** By keypair id. */
  readonly all: Keypair[] = [];
  readonly #free: number[] = [];
  readonly #retired: Keypair[] = [];
  readonly #dataPath: DataPath;
  readonly #indices: IndexTable;
  #holding = false;

  constructor(dataPath: DataPath, indices: IndexTable) {
    this.#dataPath = dataPath;
    this.#indices = indices;
  }

  /**
   * Installs both keys in the data path and points the local index at the keypair. The caller wipes the secrets.
   * @param quality  PathCell cells of the peer
   */
  take(peerId: number, secrets: KeypairSecrets, quality: Float64Array, nowMs: number): Keypair {
    const id = this.#free.pop() ?? this.all.length;
    let keypair = this.all[id];
    if (keypair === undefined) {
      keypair = new Keypair(id, new ReplayWindow());
      this.all.push(keypair);
    }
    keypair.peerId = peerId;
    keypair.sendKeySlot = id * 2;
    keypair.receiveKeySlot = id * 2 + 1;
    keypair.localIndex = secrets.localIndex;
    keypair.remoteIndex = secrets.remoteIndex;
    keypair.isInitiator = secrets.isInitiator;
    keypair.state[KeypairCell.SendCounter] = 0;
    keypair.state[KeypairCell.CreatedMs] = nowMs;
    keypair.window.reset(quality, nowMs);
    this.#dataPath.setKey(keypair.sendKeySlot, secrets.sendKey);
    this.#dataPath.setKey(keypair.receiveKeySlot, secrets.receiveKey);
    this.#indices.set(keypair.localIndex, IndexValue.ofKeypair(id));
    return keypair;
  }

  /** Frees the index now and the keys now, or when {@link release} says that no batch names them any more. */
  giveBack(keypair: Keypair | undefined): void {
    if (keypair === undefined) return;
    this.#indices.release(keypair.localIndex);
    keypair.window.finish();
    keypair.peerId = -1;
    if (this.#holding) this.#retired.push(keypair);
    else this.#clear(keypair);
  }

  /** From here to {@link release}, keys that are given back stay installed. */
  hold(): void {
    this.#holding = true;
  }

  /** Zeroes the keys that were given back since {@link hold}. */
  release(): void {
    this.#holding = false;
    while (this.#retired.length > 0) this.#clear(this.#retired.pop()!);
  }

  #clear(keypair: Keypair): void {
    this.#dataPath.clearKey(keypair.sendKeySlot);
    this.#dataPath.clearKey(keypair.receiveKeySlot);
    this.#free.push(keypair.id);
  }
}
