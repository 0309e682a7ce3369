import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { exchange, startServer, temporaryDirectory, until } from "./harness.js";

/** A process that listens at `path` and is then killed, which leaves the socket file. */
async function leaveStaleSocket(path: string): Promise<void> {
  const child = listenElsewhere(path);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(lstatSync(path).isSocket()).toBe(true);
}

function listenElsewhere(path: string): ChildProcess {
  const script = `require("node:net").createServer().listen({ path: process.argv[1], backlog: 4 }, () => console.log("listening"))`;
  const child = spawn(process.execPath, ["-e", script, path], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test("the directory is 0755 and the socket 0700, whatever the umask, which is left as it was", async () => {
  const directory = `${temporaryDirectory()}/run/wireguard`;
  const umask = process.umask(0o077);
  onTestFinished(() => void process.umask(umask));
  const { path } = await startServer({ directory });
  expect(lstatSync(directory).mode & 0o777).toBe(0o755);
  process.umask(0);
  const { path: other } = await startServer({ directory, interfaceName: "wg1" });
  expect(process.umask(0)).toBe(0);
  expect(lstatSync(path).mode & 0o777).toBe(0o700);
  expect(lstatSync(other.replace("wg0", "wg1")).mode & 0o777).toBe(0o700);
});

test("a directory that is there stays as it is", async () => {
  const directory = temporaryDirectory();
  chmodSync(directory, 0o750);
  await startServer({ directory });
  expect(lstatSync(directory).mode & 0o777).toBe(0o750);
  expect(readdirSync(directory)).toEqual(["wg0.sock"]);
});

test("the socket file goes with the server", async () => {
  const { server, directory } = await startServer();
  await server.close();
  expect(readdirSync(directory)).toEqual([]);
});

test("a stale socket is replaced", async () => {
  const directory = temporaryDirectory();
  await leaveStaleSocket(`${directory}/wg0.sock`);
  const { path } = await startServer({ directory });
  expect(await exchange(path, "get=1\n\n")).toBe("errno=0\n\n");
});

test("the socket of a running daemon is not", async () => {
  const { path, directory } = await startServer();
  await expect(startServer({ directory })).rejects.toMatchObject({
    code: "EADDRINUSE",
    message: expect.stringContaining("is in use by a running daemon"),
  });
  expect(readdirSync(directory)).toEqual(["wg0.sock"]);
  expect(await exchange(path, "get=1\n\n")).toBe("errno=0\n\n");
});

test("nor is one whose daemon is too busy to answer", async () => {
  const directory = temporaryDirectory();
  const child = listenElsewhere(`${directory}/wg0.sock`);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  child.kill("SIGSTOP");
  let refusal: { code?: string } | undefined;
  for (let i = 0; i < 100 && refusal === undefined; i++) {
    const client = connect(`${directory}/wg0.sock`);
    onTestFinished(() => void client.destroy());
    await once(client, "connect").catch((error) => {
      refusal = error;
    });
  }
  expect(refusal?.code).toBe("EAGAIN"); //  the backlog is full
  await expect(startServer({ directory })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("a file that is no socket is left alone", async () => {
  const directory = temporaryDirectory();
  writeFileSync(`${directory}/wg0.sock`, "precious");
  await expect(startServer({ directory })).rejects.toThrow(/exists and is not a socket; remove it/);
  expect(readdirSync(directory)).toEqual(["wg0.sock"]);
});

test.each<[string, (path: string) => void]>([
  ["deleted", (path) => rmSync(path)],
  ["renamed", (path) => renameSync(path, `${path}.old`)],
  [
    "replaced by a file",
    (path) => {
      writeFileSync(`${path}.new`, "");
      renameSync(`${path}.new`, path);
    },
  ],
  ["deleted with its directory", (path) => rmSync(path.replace("/wg0.sock", ""), { recursive: true })],
])("a socket file that is %s is noticed, once", async (_, act) => {
  const directory = `${temporaryDirectory()}/wireguard`;
  mkdirSync(directory);
  let vanished = 0;
  const { path, server } = await startServer({ directory, onVanished: () => vanished++ });
  writeFileSync(`${directory}/other.sock`, "");
  rmSync(`${directory}/other.sock`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(vanished).toBe(0);
  act(path);
  await until(() => vanished > 0);
  await server.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(vanished).toBe(1);
});

test("closing is no vanishing", async () => {
  let vanished = 0;
  const { server } = await startServer({ onVanished: () => vanished++ });
  await server.close();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(vanished).toBe(0);
});

test("a socket file that is somebody else's by now is not removed", async () => {
  const { server, path } = await startServer();
  rmSync(path);
  const other = createServer().listen(path);
  await once(other, "listening");
  await server.close();
  expect(existsSync(path)).toBe(true);
  other.close();
});
