// The HTTP server behind an address for metrics: read-only, on TCP or a UNIX socket. Whoever reaches it may read, nobody may hold it
// up: few connections, the quietest of which makes room for a new one, short headers, short patience. A browser is told to take nothing from elsewhere, and a page from
// elsewhere that borrowed our address (DNS rebinding) is known by the Host header and sent away.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP, isIPv6, type Socket } from "node:net";
import type { ReadHandler } from "./routes.js";

/** Where to listen; the same form as in a configuration. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface HttpServerOptions {
  readonly routes: ReadonlyMap<string, ReadHandler>;
  /** Names that a Host header may have besides addresses; undefined: not looked at, for a UNIX socket. */
  readonly hostNames: readonly string[] | undefined;
  /** Patience; tests have less. */
  readonly headersTimeoutMs?: number;
  readonly stalledMs?: number;
}

const CONNECTIONS_MAX = 64;
const HEADER_BYTES_MAX = 8_192;
const HEADERS_MAX = 64;
const HEADERS_TIMEOUT_MS = 5_000;
const CHECK_EVERY_MS = 1_000;
/** Longer than scrapes are apart. */
const KEEP_ALIVE_MS = 75_000;
/** A connection on which nothing moves, while it has an answer to take. */
const STALLED_MS = 30_000;

const commonHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const;

/** @returns a server that does not listen yet */
export function createStatusServer(options: HttpServerOptions): Server {
  const headersTimeout = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout,
    requestTimeout: 2 * headersTimeout,
    connectionsCheckingInterval: Math.min(CHECK_EVERY_MS, headersTimeout),
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
  });
  boundConnections(server);
  server.maxHeadersCount = HEADERS_MAX;
  server.setTimeout(options.stalledMs ?? STALLED_MS, (socket) => socket.destroy());
  server.on("request", (request, response) => void serve(options, request, response));
  server.on("clientError", (_error, socket) => socket.destroy());
  for (const event of ["upgrade", "connect"] as const) server.on(event, (_request, socket) => socket.destroy());
  return server;
}

/**
 * When there is one connection too many, the one that asked the longest ago goes: whoever holds connections open, in the middle of an
 * answer or before a question, keeps no scraper out.
 */
function boundConnections(server: Server): void {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    const [quietest] = sockets;
    if (sockets.size >= CONNECTIONS_MAX && quietest !== undefined) {
      sockets.delete(quietest);
      quietest.destroy();
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("request", ({ socket }) => {
    if (sockets.delete(socket)) sockets.add(socket);
  });
}

async function serve(options: HttpServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume(); //  nobody reads a body
  response.on("error", () => {}); //  the client went away
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
  const { method } = request;
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return refuse(response, 405, "only GET and HEAD: nothing can be changed here");
  }
  if (options.hostNames !== undefined && !isKnownHost(request, options.hostNames)) {
    return refuse(response, 421, "this name is not mine: ask by address, or name it in the configuration");
  }
  const [path] = (request.url ?? "").split("?", 1);
  const handler = options.routes.get(path);
  if (handler === undefined) return refuse(response, 404, `there is ${[...options.routes.keys()].join(", ")}`);
  try {
    await handler(request, response);
  } catch {
    if (response.headersSent) response.destroy();
    else refuse(response, 500, "this could not be read");
  }
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  const text = `${reason}\n`;
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    connection: "close",
  });
  response.end(text);
}

/** Exactly one Host, and it is a name of the loopback, the address that was connected to, or a name that is ours. */
function isKnownHost(request: IncomingMessage, hostNames: readonly string[]): boolean {
  const hosts = request.headersDistinct["host"] ?? [];
  if (hosts.length !== 1) return false;
  const host = hostWithoutPort(hosts[0]);
  if (host === undefined) return false;
  if (isIP(host) !== 0) return isLoopback(host) || sameAddress(host, request.socket.localAddress ?? "");
  return host === "localhost" || hostNames.some((name) => name.toLowerCase() === host);
}

/** @returns in lower case, an IPv6 address without its brackets; undefined: no host */
export function hostWithoutPort(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?$/i.exec(header);
  const address = match?.[1];
  if (address !== undefined && !isIPv6(address)) return undefined;
  return (address ?? match?.[2])?.toLowerCase().replace(/\.$/, "");
}

function isLoopback(address: string): boolean {
  return canonical(address) === "::1" || /^127\./.test(canonical(address));
}

function sameAddress(a: string, b: string): boolean {
  return canonical(a) === canonical(b);
}

/** An IPv4 address in IPv6 clothes as IPv4, IPv6 in its shortest form, without a scope. */
function canonical(address: string): string {
  const [bare] = address.toLowerCase().split("%", 1);
  if (!isIPv6(bare)) return bare;
  const shortest = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(shortest);
  if (mapped === null) return shortest;
  const [high, low] = [Number.parseInt(mapped[1], 16), Number.parseInt(mapped[2], 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
