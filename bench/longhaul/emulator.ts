// The link emulator: two TAP devices, one in each of two network namespaces, and between them the model. One event
// loop; it sleeps until a frame comes or one is due.
import { enterNetworkNamespace, openTun, Poller, readClock, TIMER_BIT, type Tun } from "tun-tap-ts";
import { Direction, type DirectionCounts } from "./direction.js";
import type { LinkSetting } from "./setting.js";

/** One end of the link: its interface is made in that namespace, without an address. */
export interface EmulatorEnd {
  /** Path, such as /proc/4711/ns/net. */
  readonly namespace: string;
  readonly interfaceName: string;
}

export interface EmulatorOptions {
  readonly left: EmulatorEnd;
  readonly right: EmulatorEnd;
  /** Where the process stays. */
  readonly home: string;
  readonly setting: LinkSetting;
  readonly seed: number;
  /** Of both interfaces. */
  readonly mtu: number;
}

/** What it says of itself. */
export interface EmulatorReport {
  readonly forward: DirectionCounts;
  readonly backward: DirectionCounts;
  /** Processor time of this process since it started, seconds; with it what the kernel does for its writes. */
  readonly cpuSeconds: number;
  readonly offloads: { readonly tso: boolean; readonly uso: boolean };
}

/** Deliveries are made no more often than this: those due meanwhile go together. */
const TICK_MS = 0.2;
/** Frames of one side before the other's turn. */
const FRAMES_PER_TURN = 16;
/** Super-frames that wait for this process at most; the kernel would drop the next. */
const INTERFACE_QUEUE = 20_000;
const CLOCK_BOOT = 0;
const LEFT_BIT = 1;
const RIGHT_BIT = 2;

export class Emulator {
  readonly #left: Tun;
  readonly #right: Tun;
  readonly #forward: Direction;
  readonly #backward: Direction;
  readonly #poller: Poller;
  readonly #scratch = Buffer.alloc(1 << 17);
  readonly #offloads: { readonly tso: boolean; readonly uso: boolean };

  /** Errors: SystemCallError. */
  constructor(options: EmulatorOptions) {
    this.#left = openEnd(options.left);
    this.#right = openEnd(options.right);
    enterNetworkNamespace(options.home);
    const offloads = [this.#left, this.#right].map((end) => end.setFrameOffloads({ tso: true, uso: true }));
    this.#offloads = { tso: offloads.every(({ tso }) => tso), uso: offloads.every(({ uso }) => uso) };
    const { setting, seed } = options;
    this.#forward = new Direction(setting.forward, seed, "forward", this.#right.writeFrame.bind(this.#right));
    this.#backward = new Direction(setting.backward, seed, "backward", this.#left.writeFrame.bind(this.#left));
    this.#poller = new Poller(this.#turn.bind(this));
    this.#poller.add(this.#left.fd, LEFT_BIT);
    this.#poller.add(this.#right.fd, RIGHT_BIT);
    for (const end of [this.#left, this.#right]) end.setMtu(options.mtu);
    // Up together: an interface that is up speaks at once, and one that is down refuses what arrives.
    for (const end of [this.#left, this.#right]) end.setUp(true);
  }

  /** @returns counts since the start; maxima are those since the last report */
  report(): EmulatorReport {
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1e6;
    const [forward, backward] = [this.#forward.counts, this.#backward.counts];
    for (const direction of [this.#forward, this.#backward]) direction.resetPeaks();
    return { forward, backward, cpuSeconds, offloads: this.#offloads };
  }

  close(): void {
    this.#poller.close();
    this.#left.close();
    this.#right.close();
  }

  #turn(mask: number): void {
    if ((mask & ~TIMER_BIT) !== 0) {
      if ((mask & LEFT_BIT) !== 0) this.#take(this.#left, this.#forward);
      if ((mask & RIGHT_BIT) !== 0) this.#take(this.#right, this.#backward);
      readClock(this.#poller.clock);
    }
    const nowMs = this.#poller.clock[CLOCK_BOOT]!;
    this.#forward.deliver(nowMs);
    this.#backward.deliver(nowMs);
    const nextMs = Math.min(this.#forward.nextMs, this.#backward.nextMs);
    this.#poller.setTimer(nextMs === Number.POSITIVE_INFINITY ? 0 : Math.max(nextMs, nowMs + TICK_MS));
  }

  #take(from: Tun, direction: Direction): void {
    for (let i = 0; i < FRAMES_PER_TURN; i++) {
      const at = direction.reserve();
      const bytes = at < 0 ? from.readFrame(this.#scratch, 0) : from.readFrame(direction.memory, at);
      if (bytes < 0) return;
      readClock(this.#poller.clock);
      if (at < 0) direction.refuse(this.#scratch, bytes);
      else direction.accept(at, bytes, this.#poller.clock[CLOCK_BOOT]!);
    }
  }
}

function openEnd({ namespace, interfaceName }: EmulatorEnd): Tun {
  enterNetworkNamespace(namespace);
  const tap = openTun({ name: interfaceName, mode: "tap", vnetHeader: true });
  tap.setTxQueueLength(INTERFACE_QUEUE);
  return tap;
}
