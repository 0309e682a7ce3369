// Finds and loads the compiled addon, and types its raw functions. Everything else in the package goes through here.

import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { markAsUntransferable } from "node:worker_threads";
import type { PacketBatch } from "./packet-batch.js";

/** The addon's raw functions: ints in, ints out. Handles are indices; a closed or unknown handle gives -EBADF. */
export interface Addon {
  attachBatch(buffer: ArrayBuffer, slots: number, runs: number, endpoints: number, arenaBytes: number): number;
  detachBatch(handle: number): void;
  failedCall(): string;
  layoutConstants(
    slots: number,
    runs: number,
    endpoints: number,
    arenaBytes: number,
  ): Record<string, number> & { constants: Record<string, number> };

  tunOpen(
    name: string,
    tap: number,
    vnetHeader: number,
    persist: number,
    queues: number,
    fds: Int32Array,
    fdCount: number,
    stats: Float64Array,
  ): number;
  tunClose(tun: number): void;
  tunInfo(tun: number, into: Int32Array): number;
  tunOpenedName(tun: number): string | number;
  tunCurrentName(tun: number): string | number;
  tunLinkState(tun: number, into: Int32Array): number;
  tunRefreshLosses(tun: number): number;
  tunSetOffloads(tun: number, tso: number, uso: number): number;
  tunSetPersist(tun: number, persist: number): number;
  tunSetMtu(tun: number, bytes: number): number;
  tunSetUp(tun: number, up: number): number;
  tunSetTxQueueLength(tun: number, packets: number): number;
  tunReadBatch(tun: number, batch: number): number;
  tunWriteBatch(tun: number, batch: number): number;
  tunReadPacket(tun: number, into: Uint8Array): number;
  tunWritePacket(tun: number, from: Uint8Array): number;
  tunSetFrameOffloads(tun: number, tso: number, uso: number): number;
  tunReadFrame(tun: number, into: Uint8Array, at: number): number;
  tunWriteFrame(tun: number, head: Uint8Array, headBytes: number, body: Uint8Array, at: number, bytes: number): number;

  udpOpen(
    family: number,
    port: number,
    address: string,
    mark: number,
    receiveBufferBytes: number,
    sendBufferBytes: number,
    offloads: number,
    stats: Float64Array,
    fd: number,
    splitSmall: number,
  ): number;
  udpClose(socket: number): void;
  udpInfo(socket: number, into: Int32Array): number;
  udpSetMark(socket: number, mark: number): number;
  udpAttachEndpoints(socket: number, table: Uint8Array): number;
  udpRefreshOverflow(socket: number): number;
  udpReceiveBatch(socket: number, batch: number): number;
  udpReceiveSmallBatch(socket: number, batch: number): number;
  udpSendBatch(socket: number, batch: number): number;

  pollerOpen(onReady: (mask: number) => void, clock: Float64Array, timer: Float64Array): number;
  pollerClose(poller: number): void;
  pollerAdd(poller: number, fd: number, bit: number): number;
  pollerRemove(poller: number, fd: number): number;
  pollerArmTimer(poller: number): number;
  pollersSetLinger(microseconds: number): number;
  pollersWatchAbsences(cells: Float64Array, histogram: Float64Array, boundsMs: Float64Array, bounds: number): number;

  readClock(into: Float64Array): number;
  disableDumps(): number;
  endProcess(status: number): never;
  enterNetworkNamespace(path: string): number;

  sendUnixDatagram(address: string, text: Uint8Array, fds: Int32Array, count: number): number;
  closeOnExec(fd: number): number;

  routeWatchOpen(): number;
  routesChanged(fd: number): number;
  routeInterface(records: Uint8Array, offset: number, mark: number): number;
}

/** Where prebuildify and node-gyp-build have an addon for this machine, relative to the package. */
const PREBUILD = `prebuilds/${process.platform}-${process.arch}/tun-tap-ts.glibc.node`;

/** Not by access(2), as existsSync asks: that one ignores a capability to read what the user alone may not. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

/** What was built here comes before what was built elsewhere. */
function load(): Addon {
  const here = dirname(fileURLToPath(import.meta.url));
  // The package is here when the sources run uncompiled, one directory up from dist/ otherwise.
  const root = isThere(join(here, "package.json")) ? here : dirname(here);
  const path = [join(root, "build/tun_tap.node"), join(root, PREBUILD)].find(isThere);
  const cure = `build it: node ${join(root, "build.mjs")}`;
  if (path === undefined) throw new Error(`tun-tap-ts has no addon for ${process.platform}-${process.arch}; ${cure}`);
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (error) {
    throw new Error(`tun-tap-ts: ${path} does not load here (${(error as Error).message}); ${cure}`, { cause: error });
  }
}

export const addon: Addon = load();

/** Marks memory that native code keeps a pointer to: it must not move to another thread. Returns it. */
export function lend<T extends ArrayBufferView>(view: T): T {
  markAsUntransferable(view.buffer);
  return view;
}

/**
 * Gives native code a lasting view of the batch's memory. Idempotent; every function that takes a batch does it.
 * @returns the handle. Errors: RangeError if the sizes do not fit the buffer.
 */
export function attachBatch(batch: PacketBatch): number {
  if (batch.nativeHandle >= 0) return batch.nativeHandle;
  const { slots, runs, endpoints, arenaBytes } = batch.size;
  const handle = addon.attachBatch(batch.buffer, slots, runs, endpoints, arenaBytes);
  if (handle < 0) throw new RangeError(`a batch of ${slots} slots and ${arenaBytes} bytes does not fit its buffer`);
  lend(batch.header);
  batch.nativeHandle = handle;
  return handle;
}
