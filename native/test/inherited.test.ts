import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { SystemCallError } from "../errors.js";
import { openUdp } from "../udp.js";
import { sendUnixDatagram } from "../unix-datagram.js";

const packageUrl = new URL("../dist/index.js", import.meta.url).href;

/** Runs `script`, with the package as `t`, in a process that inherits `fd` as descriptor 3. */
function inChild(fd: number, script: string): string {
  const source = `import * as t from ${JSON.stringify(packageUrl)};\n${script}`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", source], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: ["ignore", "pipe", "pipe", fd],
    encoding: "utf8",
  });
  return child.stdout + child.stderr;
}

test("a bound socket is taken over with its port and what it received meanwhile", () => {
  const socket = openUdp({ family: 4, address: "127.0.0.1" });
  const script = `
    const { createSocket } = await import("node:dgram");
    const socket = t.openUdp({ family: 4, fd: 3 });
    const sender = createSocket("udp4");
    await new Promise((sent) => sender.send("x".repeat(32), socket.port, "127.0.0.1", sent));
    sender.close();
    const batch = new t.PacketBatch({ slots: 128, runs: 128, endpoints: 4, arenaBytes: 2 * t.RECEIVE_STRETCH_BYTES });
    console.log(socket.fd, socket.port, socket.receiveBatch(batch));
    socket.close();`;
  expect(inChild(socket.fd, script)).toBe(`3 ${socket.port} 1\n`);
  socket.close();
});

test.each([
  ["of another family", 6, "EPROTOTYPE"],
  ["that is none", 4, "ENOTSOCK"],
] as const)("a descriptor %s is refused and left open", (_, family, code) => {
  const socket = openUdp({ family: 4, address: "127.0.0.1" });
  const file = openSync("/dev/null", "r");
  const script = `
    const { fstatSync } = await import("node:fs");
    try { t.openUdp({ family: ${family}, fd: 3 }); } catch (error) { console.log(error.code, fstatSync(3).ino > 0); }`;
  expect(inChild(family === 6 ? socket.fd : file, script)).toBe(`${code} true\n`);
  closeSync(file);
  socket.close();
});

test("a child process does not inherit what was told to close on exec", () => {
  const file = openSync("/dev/null", "r");
  const script = `
    import { spawnSync } from "node:child_process";
    const open = () => spawnSync("ls", ["/proc/self/fd/3"], { stdio: ["ignore", "ignore", "ignore", "inherit"] }).status;
    const plain = () => spawnSync("sh", ["-c", "test -e /proc/self/fd/3"]).status;
    t.closeOnExec(3);
    console.log(open(), plain());`;
  expect(inChild(file, script)).toBe("0 1\n");
  closeSync(file);
});

test("a datagram that cannot be sent says what to look at", () => {
  expect(() => sendUnixDatagram("/nowhere/notify", "READY=1")).toThrow(
    /^sendmsg: ENOENT .*: nothing listens at \/nowhere/,
  );
  expect(() => sendUnixDatagram("notify", "READY=1")).toThrow(/^sockaddr_un: EINVAL .*has to be absolute/);
  expect(() => sendUnixDatagram("/nowhere", "x", Array(17).fill(0))).toThrow(SystemCallError);
});
