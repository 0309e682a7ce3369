// The control socket by itself: routes, refusals, modes, stale and taken sockets.
import { linkSync, mkdtempSync, rmSync, statSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askControl, NotRunningError } from "../../src/daemon/control-client.js";
import { answerJson, ControlRoutes, type ControlServer, startControlServer } from "../../src/daemon/control-server.js";
import { eventually } from "../support/gateway.js";

describe("control socket", () => {
  let directory: string;
  const open: ControlServer[] = [];
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), "longhaul-control-")), "longhaul");
  });
  afterEach(async () => {
    for (const server of open.splice(0)) await server.close();
    rmSync(join(directory, ".."), { recursive: true });
  });

  const start = async (routes: ControlRoutes, stalledMs?: number): Promise<ControlServer> => {
    const server = await startControlServer("hq", routes, directory, stalledMs);
    open.push(server);
    return server;
  };
  const ask = (method: "GET" | "POST", path: string) => askControl("hq", method, path, directory);
  const hello = (): ControlRoutes =>
    new ControlRoutes().get("/hello", (_request, response) => answerJson(response, 200, { hello: "there" }));

  test("answers a route, also with a query behind it, and names the routes for a path that is none", async () => {
    await start(hello());
    expect(await ask("GET", "/hello?a=b")).toEqual({ status: 200, text: '{"hello":"there"}\n' });
    const missing = await ask("POST", "/hello");
    expect(missing.status).toBe(404);
    expect(JSON.parse(missing.text).error).toBe("no POST /hello here; there is GET /hello");
  });

  test("the directory may be entered by all, the socket only by its user", async () => {
    const { path } = await start(hello());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o755);
  });

  test("an error of a handler reaches the caller as its message", async () => {
    await start(new ControlRoutes().post("/fail", () => Promise.reject(new Error("no such luck"))));
    expect(await ask("POST", "/fail")).toEqual({ status: 500, text: '{"error":"no such luck"}\n' });
  });

  test("without a daemon, and with what a killed one left, nobody runs; the next one takes over", async () => {
    await expect(ask("GET", "/hello")).rejects.toBeInstanceOf(NotRunningError);
    const first = await start(hello());
    await first.close();
    await leaveStaleSocket(first.path);
    await expect(ask("GET", "/hello")).rejects.toBeInstanceOf(NotRunningError);
    await start(hello());
    expect((await ask("GET", "/hello")).status).toBe(200);
  });

  test("a second daemon of that name is refused, and the first goes on", async () => {
    await start(hello());
    await expect(startControlServer("hq", new ControlRoutes(), directory)).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
    expect((await ask("GET", "/hello")).status).toBe(200);
  });

  test("a client that speaks no HTTP, and one that says nothing, hold nobody up", async () => {
    const server = await start(hello());
    const silent = connect(server.path);
    const babbler = connect(server.path);
    babbler.on("error", () => {});
    silent.on("error", () => {});
    babbler.write("\x16\x03\x01 what?\r\n\r\n");
    expect((await ask("GET", "/hello")).status).toBe(200);
    await server.close();
    silent.destroy();
    babbler.destroy();
  });

  test("clients that never read their answer do not keep others out for ever", async () => {
    const long = (_request: unknown, response: ServerResponse): void => void response.end(Buffer.alloc(10_000_000));
    const server = await start(hello().get("/long", long), 300);
    const clients = Array.from({ length: 32 }, () =>
      connect(server.path)
        .on("error", () => {})
        .pause(),
    );
    for (const client of clients) client.write("GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    await eventually("there is room", async () => (await ask("GET", "/hello").catch(() => undefined))?.status === 200);
    for (const client of clients) client.destroy();
  });
});

/** A socket file that nobody listens behind, as kill -9 leaves it. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.other`, resolve));
  linkSync(`${path}.other`, path);
  await new Promise((resolve) => server.close(resolve));
}
