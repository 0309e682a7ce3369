// The daemon's own control socket: a little HTTP over a UNIX socket that only its user and root may open. Whoever has something
// to tell adds a GET route, whoever takes orders a POST route. It must not know what the routes do.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { SocketFile } from "../uapi/socket-file.js";
import { listenOnSocketFile } from "../uapi/socket-file.js";

/** Where control sockets are; one a running interface. */
export const CONTROL_DIRECTORY = "/run/longhaul";

/** Answers one request. An error that it throws becomes a 500 with the error's message. */
export type ControlHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** What a route's caller may be told besides data: the error of a request that was refused or failed. */
export interface ControlFailure {
  readonly error: string;
}

const SOCKET_MODE = 0o600;
const CLIENTS_MAX = 32;
const HEADER_BYTES_MAX = 4_096;
const REQUEST_TIMEOUT_MS = 10_000;
/** A connection on which nothing moves, while it has an answer to take. Longer than any order takes. */
const STALLED_MS = 120_000;
/** For clients that are slow to take their answer. */
const CLOSING_PATIENCE_MS = 500;

/** @returns the path of an interface's control socket. */
export function controlPath(name: string, directory = CONTROL_DIRECTORY): string {
  return `${directory}/${name}.sock`;
}

/** @returns the path of the journal of what an interface has set outside of itself: gone after a reboot, as what it tells of. */
export function journalPath(name: string, directory = CONTROL_DIRECTORY): string {
  return `${directory}/${name}.json`;
}

/** Routes by method and path, without query. Add them before or after listening; the last one added wins. */
export class ControlRoutes {
  readonly #handlers = new Map<string, ControlHandler>();

  /** @param path  such as `/metrics` */
  get(path: string, handler: ControlHandler): this {
    this.#handlers.set(`GET ${path}`, handler);
    return this;
  }

  /** For orders. A daemon that only lends an interface to wg(8) has none. */
  post(path: string, handler: ControlHandler): this {
    this.#handlers.set(`POST ${path}`, handler);
    return this;
  }

  /** `GET /metrics` and the like, in order. */
  list(): string[] {
    return [...this.#handlers.keys()].sort();
  }

  find(method: string, path: string): ControlHandler | undefined {
    return this.#handlers.get(`${method === "HEAD" ? "GET" : method} ${path}`);
  }
}

export interface ControlServer {
  readonly path: string;
  /** Ends the answers that are being written, drops all clients and removes the socket file, if it is still ours. */
  close(): Promise<void>;
}

/**
 * Listens on the interface's control socket, mode 0600; a stale one is replaced.
 * @param stalledMs  a connection on which nothing moves for so long is dropped
 * Errors: UapiError EADDRINUSE when a running daemon has it; system errors.
 */
export async function startControlServer(
  name: string,
  routes: ControlRoutes,
  directory = CONTROL_DIRECTORY,
  stalledMs = STALLED_MS,
): Promise<ControlServer> {
  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAlive: false,
  });
  server.maxConnections = CLIENTS_MAX;
  server.setTimeout(stalledMs, (socket) => socket.destroy());
  server.on("request", (request, response) => void answer(routes, request, response));
  server.on("clientError", (_error, socket) => socket.destroy());
  const path = controlPath(name, directory);
  const file: SocketFile = await listenOnSocketFile(server, path, SOCKET_MODE);
  server.on("error", () => {}); //  a client that could not be accepted; the next one may be
  return {
    path: file.path,
    close: async () => {
      file.remove();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const patience = setTimeout(() => server.closeAllConnections(), CLOSING_PATIENCE_MS);
      await closed;
      clearTimeout(patience);
    },
  };
}

/** Sends one JSON value, with a newline behind it for whoever looks with curl. */
export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  answerText(response, status, "application/json", `${JSON.stringify(value)}\n`);
}

export function answerText(response: ServerResponse, status: number, contentType: string, text: string): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

async function answer(routes: ControlRoutes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume(); //  nobody reads a body
  response.setHeader("connection", "close");
  response.on("error", () => {}); //  the client went away
  const pathname = (request.url ?? "/").split("?", 1)[0] as string;
  const handler = routes.find(request.method ?? "", pathname);
  if (handler === undefined) {
    answerJson(response, 404, { error: `no ${request.method} ${pathname} here; there is ${routes.list().join(", ")}` });
    return;
  }
  try {
    await handler(request, response);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else answerJson(response, 500, { error: error instanceof Error ? error.message : String(error) });
  }
}
