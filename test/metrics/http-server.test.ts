import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { FlowCell } from "../../src/core/device/ledger.js";
import { createStatusServer, type HttpServerOptions, hostWithoutPort } from "../../src/metrics/http-server.js";
import { formatListenAddress, Listeners } from "../../src/metrics/listeners.js";
import { pagePolicy } from "../../src/metrics/page-file.js";
import { pageRoute, type ReadHandler, statusRoutes } from "../../src/metrics/routes.js";
import { eventually } from "../support/gateway.js";
import { testSource } from "./source.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const page = { html: Buffer.from("<style>a{}</style><script>0</script>"), policy: "default-src 'none'" };

async function routes(peers = 2): Promise<Map<string, ReadHandler>> {
  return statusRoutes(await testSource(peers)).set("/", pageRoute(page));
}

async function start(options: Partial<HttpServerOptions> = {}, host = "127.0.0.1"): Promise<number> {
  const server: Server = createStatusServer({ routes: await routes(), hostNames: [host], ...options });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve).unref()));
  closers.push(() => (server as unknown as { closeAllConnections(): void }).closeAllConnections());
  return (server.address() as AddressInfo).port;
}

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

function ask(port: number, path = "/", options: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Sends bytes as they are. @returns what came back until the other side closed */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

test("every route answers, with the type that was asked for", async () => {
  const port = await start();
  const metrics = await ask(port, "/metrics");
  expect(metrics.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(metrics.text).toContain("wireguard_sent_bytes_total{");
  const openMetrics = await ask(port, "/metrics", { headers: { accept: "application/openmetrics-text" } });
  expect(openMetrics.headers["content-type"]).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  expect(openMetrics.text).toMatch(/# EOF\n$/);
  expect(JSON.parse((await ask(port, "/status.json?x=1")).text)).toMatchObject({ schema: 1, peerCount: 2 });
  expect(JSON.parse((await ask(port, "/healthz")).text)).toEqual({ status: "ok", reasons: [] });
  expect((await ask(port, "/")).headers["content-type"]).toBe("text/html; charset=utf-8");
});

test("not ready: 503 and why", async () => {
  const source = await testSource(0);
  const port = await start({ routes: statusRoutes(source) });
  expect((await ask(port, "/readyz")).status).toBe(200);
  source.troubles.push("the interface is down");
  const answer = await ask(port, "/readyz");
  expect([answer.status, JSON.parse(answer.text)]).toEqual([
    503,
    { status: "not ready", reasons: ["the interface is down"] },
  ]);
});

test("healthy, with what is worth a look: packets that nothing accounts for", async () => {
  const source = await testSource(0);
  const port = await start({ routes: statusRoutes(source) });
  source.statistics.ledger.flow[FlowCell.OutboundPackets] += 1;
  const answer = await ask(port, "/healthz");
  expect([answer.status, JSON.parse(answer.text)]).toEqual([
    200,
    { status: "ok", reasons: ["packets are unaccounted for: a bug worth reporting"] },
  ]);
});

test("a browser is told to take nothing from elsewhere", async () => {
  const port = await start();
  for (const path of ["/", "/metrics", "/nothing"]) {
    const { headers } = await ask(port, path);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
    });
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
});

test("the page's policy allows its own style and script by hash, and nothing inline besides", () => {
  const policy = pagePolicy("<style>b{}</style><script>let a</script><script type=x>evil()</script>");
  expect(policy).not.toContain("unsafe");
  expect(policy.match(/'sha256-[A-Za-z0-9+/]{43}='/g)).toHaveLength(2);
  expect(policy).toContain("connect-src 'self'");
  expect(pagePolicy("")).toContain("script-src 'none'");
});

test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])("%s changes nothing", async (method) => {
  const answer = await ask(await start(), "/metrics", { method });
  expect([answer.status, answer.headers["allow"]]).toEqual([405, "GET, HEAD"]);
});

test("HEAD has headers only", async () => {
  const port = await start();
  for (const path of ["/", "/metrics", "/healthz"]) {
    const answer = await ask(port, path, { method: "HEAD" });
    expect([answer.status, answer.text]).toEqual([200, ""]);
  }
});

test.each([
  "/../package.json",
  "/..%2f..%2fetc/passwd",
  "//etc/passwd",
  "/metrics/",
  "/metrics/../../x",
  "/__proto__",
  "/constructor",
  "http://evil.example/metrics",
])("%s is not there", async (path) => {
  expect((await ask(await start(), path)).status).toBe(404);
});

test.each([
  ["127.0.0.1", 200],
  ["127.0.0.1:9586", 200],
  ["127.9.9.9", 200],
  ["[::1]:80", 200],
  ["LocalHost:1", 200],
  ["localhost.", 200],
  ["gateway.example", 200],
  ["GATEWAY.example:9586", 200],
  ["evil.example", 421],
  ["localhost.evil.example", 421],
  ["127.0.0.1.evil.example", 421],
  ["10.0.0.1", 421],
  ["[2001:db8::1]", 421],
  ["0x7f000001", 421],
  ["2130706433", 421],
  ["127.0.0.1@evil.example", 421],
  ["localhost:80:80", 421],
])("Host: %s → %i", async (host, status) => {
  const port = await start({ hostNames: ["gateway.example"] });
  for (const path of ["/", "/metrics", "/status.json"]) {
    expect((await ask(port, path, { headers: { host } })).status).toBe(status);
  }
});

test("no Host, or two, is no host of ours", async () => {
  const port = await start();
  expect(await raw(port, "GET /metrics HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 |^$/);
  expect(await raw(port, "GET /metrics HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.[01] 421 /);
  const two = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
  expect(await raw(port, two)).toMatch(/^HTTP\/1\.1 4\d\d |^$/);
});

test.each([
  ["[::1]", "::1"],
  ["[2001:DB8::1]:9586", "2001:db8::1"],
  ["a.b:1", "a.b"],
  ["[::1", undefined],
  ["::1", undefined],
  ["[not]", undefined],
  ["a/b", undefined],
  ["a b", undefined],
])("host of %s is %s", (header, host) => {
  expect(hostWithoutPort(header)).toBe(host);
});

test("slow and silent clients are dropped, and others are served meanwhile", async () => {
  const port = await start({ headersTimeoutMs: 300, stalledMs: 600_000 });
  const slow = ["", "GET /metrics HT", "GET / HTTP/1.1\r\nHost: localhost\r\nX: "].map((bytes) => raw(port, bytes));
  expect((await ask(port, "/healthz")).status).toBe(200);
  const ends = await Promise.all(slow);
  for (const end of ends) expect(end).toMatch(/^(HTTP\/1\.1 408 |$)/);
});

test("headers that are too long end the connection", async () => {
  const port = await start();
  const answer = await raw(port, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(20_000)}\r\n\r\n`);
  expect(answer).not.toContain("200 OK");
});

test("connections are bounded: the one that was quiet the longest makes room, and a newcomer is always served", async () => {
  const port = await start({ stalledMs: 600_000, headersTimeoutMs: 600_000 });
  const open: Socket[] = [];
  const connected = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(socket));
      socket.on("error", () => {}).resume();
      closers.push(() => socket.destroy());
      open.push(socket);
    });
  const first = await connected();
  for (let i = 0; i < 63; i++) await connected();
  const answered = new Promise((resolve) => first.once("data", resolve));
  first.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await answered;
  for (let i = 0; i < 36; i++) await connected();
  expect((await ask(port, "/healthz")).status).toBe(200);
  await eventually("some are dropped", () => open.filter((socket) => socket.destroyed).length >= 37);
  expect(open.filter((socket) => socket.destroyed)).toEqual(open.slice(1, 38));
});

test("a reader that does not read stops the writing, and is dropped", async () => {
  const all = statusRoutes(await testSource(4_000));
  let writing: Promise<void> | undefined;
  let heldMax = 0;
  const metrics: ReadHandler = (request, response) => {
    const write = response.write.bind(response) as (piece: string) => boolean;
    response.write = (piece: string) => {
      const goesOn = write(piece);
      heldMax = Math.max(heldMax, response.writableLength);
      return goesOn;
    };
    writing = all.get("/metrics")!(request, response);
    return writing;
  };
  const port = await start({ routes: new Map([["/metrics", metrics]]), stalledMs: 300 });
  const socket = connect(port, "127.0.0.1", () => {
    socket.pause();
    socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  });
  closers.push(() => socket.destroy());
  socket.on("error", () => {});
  await eventually("it has begun", () => writing !== undefined);
  await writing;
  expect(heldMax).toBeLessThan(500_000);
  expect(socket.bytesRead).toBeLessThan(10_000_000);
});

test("readers that do not read lose their place after a moment", async () => {
  const port = await start({ routes: statusRoutes(await testSource(4_000)), stalledMs: 600_000 });
  for (let i = 0; i < 8; i++) {
    const socket = connect(port, "127.0.0.1", () => {
      socket.pause();
      socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    });
    closers.push(() => socket.destroy());
    socket.on("error", () => {});
  }
  await eventually("there is no room", async () => (await ask(port, "/metrics")).status === 503);
  await eventually("there is room", async () => (await ask(port, "/metrics")).status === 200);
});

test("a failure in a route is a 500 without its cause", async () => {
  const failing: ReadHandler = () => Promise.reject(new Error("secret detail"));
  const answer = await ask(await start({ routes: new Map([["/x", failing]]) }), "/x");
  expect([answer.status, answer.text.includes("secret")]).toEqual([500, false]);
});

const said: string[] = [];
const log = {
  info: (_: object, message: string): void => void said.push(message),
  error: (fields: object, message: string): void => void said.push(`${JSON.stringify(fields)} ${message}`),
};

test("a port that is taken costs the metrics there, and nothing else", async () => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => squatter.close(resolve)));
  const { port } = squatter.address() as AddressInfo;
  const directory = mkdtempSync(join(tmpdir(), "longhaul-metrics-"));
  closers.push(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "m.sock");
  said.length = 0;
  const listeners = new Listeners(
    [
      { kind: "tcp", host: "127.0.0.1", port },
      { kind: "unix", path },
    ],
    await routes(),
    log,
    20,
  );
  closers.push(() => listeners.close());
  await listeners.started();
  expect(listeners.open).toEqual([`unix:${path}`]);
  expect(said.join("\n")).toContain("EADDRINUSE");
  expect(statSync(path).mode & 0o777).toBe(0o660);
  const answer = await ask(0, "/metrics", { socketPath: path, headers: { host: "anything" } });
  expect(answer.status).toBe(200);
  squatter.close();
  await eventually("it takes the port when it is free", () => listeners.open.length === 2);
  expect(said.filter((line) => line.includes("EADDRINUSE"))).toHaveLength(1);
});

test("a stale socket file is replaced; a live one, or a file, is not", async () => {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-metrics-"));
  closers.push(() => rmSync(directory, { recursive: true }));
  const address = { kind: "unix", path: join(directory, "m.sock") } as const;
  const first = new Listeners([address], await routes(), log);
  closers.push(() => first.close());
  await first.started();
  const second = new Listeners([address], await routes(), log);
  closers.push(() => second.close());
  await second.started();
  expect([first.open.length, second.open.length]).toEqual([1, 0]);
  const file = join(directory, "file");
  writeFileSync(file, "mine");
  const third = new Listeners([{ kind: "unix", path: file }], await routes(), log);
  closers.push(() => third.close());
  await third.started();
  expect([third.open.length, statSync(file).size]).toEqual([0, 4]);
});

test("addresses as text", () => {
  expect(formatListenAddress({ kind: "tcp", host: "::1", port: 9_586 })).toBe("[::1]:9586");
  expect(formatListenAddress({ kind: "tcp", host: "127.0.0.1", port: 9_586 })).toBe("127.0.0.1:9586");
  expect(formatListenAddress({ kind: "unix", path: "/run/x" })).toBe("unix:/run/x");
});
