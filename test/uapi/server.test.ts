import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { ConfigError } from "../../src/config/errors.js";
import { UapiError } from "../../src/uapi/errors.js";
import { UapiParser } from "../../src/uapi/parse.js";
import { exchange, FakeHandler, RawClient, startServer, until } from "./harness.js";
import { device, largeDevice, peer } from "./records.js";

const key = (digit: string): string => digit.repeat(64);

test("an answer arrives whole when the client has ended its side", async () => {
  const { handler, path } = await startServer();
  handler.snapshot = largeDevice(3000, 2);
  const answer = await exchange(path, "get=1\n\n");
  expect(answer.length).toBeGreaterThan(1 << 20);
  expect(answer.endsWith("\nerrno=0\n\n")).toBe(true);
});

test("a get is answered, and again on the same connection", async () => {
  const { handler, path } = await startServer();
  handler.snapshot = device({ listenPort: 7 });
  expect(await exchange(path, "get=1\n\nget=1\n\n")).toBe("listen_port=7\nerrno=0\n\n".repeat(2));
});

test("a set reaches the handler whole, then get and set may follow", async () => {
  const { handler, path } = await startServer();
  const answer = await exchange(path, `set=1\nlisten_port=9\npublic_key=${key("a")}\n\nget=1\n\nset=1\n\n`);
  expect(answer).toBe("errno=0\n\n".repeat(3));
  expect(handler.updates).toMatchObject([{ listenPort: 9, peers: [{ allowedIps: [] }] }, { peers: [] }]);
});

test("a malformed set reaches the handler not at all, and the connection goes on", async () => {
  const { handler, path, errors } = await startServer();
  const answer = await exchange(path, `set=1\nlisten_port=9\nlisten_port=99999\nfwmark=1\n\nset=1\nfwmark=2\n\n`);
  expect(answer).toBe("errno=-22\n\nerrno=0\n\n");
  expect(handler.updates).toEqual([{ fwmark: 2, peers: [] }]);
  expect(errors).toEqual([
    'UAPI set refused with errno 22: line 3: port "99999"; write a decimal number from 0 to 65535',
  ]);
});

test("a set that the client does not finish is refused", async () => {
  const { handler, path } = await startServer();
  expect(await exchange(path, "set=1\nlisten_port=5182")).toBe("errno=-71\n\n");
  expect(handler.updates).toEqual([]);
});

test.each([
  [new UapiError("EADDRINUSE", "port"), 98],
  [Object.assign(new Error("bind"), { errno: -13 }), 13],
  [Object.assign(new Error("bind"), { errno: 13 }), 13],
  [Object.assign(new Error("bind"), { code: "EPERM" }), 1],
  [new ConfigError("ERR_NUMBER", "a", "b"), 22],
  [new Error("anything"), 5],
  ["not an error", 5],
])("%s of the handler is errno %i: negative after a set, positive after a get", async (failure, errno) => {
  const { handler, path } = await startServer();
  handler.failure = failure;
  expect(await exchange(path, "set=1\n\nget=1\n\n")).toBe(`errno=-${errno}\n\nerrno=${errno}\n\n`);
  handler.failure = undefined;
  expect(await exchange(path, "get=1\n\n")).toBe("errno=0\n\n");
});

test("handlers may take their time", async () => {
  const handler = new FakeHandler();
  const { path } = await startServer({
    handler: {
      get: async () => delay(5, device({ fwmark: 3 })),
      set: async (update) => {
        await delay(5);
        handler.set(update);
      },
    },
  });
  expect(await exchange(path, "set=1\nfwmark=3\n\nget=1\n\n")).toBe("errno=0\n\nfwmark=3\nerrno=0\n\n");
  expect(handler.updates).toEqual([{ fwmark: 3, peers: [] }]);
});

test("keys are zeroed when they have been used", async () => {
  const seen: Uint8Array[] = [];
  const received = vi.spyOn(UapiParser.prototype, "push");
  const allocated = vi.spyOn(Buffer, "alloc");
  const snapshot = device({
    privateKey: new Uint8Array(32).fill(7),
    peers: [peer({ presharedKey: new Uint8Array(32).fill(7) })],
  });
  const { path } = await startServer({
    handler: {
      get: () => snapshot,
      set: (update) => {
        seen.push(update.privateKey as Uint8Array, update.peers[0].presharedKey as Uint8Array);
        expect(seen.map((bytes) => bytes[0])).toEqual([0x77, 0x77]);
      },
    },
  });
  const text = `set=1\nprivate_key=${key("7")}\npublic_key=${key("a")}\npreshared_key=${key("7")}\n\nget=1\n\n`;
  expect(await exchange(path, text)).toContain(`private_key=${"07".repeat(32)}\n`);
  const input = received.mock.calls.map(([bytes]) => bytes);
  const own = allocated.mock.results.map(({ value }) => value as Buffer);
  received.mockRestore();
  allocated.mockRestore();
  expect(own.length).toBeGreaterThan(1);
  expect(own.filter((buffer) => buffer.includes("0707") || buffer.includes("7777"))).toEqual([]);
  expect(Buffer.concat(input).length).toBe(text.length);
  expect(input.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
  for (const bytes of [...seen, snapshot.privateKey as Uint8Array, snapshot.peers[0].presharedKey]) {
    expect(bytes).toEqual(new Uint8Array(32));
  }
});

test("no key reaches the log", async () => {
  const log: string[] = [];
  const { path } = await startServer({
    log: { debug: (message) => log.push(message), error: (message) => log.push(message) },
  });
  const secret = key("7");
  for (const line of [`private_key=${secret}7`, `public_key=${secret}7`, `listen_port=1\n${secret}`, secret]) {
    await exchange(path, `set=1\n${line}\n\n`);
  }
  await exchange(path, `${secret}\n`);
  expect(log).toHaveLength(5);
  expect(log.join()).not.toContain("777");
});

test("a thousand clients that connect and close, in turn and at once, leave nothing behind", async () => {
  const { server, path, errors } = await startServer();
  for (let i = 0; i < 500; i++) {
    const client = new RawClient(path);
    await client.connected;
    client.socket.destroy();
  }
  const clients = Array.from({ length: 500 }, () => new RawClient(path));
  for (const client of clients) {
    await client.connected;
    client.socket.destroy();
  }
  await until(() => server.clientCount === 0);
  expect(await exchange(path, "get=1\n\n")).toBe("errno=0\n\n");
  expect(errors).toEqual([]);
});

test("a client that goes away in the middle of an answer or of a set does no harm", async () => {
  const { server, handler, path } = await startServer();
  handler.snapshot = largeDevice(2000, 4);
  for (let i = 0; i < 20; i++) {
    const client = new RawClient(path);
    await client.connected;
    client.socket.write(i % 2 === 0 ? "get=1\n\n" : "set=1\nlisten_port=1\n");
    await delay(i % 5);
    client.socket.destroy();
  }
  await until(() => server.clientCount === 0);
  handler.snapshot = device({});
  expect(await exchange(path, "get=1\n\n")).toBe("errno=0\n\n");
  expect(handler.updates).toEqual([]);
});

test("when too many come, the quietest goes", async () => {
  const { server, path } = await startServer({ clientsMax: 4 });
  const clients: RawClient[] = [];
  for (let i = 0; i < 4; i++) {
    clients.push(new RawClient(path));
    await clients[i].connected;
  }
  await until(() => server.clientCount === 4);
  expect(await clients[0].ask("get=1\n\n")).toBe("errno=0\n\n");
  expect(await exchange(path, "get=1\n\n")).toBe("errno=0\n\n");
  await clients[1].closed;
  expect(await clients[0].ask("get=1\n\n")).toBe("errno=0\n\n");
  expect(await clients[3].ask("get=1\n\n")).toBe("errno=0\n\n");
});

test("a client that stands still inside an operation is dropped, one that stands still between two is not", async () => {
  const { server, path } = await startServer({ stallTimeoutMs: 100 });
  const idle = new RawClient(path);
  expect(await idle.ask("get=1\n\n")).toBe("errno=0\n\n");
  const stuck = new RawClient(path);
  await stuck.connected;
  stuck.socket.write("set=1\nlisten_port=1\n");
  await stuck.closed;
  await delay(200);
  expect(server.clientCount).toBe(1);
  expect(await idle.ask("get=1\n\n")).toBe("errno=0\n\n");
});

test("close() drops clients at once", async () => {
  const { server, path } = await startServer();
  const client = new RawClient(path);
  await client.connected;
  await until(() => server.clientCount === 1);
  await server.close();
  await client.closed;
  await expect(new RawClient(path).connected).rejects.toMatchObject({ code: "ENOENT" });
});
