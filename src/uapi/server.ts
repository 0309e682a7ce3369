// The UAPI server: wg(8) and everything built on it talk to the daemon here. It must not know devices, only its handler.
// Source: wireguard.com/xplatform.

import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import type { InterfaceIndexLookup } from "../config/endpoint.js";
import type { ConnectionContext, UapiHandler, UapiLog } from "./connection.js";
import { serveConnection } from "./connection.js";
import type { SocketFile } from "./socket-file.js";
import { listenOnDescriptor, listenOnSocketFile, SOCKET_DIRECTORY, socketPath } from "./socket-file.js";

export interface UapiServerOptions {
  readonly interfaceName: string;
  /** Where the socket file goes; default /var/run/wireguard. */
  readonly directory?: string | undefined;
  /** A listening UNIX socket to use instead of making one. */
  readonly fd?: number | undefined;
  readonly handler: UapiHandler;
  readonly log: UapiLog;
  /** Called once when somebody else removed or replaced the socket file: the sign to shut down. */
  readonly onVanished?: (() => void) | undefined;
  readonly interfaceIndex?: InterfaceIndexLookup | undefined;
  /** When one more comes, the client that was quiet the longest goes; default 64. */
  readonly clientsMax?: number | undefined;
  /** Default 30 s. */
  readonly stallTimeoutMs?: number | undefined;
}

export interface UapiServer {
  /** The socket file, or undefined when only a descriptor was given. */
  readonly path: string | undefined;
  readonly clientCount: number;
  /** Drops all clients and removes the socket file, if it is still ours. */
  close(): Promise<void>;
}

const CLIENTS_MAX = 64;
const STALL_TIMEOUT_MS = 30_000;

/**
 * Opens the socket and serves it.
 * Errors: UapiError EADDRINUSE when a running daemon has the socket file; system errors.
 */
export async function startUapiServer(options: UapiServerOptions): Promise<UapiServer> {
  const context: ConnectionContext = {
    handler: options.handler,
    log: options.log,
    interfaceIndex: options.interfaceIndex ?? indexOfInterface,
    stallTimeoutMs: options.stallTimeoutMs ?? STALL_TIMEOUT_MS,
  };
  const clients = new Clients(options.clientsMax ?? CLIENTS_MAX);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    clients.add(socket);
    serveConnection(socket, context, () => clients.touch(socket));
  });
  const path = socketPath(options.interfaceName, options.directory ?? SOCKET_DIRECTORY);
  const file =
    options.fd === undefined
      ? await listenOnSocketFile(server, path)
      : await listenOnDescriptor(server, options.fd, path);
  server.on("error", (error) => options.log.error(`UAPI socket: ${error.message}`));
  file?.watch(() => options.onVanished?.());
  return {
    path: file?.path,
    get clientCount() {
      return clients.count;
    },
    close: () => close(server, clients, file),
  };
}

/** The open connections, least recently heard of first. */
class Clients {
  readonly #sockets = new Set<Socket>();
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#sockets.size;
  }

  add(socket: Socket): void {
    if (this.#sockets.size >= this.#countMax) {
      const [quietest] = this.#sockets;
      this.#sockets.delete(quietest);
      quietest.destroy();
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** Notes that the client is alive. */
  touch(socket: Socket): void {
    if (this.#sockets.delete(socket)) {
      this.#sockets.add(socket);
    }
  }

  destroyAll(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }
}

async function close(server: Server, clients: Clients, file: SocketFile | undefined): Promise<void> {
  file?.remove();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  clients.destroyAll();
  await closed;
}

/** Scopes matter to link-local addresses only, and an interface that has one is listed with its index. */
function indexOfInterface(name: string): number {
  for (const address of networkInterfaces()[name] ?? []) {
    if (address.family === "IPv6" && address.scopeid > 0) {
      return address.scopeid;
    }
  }
  return 0;
}
