// Traffic between hosts by our own probe program: files with a checksum, and echoes.
import { fileURLToPath } from "node:url";
import type { Host } from "./lab.js";
import type { EchoResult, TransferResult } from "./probe.js";

/** The probe is started by plain node, so it is always the built one, also when this file runs from src/. */
const PROBE = fileURLToPath(new URL("../../dist/demo/probe.js", import.meta.url));
const TRANSFER_PORT = 7_070;
const ECHO_PORT = 7;
const RECEIVED_PATH = "/run/received";
const TRANSFER_TIMEOUT_MS = 120_000;

/** A file that went from one host to another. */
export interface Transfer {
  readonly bytes: number;
  readonly bitsPerSecond: number;
  readonly sentSha256: string;
  readonly receivedSha256: string;
}

/**
 * Sends the file at `path` on `from` over TCP to `address`, which is `to`'s, and compares checksums.
 * Errors: throws when it does not arrive whole.
 */
export async function transferFile(from: Host, to: Host, address: string, path: string): Promise<Transfer> {
  const receiver = to.start(probe("receive", TRANSFER_PORT, RECEIVED_PATH), { input: "" });
  try {
    await receiver.waitForOutput(/^ready$/m);
    const sending = await from.run(probe("send", address, TRANSFER_PORT, path), { timeoutMs: TRANSFER_TIMEOUT_MS });
    const sent = JSON.parse(sending) as TransferResult;
    const received = JSON.parse((await receiver.waitForOutput(/^\{.*\}$/m))[0]) as TransferResult;
    if (received.sha256 !== sent.sha256) {
      throw new Error(`sent ${sent.bytes} bytes (sha256 ${sent.sha256}), got ${received.bytes} (${received.sha256})`);
    }
    return {
      bytes: received.bytes,
      bitsPerSecond: (received.bytes * 8_000) / Math.max(received.milliseconds, 0.001),
      sentSha256: sent.sha256,
      receivedSha256: received.sha256,
    };
  } finally {
    await receiver.stop("SIGKILL");
  }
}

/** Asks `to` to echo `count` datagrams. */
export async function echo(from: Host, to: Host, address: string, count: number): Promise<EchoResult> {
  const server = to.start(probe("echo", ECHO_PORT), { input: "" });
  try {
    await server.waitForOutput(/^ready$/m);
    return JSON.parse(await from.run(probe("ask", address, ECHO_PORT, count))) as EchoResult;
  } finally {
    await server.stop("SIGKILL");
  }
}

function probe(...words: Array<string | number>): string[] {
  return [process.execPath, PROBE, ...words.map(String)];
}
