// Ten thousand peers: the event loop goes on while they are listed or set, and a client that does not read costs little.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { getDevice, setDevice } from "../../src/uapi/client.js";
import { UapiParser } from "../../src/uapi/parse.js";
import { RawClient, startServer, until } from "./harness.js";
import { device, largeDevice } from "./records.js";

const PEERS = 10_000;
const ALLOWED_IPS_PER_PEER = 6;
/** An answer of 4 MB is of more slices than that. */
const SLICES_MIN = 80;
/** Turns of the event loop that went on for others while `work` was done: at least one a slice. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let done = false;
  void work.finally(() => {
    done = true;
  });
  let turns = 0;
  for (; !done; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return turns;
}

/** Counts what the parser is given in each turn of the event loop. */
function watchSlices(): { stop(): { bytesMax: number; perTurnMax: number } } {
  const push = UapiParser.prototype.push;
  let bytesMax = 0;
  let perTurnMax = 0;
  let thisTurn = 0;
  let watching = true;
  const spy = vi.spyOn(UapiParser.prototype, "push").mockImplementation(function (this: UapiParser, bytes) {
    bytesMax = Math.max(bytesMax, bytes.length);
    perTurnMax = Math.max(perTurnMax, ++thisTurn);
    push.call(this, bytes);
  });
  const nextTurn = (): void => {
    thisTurn = 0;
    if (watching) {
      setImmediate(nextTurn);
    }
  };
  nextTurn();
  return {
    stop() {
      watching = false;
      spy.mockRestore();
      return { bytesMax, perTurnMax };
    },
  };
}

test("a get of 10,000 peers and 60,000 allowed-ips arrives whole, in slices", async () => {
  const { handler, path } = await startServer();
  handler.snapshot = largeDevice(PEERS, ALLOWED_IPS_PER_PEER);
  const client = new RawClient(path);
  await client.connected;
  const answer = client.ask("get=1\n\n");
  expect(await turnsDuring(answer)).toBeGreaterThan(SLICES_MIN);
  const lines = (await answer).split("\n");
  expect(lines.filter((line) => line.startsWith("public_key="))).toHaveLength(PEERS);
  expect(new Set(lines.filter((line) => line.startsWith("allowed_ip="))).size).toBe(PEERS * ALLOWED_IPS_PER_PEER);
  expect(lines.slice(-3)).toEqual(["errno=0", "", ""]);
  client.socket.destroy();
});

test("a set of 10,000 peers and 60,000 allowed-ips arrives whole, in slices", async () => {
  const { handler, path } = await startServer();
  const { peers } = largeDevice(PEERS, ALLOWED_IPS_PER_PEER);
  const text = [
    "set=1\nreplace_peers=true\n",
    ...peers.map(({ publicKey }, p) => {
      const ips = Array.from(
        { length: ALLOWED_IPS_PER_PEER },
        (_, i) => `allowed_ip=10.${p >> 8}.${p & 255}.${i}/32\n`,
      );
      return `public_key=${Buffer.from(publicKey).toString("hex")}\n${ips.join("")}`;
    }),
    "\n",
  ].join("");
  const client = new RawClient(path);
  await client.connected;
  const slices = watchSlices();
  const answer = client.ask(text);
  await answer;
  const { bytesMax, perTurnMax } = slices.stop();
  expect(bytesMax).toBeLessThanOrEqual(16 << 10);
  expect(perTurnMax).toBeLessThanOrEqual(2); //  the last of one read, and the first of the next
  expect(await answer).toBe("errno=0\n\n");
  expect(handler.updates[0].peers).toHaveLength(PEERS);
  expect(handler.updates[0].peers.every(({ allowedIps }) => allowedIps.length === ALLOWED_IPS_PER_PEER)).toBe(true);
  client.socket.destroy();
});

test("what our own client sets and gets is the same", async () => {
  const { handler, path } = await startServer();
  handler.snapshot = largeDevice(500, ALLOWED_IPS_PER_PEER); //  comparing more takes long
  expect(await getDevice(path)).toEqual(handler.snapshot);
  const peers = handler.snapshot.peers.map(({ publicKey, allowedIps }) => ({
    publicKey,
    allowedIps: allowedIps.map((prefix) => ({ prefix, remove: false })),
  }));
  await setDevice(path, { listenPort: 4, peers });
  expect(handler.updates).toEqual([{ listenPort: 4, peers }]);
});

test("clients that never read hold a few slices each, delay nobody, and are dropped in the end", async () => {
  const { server, handler, path } = await startServer({ stallTimeoutMs: 3000 });
  const snapshot = largeDevice(PEERS, ALLOWED_IPS_PER_PEER);
  handler.get = () => snapshot;
  const clients = Array.from({ length: 30 }, () => new RawClient(path));
  for (const client of clients) {
    client.socket.pause();
    await client.connected;
    client.socket.write("get=1\n\n".repeat(100));
  }
  await until(() => server.clientCount === 30);
  const before = process.memoryUsage();
  await delay(500);
  const after = process.memoryUsage();
  const grownBytes = after.external + after.arrayBuffers - before.external - before.arrayBuffers;
  expect(grownBytes).toBeLessThan(16 << 20); //  one answer is of 5 MB, thirty times hundred are asked for

  handler.get = () => device({ listenPort: 7 });
  const beforeMs = performance.now();
  expect(await new RawClient(path).ask("get=1\n\n")).toBe("listen_port=7\nerrno=0\n\n");
  expect(performance.now() - beforeMs).toBeLessThan(1000);
  await until(() => server.clientCount <= 1, 10_000);
  for (const client of clients) {
    client.socket.destroy();
  }
});
