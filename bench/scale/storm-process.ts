// Thousands of peers in one process, each with a key and an address of its own: they shake hands with a gateway as initiators. All
// initiations are made before a measurement begins, so that this process limits nothing; responses are counted, not read.
// Talks to its parent in lines: a command in, a line of JSON out.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { CookieGenerator } from "../../src/core/noise/cookie.js";
import { createInitiation, Handshake, HandshakeContext } from "../../src/core/noise/handshake.js";
import { Identity } from "../../src/core/noise/identity.js";
import { encodeTai64n } from "../../src/core/noise/tai64n.js";
import { fillRandom } from "../../src/io/entropy.js";
import { createNativePrimitives } from "../../src/io/native-primitives.js";
import { identityAddress } from "./addresses.js";

export interface StormOptions {
  readonly identities: number;
  readonly gateway: string;
  readonly port: number;
  /** Base64. */
  readonly gatewayKey: string;
  /** Where the public keys go, one a line. */
  readonly keysPath: string;
}

/** How a run went. */
export interface StormReport {
  readonly answered: number;
  readonly seconds: number;
  readonly initiations: number;
  readonly cookies: number;
  /** Answers in each tenth of a second. */
  readonly tenths: readonly number[];
}

/** The far host's own daemon has the usual one. */
const PORT = 4_000;
const RESPONSE = 2;
const COOKIE_REPLY = 3;
/** REKEY_TIMEOUT, as peers have it; the closed loop is less patient, or a lost datagram would leave a hole in the rate. */
const RETRY_BURST_MS = 5_000;
const RETRY_RATE_MS = 1_000;
const BURST_PATIENCE_MS = 40_000;
/** Initiations sent before the receiving side of this process gets its turn. */
const BURST_SLICE = 200;

class Initiator {
  readonly identity: Identity;
  readonly #context: HandshakeContext;
  readonly #handshake: Handshake;
  readonly #cookie: CookieGenerator;
  readonly #message = new Uint8Array(148);
  socket!: Socket;
  isAnswered = true;
  sentMs = 0;

  constructor(p: Awaited<ReturnType<typeof createNativePrimitives>>, gatewayKey: Uint8Array) {
    this.identity = new Identity(p, random32());
    this.#context = new HandshakeContext(p, this.identity);
    this.#handshake = new Handshake(this.#context, gatewayKey);
    this.#cookie = new CookieGenerator(p, gatewayKey);
  }

  /** Makes the next initiation; the cookie, if there is one, is added when it is sent. */
  prepare(index: number): void {
    const timestamp = new Uint8Array(12);
    const nowMs = Date.now();
    encodeTai64n(timestamp, Math.floor(nowMs / 1_000), (nowMs % 1_000) * 1_000_000);
    createInitiation(this.#context, this.#handshake, this.#message, random32(), timestamp, index);
    this.#cookie.addMacs(this.#message, performance.now());
    this.isAnswered = false;
  }

  send(options: StormOptions): void {
    this.sentMs = performance.now();
    this.socket.send(this.#message, options.port, options.gateway);
  }

  /** @returns whether the message with its cookie went out again */
  takeCookie(reply: Uint8Array, options: StormOptions): boolean {
    if (this.#cookie.consumeReply(reply, performance.now()) !== 0) return false;
    this.#cookie.addMacs(this.#message, performance.now());
    this.send(options);
    return true;
  }
}

class Storm {
  readonly #options: StormOptions;
  readonly #initiators: Initiator[] = [];
  #initiations = 0;
  #cookies = 0;
  #answered = 0;
  #onAnswer: (initiator: Initiator) => void = () => {};

  constructor(options: StormOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const p = await createNativePrimitives();
    const gatewayKey = new Uint8Array(Buffer.from(this.#options.gatewayKey, "base64"));
    for (let i = 0; i < this.#options.identities; i++) {
      const initiator = new Initiator(p, gatewayKey);
      const socket = createSocket("udp4");
      initiator.socket = socket;
      socket.on("message", (message) => this.#heard(initiator, message));
      socket.bind({ address: identityAddress(i), port: PORT, exclusive: true });
      await once(socket, "listening");
      this.#initiators.push(initiator);
    }
    const keys = this.#initiators.map(({ identity }) => Buffer.from(identity.publicKey).toString("base64"));
    writeFileSync(this.#options.keysPath, `${keys.join("\n")}\n`);
  }

  prepare(): void {
    for (const [i, initiator] of this.#initiators.entries()) initiator.prepare(i + 1);
  }

  /** Keeps `window` initiations under way until everybody was answered. */
  async rate(window: number): Promise<StormReport> {
    let next = 0;
    const begin = (): void => {
      const initiator = this.#initiators[next++];
      if (initiator !== undefined) this.#send(initiator);
    };
    return this.#run(RETRY_RATE_MS, BURST_PATIENCE_MS, begin, () => {
      for (let i = 0; i < window; i++) begin();
    });
  }

  /** Everybody at once, and again after five seconds where no answer came. */
  async burst(): Promise<StormReport> {
    return this.#run(
      RETRY_BURST_MS,
      BURST_PATIENCE_MS,
      () => {},
      async () => {
        for (const [i, initiator] of this.#initiators.entries()) {
          this.#send(initiator);
          if (i % BURST_SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      },
    );
  }

  async #run(
    retryMs: number,
    patienceMs: number,
    onAnswer: (initiator: Initiator) => void,
    start: () => void | Promise<void>,
  ): Promise<StormReport> {
    this.#initiations = this.#cookies = this.#answered = 0;
    const tenths: number[] = [];
    const beganMs = performance.now();
    let lastMs = beganMs;
    const all = new Promise<void>((resolve) => {
      this.#onAnswer = (initiator) => {
        lastMs = performance.now();
        const tenth = Math.floor((lastMs - beganMs) / 100);
        while (tenths.length <= tenth) tenths.push(0);
        tenths[tenth]!++;
        onAnswer(initiator);
        if (this.#answered === this.#initiators.length) resolve();
      };
    });
    const over = new Promise<void>((resolve) => setTimeout(resolve, patienceMs).unref());
    const retries = setInterval(() => {
      const nowMs = performance.now();
      for (const initiator of this.#initiators) {
        if (!initiator.isAnswered && initiator.sentMs > beganMs && nowMs - initiator.sentMs > retryMs)
          this.#send(initiator);
      }
    }, 100);
    await start();
    await Promise.race([all, over]);
    clearInterval(retries);
    return {
      answered: this.#answered,
      seconds: (lastMs - beganMs) / 1_000,
      initiations: this.#initiations,
      cookies: this.#cookies,
      tenths,
    };
  }

  #send(initiator: Initiator): void {
    this.#initiations++;
    initiator.send(this.#options);
  }

  #heard(initiator: Initiator, message: Uint8Array): void {
    if (message[0] === RESPONSE && !initiator.isAnswered) {
      initiator.isAnswered = true;
      this.#answered++;
      this.#onAnswer(initiator);
    } else if (message[0] === COOKIE_REPLY && !initiator.isAnswered) {
      this.#cookies++;
      if (initiator.takeCookie(new Uint8Array(message), this.#options)) this.#initiations++;
    }
  }
}

function random32(): Uint8Array {
  const bytes = new Uint8Array(32);
  fillRandom(bytes);
  return bytes;
}

const storm = new Storm(JSON.parse(process.argv[2]!) as StormOptions);
await storm.open();
process.stdout.write('"open"\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, argument] = line.split(" ");
  let answer: unknown = "unknown command";
  if (verb === "prepare") answer = storm.prepare() ?? "prepared";
  else if (verb === "rate") answer = await storm.rate(Number(argument));
  else if (verb === "burst") answer = await storm.burst();
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
