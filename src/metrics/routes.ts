// What can be read of an interface over HTTP, by path. The same on TCP, on a UNIX socket of its own and on the control socket.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { StatusPage } from "./page-file.js";
import type { StatusSource } from "./status-source.js";
import { statusText } from "./status-text.js";

/** Who is being written to, and when it last took something, in ms; the one that waits the longest first. */
type Readers = Map<ServerResponse, number>;

export type ReadHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const JSON_TYPE = "application/json; charset=utf-8";
/** Readers at the same time; each may hold the text of a slice. */
const READERS_MAX = 8;
/** A reader that takes nothing for so long makes room for another, if there are too many. */
const STUCK_MS = 1_000;
const RETRY_S = "1";

/** @returns handlers by path; the status page is not among them */
export function statusRoutes(source: StatusSource): Map<string, ReadHandler> {
  const readers: Readers = new Map();
  return new Map<string, ReadHandler>([
    [
      "/metrics",
      async (request, response) => {
        // with the first scrape, not with the daemon: peers wait for a daemon that starts, and nobody for a scrape
        const { contentTypes, exposition, negotiate } = await import("./exposition.js");
        const format = negotiate(request.headers.accept);
        response.setHeader("vary", "accept");
        return stream(readers, request, response, contentTypes[format], () => exposition(source, format));
      },
    ],
    ["/status.json", (request, response) => stream(readers, request, response, JSON_TYPE, () => statusText(source))],
    [
      "/healthz",
      (request, response) => {
        const { inboundUnaccounted, outboundUnaccounted } = source.statistics;
        const unaccounted = inboundUnaccounted !== 0 || outboundUnaccounted !== 0;
        const reasons = unaccounted ? ["packets are unaccounted for: a bug worth reporting"] : [];
        return answer(request, response, 200, { status: "ok", reasons });
      },
    ],
    [
      "/readyz",
      (request, response) => {
        const reasons = source.problems();
        const isReady = reasons.length === 0;
        return answer(request, response, isReady ? 200 : 503, { status: isReady ? "ok" : "not ready", reasons });
      },
    ],
  ]);
}

/** The status page, with its own policy for browsers. */
export function pageRoute(page: StatusPage): ReadHandler {
  return async (request, response) => {
    response.writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "content-length": page.html.length,
      "content-security-policy": page.policy,
    });
    response.end(request.method === "HEAD" ? undefined : page.html);
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  value: object,
): Promise<void> {
  const text = `${JSON.stringify(value)}\n`;
  response.writeHead(status, { "content-type": JSON_TYPE, "content-length": Buffer.byteLength(text) });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** Writes pieces as fast as the reader takes them, and stops when it has gone. */
async function stream(
  readers: Readers,
  request: IncomingMessage,
  response: ServerResponse,
  contentType: string,
  pieces: () => AsyncIterable<string>,
): Promise<void> {
  if (request.method === "HEAD") {
    response.writeHead(200, { "content-type": contentType });
    response.end();
    return;
  }
  if (!hasRoom(readers)) {
    response.writeHead(503, { "retry-after": RETRY_S, "content-length": 0 });
    response.end();
    return;
  }
  readers.set(response, performance.now());
  try {
    response.writeHead(200, { "content-type": contentType });
    for await (const piece of pieces()) {
      if (response.destroyed) return;
      readers.delete(response);
      readers.set(response, performance.now());
      if (!response.write(piece)) await drained(response);
    }
    response.end();
  } finally {
    readers.delete(response);
  }
}

/** Whether one more reader may be written to. One that does not read loses its place. */
function hasRoom(readers: Readers): boolean {
  if (readers.size < READERS_MAX) return true;
  for (const [reader, tookMs] of readers) {
    if (performance.now() - tookMs < STUCK_MS) return false;
    if (!reader.writableNeedDrain) continue;
    readers.delete(reader);
    reader.destroy();
    return true;
  }
  return false;
}

/** Resolves when more can be written, or nobody is left to read it. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
