// A UAPI server with a handler that only remembers, and a raw client that sees every byte.

import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { DeviceSnapshot, DeviceUpdate } from "../../src/core/device/update.js";
import { startUapiServer, type UapiServer, type UapiServerOptions } from "../../src/uapi/server.js";
import { device } from "./records.js";

/** Remembers what it was asked; the keys in it are zeroed by then. */
export class FakeHandler {
  snapshot: DeviceSnapshot = device({});
  /** What set() throws next, if anything. */
  failure: unknown;
  readonly updates: DeviceUpdate[] = [];

  get(): DeviceSnapshot {
    if (this.failure !== undefined) {
      throw this.failure;
    }
    return this.snapshot;
  }

  set(update: DeviceUpdate): void {
    if (this.failure !== undefined) {
      throw this.failure;
    }
    this.updates.push({ ...update, peers: update.peers.map((section) => ({ ...section })) });
  }
}

export interface Harness {
  readonly server: UapiServer;
  readonly handler: FakeHandler;
  readonly path: string;
  readonly directory: string;
  readonly errors: string[];
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-uapi-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Started in a directory of its own, closed when the test is over. */
export async function startServer(options: Partial<UapiServerOptions> = {}): Promise<Harness> {
  const handler = new FakeHandler();
  const errors: string[] = [];
  const directory = options.directory ?? temporaryDirectory();
  const server = await startUapiServer({
    interfaceName: "wg0",
    directory,
    handler,
    log: { debug: () => {}, error: (message) => errors.push(message) },
    ...options,
  });
  onTestFinished(() => server.close());
  return { server, handler, path: `${directory}/wg0.sock`, directory, errors };
}

/** Sends text, ends its side when `end`, and collects all that comes until the server closes. */
export async function exchange(path: string, text: string): Promise<string> {
  const client = new RawClient(path);
  await client.connected;
  client.socket.end(text, "latin1");
  await client.closed;
  return client.received;
}

export class RawClient {
  readonly socket: Socket;
  readonly connected: Promise<void>;
  readonly closed: Promise<void>;
  readonly #pieces: string[] = [];
  #tail = "";
  #answerCount = 0;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.connected = new Promise((resolve, reject) => {
      this.socket.once("connect", resolve);
      this.socket.once("error", reject);
    });
    this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk) => this.#take(chunk.toString("latin1")));
    this.socket.on("end", () => this.socket.end());
  }

  get received(): string {
    return this.#pieces.join("");
  }

  /** Sends text and waits for one answer. */
  async ask(text: string): Promise<string> {
    const before = this.#pieces.length;
    const target = this.#answerCount + 1;
    this.socket.write(text, "latin1");
    await until(() => this.#answerCount >= target || this.socket.destroyed, 20_000);
    return this.#pieces.slice(before).join("");
  }

  #take(piece: string): void {
    this.#pieces.push(piece);
    this.#answerCount += `${this.#tail}${piece}`.split("\n\n").length - 1;
    this.#tail = piece.endsWith("\n\n") ? "" : piece.slice(-1);
  }
}

export async function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) {
      throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
