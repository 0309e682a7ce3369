// What a stranger says to the status server, byte by byte, and what the control socket answers; no socket is opened.

import type { Server } from "node:http";
import { Duplex } from "node:stream";
import { negotiate } from "../../src/metrics/exposition.js";
import { createStatusServer, hostWithoutPort } from "../../src/metrics/http-server.js";
import type { ReadHandler } from "../../src/metrics/routes.js";
import { decode, encode, FuzzRandom } from "./random.js";
import { type FuzzTarget, hold } from "./target.js";

const ANSWER = "the answer\n";

/** A connection whose far end is the fuzzer. */
class Connection extends Duplex {
  readonly remoteAddress = "192.0.2.9";
  readonly localAddress = "::ffff:192.0.2.1";
  received = "";

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.received += chunk.toString("latin1");
    done();
  }
}

let shared: Server | undefined;
let failure: unknown;

function server(): Server {
  if (shared !== undefined) return shared;
  const handler: ReadHandler = async (request, response) => {
    const format = negotiate(request.headers.accept);
    hold(format === "openmetrics" || format === "prometheus", "a format");
    response.writeHead(200, { "content-length": ANSWER.length });
    response.end(request.method === "HEAD" ? undefined : ANSWER);
  };
  shared = createStatusServer({ routes: new Map([["/metrics", handler]]), hostNames: ["gateway.example.org"] });
  process.on("unhandledRejection", (reason) => {
    failure = reason;
  });
  return shared;
}

function make(seed: number): Uint8Array {
  const random = new FuzzRandom(seed);
  const hosts = [
    "127.0.0.1",
    "192.0.2.1:9586",
    "[::1]:9586",
    "localhost",
    "gateway.example.org",
    "[::ffff:192.0.2.1]",
    "evil",
  ];
  let text = "";
  for (let n = 1 + random.below(2); n > 0; n--) {
    const host = random.pick(hosts);
    text += `${random.pick(["GET", "GET", "HEAD", "POST"])} ${random.pick(["/metrics", "/metrics?x=1", "/", "*"])} HTTP/1.1\r\n`;
    text += `Host: ${host}\r\nAccept: ${random.pick(["*/*", "application/openmetrics-text;version=1.0.0;q=0.5", "text/plain"])}\r\n\r\n`;
  }
  return encode(text);
}

/** Nothing that was asked comes back as a header, and what was not known as ours is not answered. */
function checkAnswers(input: string, received: string): void {
  hold(received === "" || received.startsWith("HTTP/1.1 "), `not HTTP: ${JSON.stringify(received.slice(0, 40))}`);
  const answers = received.split(ANSWER).length - 1;
  const asked = input.split(/\/metrics/i).length - 1;
  hold(answers <= asked, "more answers than questions");
  if (answers === 0) return;
  const hosts = [...input.matchAll(/host\s*:([^\r\n]*)/gi)].map((match) => (match[1] ?? "").trim().toLowerCase());
  const ours = /^(127\.|\[|192\.0\.2\.1|localhost|gateway\.example\.org)/;
  hold(
    hosts.some((host) => ours.test(host)),
    `answered for ${JSON.stringify(hosts)}`,
  );
}

async function check(input: Uint8Array): Promise<void> {
  failure = undefined;
  const text = decode(input);
  const connection = new Connection();
  connection.on("error", () => {});
  server().emit("connection", connection);
  connection.push(Buffer.from(input));
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
  connection.push(null);
  connection.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  hold(failure === undefined, `a rejection that nobody takes: ${String(failure)}`);
  checkAnswers(text, connection.received);
  const host = hostWithoutPort(text);
  hold(host === undefined || /^[a-z0-9:._-]*$/.test(host), `a host ${JSON.stringify(host)}`);
  negotiate(text);
}

export const httpTarget: FuzzTarget = {
  name: "http",
  what: "requests to the status page and the metrics: lines, Host, Accept",
  covers: ["src/metrics/http-server.ts", "src/metrics/exposition.ts"],
  dictionary: [
    "GET /metrics HTTP/1.1\r\n",
    "Host: ",
    "\r\n\r\n",
    "\r\n",
    "[::ffff:c000:201]",
    "[::1%25lo]",
    "[::]",
    "127.1",
    "localhost.",
    ":9586",
    "Accept: ",
    "q=",
    ";version=1.0.0",
    "application/openmetrics-text",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\n",
    "Upgrade: x\r\nConnection: upgrade\r\n",
    "CONNECT x:1 HTTP/1.1\r\n",
    "Expect: 100-continue\r\n",
  ],
  bytesMax: 12_288,
  make,
  check,
};
