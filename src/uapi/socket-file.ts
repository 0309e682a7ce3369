// The socket file of an interface: made, guarded and removed. It must not know the protocol spoken through it.
// The socket is bound under a temporary name and linked to its own, because libuv unlinks at close, by name, whatever
// file may have that name by then.

import type { FSWatcher, Stats } from "node:fs";
import { chmodSync, linkSync, lstatSync, mkdirSync, rmSync, unlinkSync, watch } from "node:fs";
import type { Server } from "node:net";
import { connect } from "node:net";
import { basename, dirname } from "node:path";
import { quote } from "../config/errors.js";
import { UapiError } from "./errors.js";

/** Where wg(8) looks for sockets. */
export const SOCKET_DIRECTORY = "/var/run/wireguard";

/** Connections that may wait: a client that does not block gets EAGAIN past it. The kernel's own default limit. */
const BACKLOG = 4_096;
const DIRECTORY_UMASK = 0o022;
const SOCKET_UMASK = 0o077;
/** What that leaves of a socket. */
const SOCKET_MODE = 0o700;
const POLL_INTERVAL_MS = 1000;

/** @returns the path of the socket file of an interface. */
export function socketPath(interfaceName: string, directory = SOCKET_DIRECTORY): string {
  return `${directory}/${interfaceName}.sock`;
}

/** A socket file that this process made or was given. */
export class SocketFile {
  readonly path: string;
  readonly #device: number;
  readonly #inode: number;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(path: string, stats: Stats) {
    this.path = path;
    this.#device = stats.dev;
    this.#inode = stats.ino;
  }

  /** Whether the name still leads to the same socket. */
  isOurs(): boolean {
    const stats = statOf(this.path);
    return stats !== undefined && stats.dev === this.#device && stats.ino === this.#inode;
  }

  /**
   * Calls back once when the file is gone or another has its name, by inotify, or by polling where no watch is to be had.
   * Keeps no process alive.
   */
  watch(onVanished: () => void): void {
    const look = (): void => {
      if (!this.isOurs()) {
        this.unwatch();
        onVanished();
      }
    };
    const poll = (): void => {
      this.unwatch();
      this.#poll = setInterval(look, POLL_INTERVAL_MS).unref();
    };
    try {
      this.#watcher = watch(dirname(this.path), { persistent: false }, look);
      this.#watcher.on("error", poll);
    } catch {
      poll();
    }
    setImmediate(() => {
      if (this.#watcher !== undefined || this.#poll !== undefined) {
        look(); //  it may have gone before the watch began
      }
    });
  }

  unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  /** Removes the file if it is still ours. Throws nothing. */
  remove(): void {
    this.unwatch();
    if (this.isOurs()) {
      rmSync(this.path, { force: true });
    }
  }
}

/**
 * Makes the directory (0755) and the socket, and lets `server` listen on it. A stale socket file is replaced.
 * @param mode  of the socket; it never has more, not even for an instant
 * Errors: UapiError EADDRINUSE when a daemon answers at the path; system errors.
 */
export async function listenOnSocketFile(server: Server, path: string, mode = SOCKET_MODE): Promise<SocketFile> {
  const directory = dirname(path);
  const temporary = `${directory}/.${basename(path)}.${process.pid}`;
  withUmask(DIRECTORY_UMASK, () => mkdirSync(directory, { recursive: true, mode: 0o755 }));
  rmSync(temporary, { force: true });
  const listening = new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
  withUmask(SOCKET_UMASK, () => server.listen({ path: temporary, backlog: BACKLOG })); //  binds before it returns
  await listening;
  try {
    await replaceStale(path);
    if (mode !== SOCKET_MODE) chmodSync(temporary, mode);
    linkSync(temporary, path);
    return new SocketFile(path, lstatSync(path));
  } catch (error) {
    server.close();
    const taken = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw taken ? inUse(path) : error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Takes over a listening descriptor; the file at `path`, if it is a socket, is then guarded as our own. */
export async function listenOnDescriptor(server: Server, fd: number, path: string): Promise<SocketFile | undefined> {
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
    server.listen({ fd, backlog: BACKLOG });
  });
  const stats = statOf(path);
  return stats?.isSocket() ? new SocketFile(path, stats) : undefined;
}

/** Removes a socket file behind which nobody answers. */
async function replaceStale(path: string): Promise<void> {
  const found = statOf(path);
  if (found === undefined) {
    return;
  }
  if (!found.isSocket()) {
    throw new UapiError("EADDRINUSE", `${quote(path)} exists and is not a socket; remove it`);
  }
  if (await answers(path)) {
    throw inUse(path);
  }
  if (new SocketFile(path, found).isOurs()) {
    unlinkSync(path);
  }
}

/** A full backlog (EAGAIN) counts as an answer: somebody is there. */
async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}

function inUse(path: string): UapiError {
  return new UapiError("EADDRINUSE", `${path} is in use by a running daemon; stop that one, or take another name`);
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function withUmask(mask: number, action: () => void): void {
  const previous = process.umask(mask);
  try {
    action();
  } finally {
    process.umask(previous);
  }
}
