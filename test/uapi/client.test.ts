import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { getDevice, setDevice } from "../../src/uapi/client.js";
import { UapiError } from "../../src/uapi/errors.js";
import { startServer, temporaryDirectory } from "./harness.js";
import { device, largeDevice, peer } from "./records.js";

/** A server that sends `answer`, whatever it is asked, and closes. */
async function answerWith(answer: string): Promise<string> {
  const path = `${temporaryDirectory()}/wg0.sock`;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(answer);
  }).listen(path);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return path;
}

test("no socket file: no daemon", async () => {
  const path = `${temporaryDirectory()}/wg0.sock`;
  await expect(getDevice(path)).rejects.toMatchObject({
    code: "ENOENT",
    message: `no daemon answers at "${path}"; start it with longhaul IFNAME`,
  });
});

test("a refusal comes back with its errno, from get and set alike", async () => {
  const { handler, path } = await startServer();
  handler.failure = new UapiError("EADDRINUSE", "port");
  for (const attempt of [getDevice(path), setDevice(path, { listenPort: 1, peers: [] })]) {
    await expect(attempt).rejects.toMatchObject({ code: "EADDRINUSE", errno: 98 });
  }
});

test("a refusal in the middle of a long set does not leave it waiting", async () => {
  const { path, handler } = await startServer();
  const { peers } = largeDevice(20_000, 0);
  const update = { listenPort: 1, peers: peers.map(({ publicKey }) => ({ publicKey, allowedIps: [] })) };
  (update.peers[0] as { persistentKeepaliveS?: number }).persistentKeepaliveS = 65536;
  await expect(setDevice(path, update)).rejects.toMatchObject({ code: "EINVAL" });
  expect(handler.updates).toEqual([]);
});

test.each(["", "errno=0\n", "listen_port=1\nerr", "listen_port=1\nerrno=0"])(
  "an answer broken off: %j",
  async (answer) => {
    const path = await answerWith(answer);
    await expect(getDevice(path)).rejects.toMatchObject({ code: "EPROTO" });
    await expect(setDevice(path, { peers: [] })).rejects.toMatchObject({ code: "EPROTO" });
  },
);

test("an errno that has no name is EIO", async () => {
  await expect(getDevice(await answerWith("errno=99999\n\n"))).rejects.toMatchObject({ code: "EIO" });
});

test("an answer that makes no sense says which text", async () => {
  await expect(getDevice(await answerWith("listen_port=x\n\n"))).rejects.toThrow('port "x"');
});

test("keys that a newer daemon may add are passed over", async () => {
  const path = await answerWith(`colour=blue\nlisten_port=3\npublic_key=${"a".repeat(64)}\nmood=good\nerrno=0\n\n`);
  expect(await getDevice(path)).toEqual(
    device({ listenPort: 3, peers: [peer({ publicKey: new Uint8Array(32).fill(0xaa) })] }),
  );
});
