// Nothing of a key is left in the memory of a process that read a file and wiped what it got.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { otherKey } from "./broken-interfaces.js";

const program = fileURLToPath(new URL("key-memory-process.mjs", import.meta.url));

test.each([
  ["wipe", 0],
  ["strip", 0],
  ["keep", 1], //  the search finds what is there
])("%s", async (what, raw) => {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-memory-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "hq.conf");
  const [own, shared, fromFile] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  writeFileSync(join(directory, "psk"), fromFile.toString("base64"), { mode: 0o600 });
  const peers = `[Peer]\nPublicKey = ${otherKey}\nPresharedKey = ${shared.toString("base64")}\n[Peer]\nPublicKey = ${Buffer.alloc(32, 7).toString("base64")}\nPresharedKeyFile = psk\n`;
  const long = `# ${"x".repeat(1_000)}\n`.repeat(1_000); //  more than one read of the file system takes
  writeFileSync(path, `${long}[Interface]\nPrivateKey = ${own.toString("base64")}\n${peers}`, { mode: 0o600 });
  const child = spawn(process.execPath, ["--expose-gc", program, path, what], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const keys = [own, shared, fromFile];
  expect(
    search(
      child.pid!,
      keys.map((key) => Buffer.from(key.toString("base64"))),
    ),
  ).toEqual([0, 0, 0]);
  expect(search(child.pid!, keys).map((count) => Math.min(count, 1))).toEqual([raw, raw, raw]);
});

/** @returns how often each pattern stands in what a process may write to */
function search(pid: number, patterns: readonly Buffer[]): number[] {
  const counts = patterns.map(() => 0);
  const mem = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (const [, from = "", to = ""] of readFileSync(`/proc/${pid}/maps`, "utf8").matchAll(/^(\w+)-(\w+) rw/gm)) {
      const bytes = Buffer.alloc(Number.parseInt(to, 16) - Number.parseInt(from, 16));
      const length = tryRead(mem, bytes, Number.parseInt(from, 16));
      for (const [i, pattern] of patterns.entries()) {
        for (let at = bytes.indexOf(pattern); at >= 0 && at < length; at = bytes.indexOf(pattern, at + 1)) counts[i]!++;
      }
    }
  } finally {
    closeSync(mem);
  }
  return counts;
}

function tryRead(fd: number, into: Buffer, position: number): number {
  try {
    let done = 0;
    while (done < into.length) {
      const count = readSync(fd, into, done, into.length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  } catch {
    return into.length; //  part of it may be read, the rest stays zero
  }
}
