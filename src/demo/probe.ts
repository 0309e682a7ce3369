// A small program that the demo and the tests run inside a host: file transfer over TCP with a checksum, and a UDP
// echo that stands in for ping where there is none. Says "ready" when it listens and its result as one line of JSON.
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { createServer, connect as dial, type Socket } from "node:net";

const CHUNK_BYTES = 1 << 20;
/** A transfer that stands still for this long has failed. */
const STALL_MS = 15_000;

export interface TransferResult {
  readonly bytes: number;
  /** From the first to the last byte. */
  readonly milliseconds: number;
  /** Hex. */
  readonly sha256: string;
}

export interface EchoResult {
  readonly sent: number;
  readonly received: number;
  /** Mean round trip. */
  readonly milliseconds: number;
}

/** Takes one file on TCP `port` and stores it. */
function receiveFile(port: number, path: string): Promise<TransferResult> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      server.close();
      store(socket, path).then(resolve, reject);
    });
    server.on("error", reject).listen(port, "::", () => say("ready"));
  });
}

function store(socket: Socket, path: string): Promise<TransferResult> {
  return new Promise((resolve, reject) => {
    const file = openSync(path, "w", 0o600);
    let bytes = 0;
    let startedMs = 0;
    let endedMs = 0;
    abandonWhenStalled(socket);
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      startedMs ||= performance.now();
      writeSync(file, chunk);
      bytes += chunk.length;
      endedMs = performance.now();
    });
    socket.on("end", () => {
      closeSync(file);
      socket.end();
      checksum(path).then((sha256) => resolve({ bytes, milliseconds: endedMs - startedMs, sha256 }), reject);
    });
  });
}

/** Sends a file to `address`:`port`; the checksum is of what is on the disk here. */
async function sendFile(address: string, port: number, path: string): Promise<TransferResult> {
  const sha256 = await checksum(path);
  const startedMs = performance.now();
  const bytes = await new Promise<number>((resolve, reject) => {
    const socket = dial({ host: address, port });
    abandonWhenStalled(socket);
    const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
    socket.on("error", reject).on("close", () => resolve(file.bytesRead));
    socket.resume();
    file.on("error", reject).pipe(socket);
  });
  return { bytes, milliseconds: performance.now() - startedMs, sha256 };
}

function abandonWhenStalled(socket: Socket): void {
  socket.setTimeout(STALL_MS, () => socket.destroy(new Error(`nothing moved for ${STALL_MS / 1_000} s`)));
}

async function checksum(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Sends every datagram on UDP `port` back where it came from, until killed. */
function serveEcho(port: number): void {
  const socket = createSocket({ type: "udp6" });
  socket.on("message", (message, from) => socket.send(message, from.port, from.address));
  socket.bind(port, "::", () => say("ready"));
}

/** Sends `count` datagrams to an echo server one after the other, each waited for. */
async function askEcho(address: string, port: number, count: number): Promise<EchoResult> {
  const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4" });
  let received = 0;
  let totalMs = 0;
  for (let i = 0; i < count; i++) {
    const startedMs = performance.now();
    if (!(await roundTrip(socket, address, port, `${process.pid}.${i}`))) continue;
    received += 1;
    totalMs += performance.now() - startedMs;
  }
  socket.close();
  return { sent: count, received, milliseconds: received === 0 ? 0 : totalMs / received };
}

const ECHO_WAIT_MS = 2_000;

function roundTrip(
  socket: ReturnType<typeof createSocket>,
  address: string,
  port: number,
  text: string,
): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (came: boolean): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      resolve(came);
    };
    const timer = setTimeout(finish, ECHO_WAIT_MS, false);
    socket.on("message", (message) => message.toString() === text && finish(true));
    socket.on("error", () => finish(false));
    socket.send(text, port, address, (error) => error !== null && finish(false));
  });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(words: readonly string[]): Promise<void> {
  const [verb, ...rest] = words;
  if (verb === "receive") say(JSON.stringify(await receiveFile(Number(rest[0]), rest[1]!)));
  else if (verb === "send") say(JSON.stringify(await sendFile(rest[0]!, Number(rest[1]), rest[2]!)));
  else if (verb === "echo") serveEcho(Number(rest[0]));
  else if (verb === "ask") say(JSON.stringify(await askEcho(rest[0]!, Number(rest[1]), Number(rest[2]))));
  else throw new Error(`probe: no such verb: ${verb}`);
}

await main(process.argv.slice(2));
