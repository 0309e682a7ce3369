// Listens on every address that was asked for. What cannot be listened on costs the metrics there, never the tunnel: it is told
// once and tried again, because an address may come up later than we do, and a port may become free.

import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { createStatusServer, type ListenAddress } from "./http-server.js";
import type { ReadHandler } from "./routes.js";

export interface ListenersLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const RETRY_MS = 10_000;
/** A scraper in another group reads it only if the admin says so. */
const SOCKET_MODE = 0o660;
const PROBE_MS = 1_000;

/** One server an address. */
export class Listeners {
  readonly #listeners: readonly Listener[];

  /** Listens once {@link started} is called. @param retryMs  until a failed address is tried again */
  constructor(
    addresses: readonly ListenAddress[],
    routes: ReadonlyMap<string, ReadHandler>,
    log: ListenersLog,
    retryMs = RETRY_MS,
  ) {
    const hostNames = addresses.flatMap((address) => (address.kind === "tcp" ? [address.host] : []));
    this.#listeners = addresses.map((address) => new Listener(address, routes, hostNames, log, retryMs));
  }

  /** Resolves when every address was tried. @returns what is wrong with those that failed. Rejects never. */
  async started(): Promise<readonly string[]> {
    await Promise.all(this.#listeners.map((listener) => listener.open()));
    return this.#listeners.flatMap(({ name, problem }) =>
      problem === undefined ? [] : [`no metrics at ${name}: ${problem}; it is tried again`],
    );
  }

  /** Where it listens now. */
  get open(): readonly string[] {
    return this.#listeners.filter((listener) => listener.isOpen).map((listener) => listener.name);
  }

  /** Drops all clients. */
  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }
}

class Listener {
  readonly name: string;
  isOpen = false;
  /** Why it is not. */
  problem: string | undefined;
  readonly #address: ListenAddress;
  readonly #log: ListenersLog;
  readonly #server: Server;
  readonly #retryMs: number;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;
  #hasTold = false;

  constructor(
    address: ListenAddress,
    routes: ReadonlyMap<string, ReadHandler>,
    hostNames: readonly string[],
    log: ListenersLog,
    retryMs: number,
  ) {
    this.#retryMs = retryMs;
    this.#address = address;
    this.name = formatListenAddress(address);
    this.#log = log;
    this.#server = createStatusServer({ routes, hostNames: address.kind === "tcp" ? hostNames : undefined });
    this.#server.on("error", () => {}); //  a client that could not be accepted; the next one may be
  }

  async open(): Promise<void> {
    try {
      if (this.#address.kind === "unix") await removeStale(this.#address.path);
      await listen(this.#server, this.#address);
      this.isOpen = true;
      this.problem = undefined;
      if (this.#address.kind === "unix") chmodSync(this.#address.path, SOCKET_MODE);
      this.#log.info({ address: this.name }, "metrics and status page");
      if (isEverywhere(this.#address)) {
        this.#log.error(
          { address: this.name },
          "metrics are on every address of this host: whoever reaches one may read",
        );
      }
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException);
    }
    if (this.#isClosed) await this.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    if (!this.isOpen) return;
    this.isOpen = false;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.problem = error.message;
    if (!this.#hasTold) {
      const fields = { address: this.name, problem: error.message };
      this.#log.error(fields, "no metrics at this address; the tunnel goes on, and it is tried again");
      this.#hasTold = true;
    }
    this.#retry = setTimeout(() => void this.open(), this.#retryMs);
  }
}

function isEverywhere(address: ListenAddress): boolean {
  return address.kind === "tcp" && /^(0\.0\.0\.0|[0:]+)$/.test(address.host);
}

/** `127.0.0.1:9586`, `[::1]:9586`, `unix:/run/longhaul/metrics.sock`. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function listen(server: Server, address: ListenAddress): Promise<void> {
  const where = address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** A socket file that nobody answers at is from a run that did not end well. Whatever else is there stays. */
async function removeStale(path: string): Promise<void> {
  const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
  if (isSocket && !(await answers(path))) unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: PROBE_MS });
    const done = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.on("connect", () => done(true));
    socket.on("timeout", () => done(true)); //  somebody holds it, however slow
    socket.on("error", () => done(false));
  });
}
