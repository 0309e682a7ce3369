// The client's side of the UAPI: one connection an operation, as wg(8) does it.

import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import { ConfigError, quote } from "../config/errors.js";
import type { DeviceSnapshot, DeviceUpdate } from "../core/device/update.js";
import { UapiError, type UapiErrorCode } from "./errors.js";
import { formatUpdate } from "./format-update.js";
import { AnswerReader } from "./parse-answer.js";

/**
 * Asks the daemon behind a socket file for its state.
 * Errors: UapiError ENOENT or ECONNREFUSED when no daemon runs there, EPROTO when it breaks off, or the errno it
 * refuses with.
 */
export async function getDevice(path: string): Promise<DeviceSnapshot> {
  const socket = await dial(path);
  try {
    socket.write("get=1\n\n");
    return (await readAnswer(socket, path)).snapshot;
  } finally {
    socket.destroy();
  }
}

/** Asks the daemon behind a socket file for a change. Errors: as {@link getDevice}. */
export async function setDevice(path: string, update: DeviceUpdate): Promise<void> {
  const socket = await dial(path);
  try {
    const answer = readAnswer(socket, path);
    answer.catch(() => {}); //  awaited below; it may fail while lines are still being written
    for (const line of formatUpdate(update)) {
      if (!socket.write(line) && !socket.destroyed) {
        await Promise.race([once(socket, "drain"), answer]);
      }
    }
    await answer;
  } finally {
    socket.destroy();
  }
}

async function dial(path: string): Promise<Socket> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    socket.on("error", () => {}); //  shows as an answer that breaks off
    return socket;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ECONNREFUSED") {
      throw new UapiError(code, `no daemon answers at ${quote(path)}; start it with longhaul IFNAME`);
    }
    throw error;
  }
}

async function readAnswer(socket: Socket, path: string): Promise<AnswerReader> {
  const answer = new AnswerReader();
  let rest = "";
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      const lines = (rest + chunk.toString("latin1")).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) {
        if (line === "") {
          return accepted(answer, path);
        }
        answer.add(line);
      }
    }
  } catch (error) {
    if (error instanceof UapiError || error instanceof ConfigError) {
      throw error;
    }
  }
  throw new UapiError("EPROTO", `the daemon at ${quote(path)} broke off its answer; its log may say why`);
}

function accepted(answer: AnswerReader, path: string): AnswerReader {
  if (answer.errno === 0) {
    return answer;
  }
  const name = getSystemErrorName(-Math.abs(answer.errno));
  const code = name in constants.errno ? (name as UapiErrorCode) : "EIO";
  throw new UapiError(code, `the daemon at ${quote(path)} refused with ${name}; its log says why`);
}
