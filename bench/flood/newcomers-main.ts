// Peers that shake hands with a gateway for the first time, one after the other, as the protocol says: an initiation, and after a
// cookie reply another one with its mac2. The argument is the order as JSON; it says "ready", waits for a line, and reports.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { DropReason } from "../../src/core/drop-reason.js";
import { COOKIE_REPLY_BYTES, INITIATION_BYTES, MessageType, RESPONSE_BYTES } from "../../src/core/noise/constants.js";
import { CookieGenerator } from "../../src/core/noise/cookie.js";
import { consumeResponse, createInitiation, Handshake, HandshakeContext } from "../../src/core/noise/handshake.js";
import { Identity } from "../../src/core/noise/identity.js";
import { TimestampSource } from "../../src/core/noise/tai64n.js";
import { fillRandom } from "../../src/io/entropy.js";
import { createNativePrimitives } from "../../src/io/native-primitives.js";

export interface NewcomersOrder {
  /** Private keys, base64, of as many peers that the gateway knows. */
  readonly privateKeys: readonly string[];
  readonly publicKey: string;
  readonly address: string;
  readonly port: number;
  /** Handshakes begun a second; none is begun in the last second and a half. */
  readonly rate: number;
  readonly seconds: number;
}

export interface NewcomersReport {
  readonly attempts: number;
  /** From the first initiation to the response, of those that came. */
  readonly tookMs: readonly number[];
  readonly cookies: number;
  readonly initiations: number;
}

/** An initiation that nothing came back for is sent again after this; a daemon waits for five seconds. */
const RETRY_MS = 1_000;
const LAST_BEGIN_MS = 1_500;

const order = JSON.parse(process.argv[2] ?? "") as NewcomersOrder;
const primitives = await createNativePrimitives();
const gatewayKey = Buffer.from(order.publicKey, "base64");
const byIndex = new Map<number, Newcomer>();
let [cookies, initiations] = [0, 0];

class Newcomer {
  tookMs: number | undefined;
  readonly #context: HandshakeContext;
  readonly #handshake: Handshake;
  readonly #generator = new CookieGenerator(primitives, gatewayKey);
  readonly #timestamps = new TimestampSource();
  readonly #index: number;
  /** Each its own, as each would be a host of its own. */
  readonly #socket = createSocket("udp4");
  #begunMs = 0;

  constructor(privateKey: string, index: number) {
    this.#index = index;
    this.#context = new HandshakeContext(primitives, new Identity(primitives, Buffer.from(privateKey, "base64")));
    this.#handshake = new Handshake(this.#context, gatewayKey);
    byIndex.set(index, this);
    this.#socket.on("message", received);
  }

  async open(): Promise<void> {
    this.#socket.bind(0);
    await once(this.#socket, "listening");
  }

  /** Resolves when it is answered, or when the time is over. */
  async begin(endMs: number): Promise<void> {
    this.#begunMs = performance.now();
    while (this.tookMs === undefined && performance.now() < endMs) {
      this.#send();
      const againMs = Math.min(performance.now() + RETRY_MS, endMs);
      while (this.tookMs === undefined && performance.now() < againMs) await sleep(5);
    }
  }

  cookieReply(message: Uint8Array): void {
    if (this.#generator.consumeReply(message, performance.now()) !== DropReason.None) return;
    cookies++;
    this.#send();
  }

  response(message: Uint8Array): void {
    if (consumeResponse(this.#context, message, this.#handshake) !== DropReason.None) return;
    this.tookMs ??= performance.now() - this.#begunMs;
  }

  #send(): void {
    const [message, ephemeral, timestamp] = [new Uint8Array(INITIATION_BYTES), new Uint8Array(32), new Uint8Array(12)];
    fillRandom(ephemeral);
    this.#timestamps.next(timestamp, Date.now());
    createInitiation(this.#context, this.#handshake, message, ephemeral, timestamp, this.#index);
    this.#generator.addMacs(message, performance.now());
    this.#socket.send(message, order.port, order.address);
    initiations++;
  }
}

function received(message: Buffer): void {
  const isReply = message[0] === MessageType.CookieReply && message.length === COOKIE_REPLY_BYTES;
  const isResponse = message[0] === MessageType.Response && message.length === RESPONSE_BYTES;
  if (isReply) byIndex.get(message.readUInt32LE(4))?.cookieReply(message);
  else if (isResponse) byIndex.get(message.readUInt32LE(8))?.response(message);
}

const newcomers = order.privateKeys.map((key, i) => new Newcomer(key, i + 1));
for (const newcomer of newcomers) await newcomer.open();
process.stdout.write("ready\n");
await once(process.stdin, "data");
const startMs = performance.now();
const endMs = startMs + order.seconds * 1_000;
const running: Promise<void>[] = [];
for (const newcomer of newcomers) {
  if (performance.now() > endMs - LAST_BEGIN_MS) break;
  running.push(newcomer.begin(endMs));
  await sleep(1_000 / order.rate);
}
await Promise.all(running);
const tookMs = newcomers.flatMap((newcomer) => (newcomer.tookMs === undefined ? [] : [newcomer.tookMs]));
const report: NewcomersReport = { attempts: running.length, tookMs, cookies, initiations };
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
