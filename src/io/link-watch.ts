// Follows what the admin does to the interface: up and down, MTU, renamed, moved to another namespace, deleted. A cheap look
// (three ioctls) a few times a second, because netlink of this namespace says nothing about an interface that left it. Often
// while it is down: a peer's handshake that comes right after `ip link set up` must find a socket, or waits 5 s for the next.

import type { Tun } from "tun-tap-ts";

const LOOK_MS = 200;
const LOOK_WHILE_DOWN_MS = 20;
/** Cells of Tun.linkState. */
const IFINDEX = 0;
const MTU = 1;
const IS_UP = 2;
const ENODEV = 19;
const EBADFD = 77;
const EIO = 5;

export interface LinkListener {
  mtuChanged(mtu: number): void;
  upChanged(isUp: boolean): void;
  /** The interface is gone; no more calls follow. */
  gone(): void;
}

export class LinkWatch {
  readonly #tun: Tun;
  readonly #listener: LinkListener;
  readonly #cells = new Int32Array(3);
  #timer: NodeJS.Timeout;
  #mtu = 0;
  #isUp = false;

  constructor(tun: Tun, listener: LinkListener) {
    this.#tun = tun;
    this.#listener = listener;
    this.#timer = this.#lookEvery(LOOK_WHILE_DOWN_MS);
  }

  /** Looks now, and tells the listener what changed. @returns whether the interface is there */
  look(): boolean {
    const result = this.#tun.linkState(this.#cells);
    if (result < 0) {
      if (result === -ENODEV || result === -EBADFD || result === -EIO) {
        this.close();
        this.#listener.gone();
        return false;
      }
      return true;
    }
    const mtu = this.#cells[MTU];
    const isUp = this.#cells[IS_UP] !== 0 && this.#cells[IFINDEX] !== 0;
    if (mtu !== this.#mtu) {
      this.#mtu = mtu;
      this.#listener.mtuChanged(mtu);
    }
    if (isUp !== this.#isUp) {
      this.#isUp = isUp;
      this.close();
      this.#timer = this.#lookEvery(isUp ? LOOK_MS : LOOK_WHILE_DOWN_MS);
      this.#listener.upChanged(isUp);
    }
    return true;
  }

  #lookEvery(ms: number): NodeJS.Timeout {
    return setInterval(() => this.look(), ms);
  }

  /** Stops looking. */
  close(): void {
    clearInterval(this.#timer);
  }
}
