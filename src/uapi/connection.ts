// One client of the UAPI socket, from its first byte to its last. Work goes in slices of about a millisecond, and the next
// slice of an answer is made only when the kernel took the last one: a slow client costs one buffer and one snapshot, and
// nobody waits for it.

import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { InterfaceIndexLookup } from "../config/endpoint.js";
import type { DeviceSnapshot, DeviceUpdate } from "../core/device/update.js";
import { Slices } from "../system/in-slices.js";
import { errnoOf } from "./errors.js";
import { formatSnapshot } from "./format.js";
import { type UapiOperation, UapiParser } from "./parse.js";
import { wipeUpdate } from "./set-section.js";

/** What the operations act on. */
export interface UapiHandler {
  /** @returns a snapshot of its own: its private and preshared keys are zeroed once it is written. */
  get(): DeviceSnapshot | Promise<DeviceSnapshot>;
  /**
   * Applies all or nothing; throws a UapiError, or any error with an errno. Copies what it keeps: the keys in `update`
   * are zeroed when it is done.
   */
  set(update: DeviceUpdate): void | Promise<void>;
}

/** Where the server tells what happened; pino fits. No message holds a key. */
export interface UapiLog {
  debug(message: string): void;
  error(message: string): void;
}

export interface ConnectionContext {
  readonly handler: UapiHandler;
  readonly log: UapiLog;
  readonly interfaceIndex: InterfaceIndexLookup;
  /** A client that stands still in the middle of an operation is dropped after this. */
  readonly stallTimeoutMs: number;
}

const PARSE_SLICE_BYTES = 4 << 10;
const ANSWER_SLICE_BYTES = 8 << 10;

/**
 * Serves operations until the client closes or errs. Reading pauses while one is worked on.
 * @param socket      just accepted, half-open allowed; closed by this
 * @param onProgress  called whenever the client sent or took something
 */
export function serveConnection(socket: Socket, context: ConnectionContext, onProgress: () => void): void {
  const parser = new UapiParser(context.interfaceIndex);
  const connection: Connection = { socket, context, parser, slices: new Slices(), onProgress };
  let busy = false;
  let ended = false;
  const goOn = (): void => {
    busy = false;
    if (ended) {
      finish(connection);
    } else {
      socket.setTimeout(connection.parser.midOperation ? context.stallTimeoutMs : 0);
      socket.resume();
    }
  };
  socket.on("error", (error) => context.log.debug(`UAPI client: ${error.message}`));
  socket.on("timeout", () => socket.destroy());
  socket.on("close", () => connection.parser.close());
  socket.on("data", (chunk: Buffer) => {
    onProgress();
    busy = true;
    socket.pause();
    settle(connection, serveChunk(connection, chunk), goOn);
  });
  socket.on("end", () => {
    ended = true; //  which a pause does not hold back
    if (!busy) {
      finish(connection);
    }
  });
}

interface Connection {
  readonly socket: Socket;
  readonly context: ConnectionContext;
  readonly parser: UapiParser;
  /** Of what the client sends. */
  readonly slices: Slices;
  readonly onProgress: () => void;
}

/** The client sends no more: answers what it left unfinished, and closes. */
function finish(connection: Connection): void {
  const unfinished = connection.parser.end();
  const answered = unfinished === undefined ? Promise.resolve(true) : perform(connection, unfinished);
  settle(connection, answered, () => connection.socket.end());
}

/** Goes on, hangs up, or drops a client that went away in the middle. */
function settle(connection: Connection, work: Promise<boolean>, goOn: () => void): void {
  work.then(
    (open) => (open ? goOn() : connection.socket.destroySoon()),
    (error: Error) => {
      connection.context.log.debug(`UAPI client: ${error.message}`);
      connection.socket.destroy();
    },
  );
}

/** @returns whether to go on. */
async function serveChunk(connection: Connection, chunk: Buffer): Promise<boolean> {
  const { parser } = connection;
  try {
    for (let offset = 0; offset < chunk.length; offset += PARSE_SLICE_BYTES) {
      if (offset > 0) {
        await connection.slices.next();
      }
      parser.push(chunk.subarray(offset, offset + PARSE_SLICE_BYTES));
      for (let operation = parser.next(); operation !== undefined; operation = parser.next()) {
        if (!(await perform(connection, operation))) {
          return false;
        }
      }
    }
    return true;
  } finally {
    chunk.fill(0); //  it may have held a private key
  }
}

/** @returns whether the connection stays open. */
async function perform(connection: Connection, operation: UapiOperation): Promise<boolean> {
  switch (operation.kind) {
    case "get":
      await answerGet(connection);
      return true;
    case "set":
      await answerSet(connection, operation.update);
      return true;
    case "refuse":
      await answerError(connection, operation.verb, operation.error);
      return !operation.close;
    case "hangUp":
      connection.context.log.debug(`UAPI client: ${operation.reason}`);
      return false;
  }
}

async function answerGet(connection: Connection): Promise<void> {
  let snapshot: DeviceSnapshot;
  try {
    snapshot = await connection.context.handler.get();
  } catch (error) {
    await answerError(connection, "get", error);
    return;
  }
  const buffer = Buffer.alloc(ANSWER_SLICE_BYTES);
  try {
    for (const length of formatSnapshot(snapshot, buffer)) {
      await write(connection, buffer.subarray(0, length));
      await nextTurn();
    }
  } finally {
    buffer.fill(0);
    wipeSnapshot(snapshot);
  }
}

function wipeSnapshot(snapshot: DeviceSnapshot): void {
  snapshot.privateKey?.fill(0);
  for (const peer of snapshot.peers) {
    peer.presharedKey.fill(0);
  }
}

async function answerSet(connection: Connection, update: DeviceUpdate): Promise<void> {
  try {
    await connection.context.handler.set(update);
  } catch (error) {
    await answerError(connection, "set", error);
    return;
  } finally {
    wipeUpdate(update);
  }
  await write(connection, Buffer.from("errno=0\n\n"));
}

async function answerError(connection: Connection, verb: "get" | "set", error: unknown): Promise<void> {
  const errno = errnoOf(error);
  connection.context.log.error(
    `UAPI ${verb} refused with errno ${errno}: ${error instanceof Error ? error.message : "unknown"}`,
  );
  await write(connection, Buffer.from(`errno=${verb === "set" ? -errno : errno}\n\n`));
}

/** Resolves when the kernel has taken all of it; rejects when the client went, or took nothing for too long. */
async function write(connection: Connection, bytes: Buffer): Promise<void> {
  const { socket, context, onProgress } = connection;
  const stalled = setTimeout(() => socket.destroy(), context.stallTimeoutMs);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    onProgress();
  } finally {
    clearTimeout(stalled);
  }
}
