// A file is replaced whole or not at all, and nobody gets to read it who could not before.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { writeFileDurably } from "../../src/system/durable-file.js";

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "longhaul-durable-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

const mode = (path: string): number => statSync(path).mode & 0o7777;

describe("access", () => {
  test.each([
    [undefined, 0o600],
    [0o644, 0o600],
    [0o666, 0o600],
    [0o600, 0o600],
    [0o400, 0o400],
    [0o640, 0o640],
    [0o660, 0o640],
    [0o444, 0o400],
  ])("mode %o becomes %o", (before, after) => {
    const path = join(directory(), "hq.conf");
    if (before !== undefined) {
      writeFileSync(path, "old");
      chmodSync(path, before);
    }
    writeFileDurably(path, Buffer.from("new"));
    expect([readFileSync(path, "utf8"), mode(path)]).toEqual(["new", after]);
  });

  test("owner and group stay", () => {
    if (process.getuid?.() !== 0) return;
    const path = join(directory(), "hq.conf");
    writeFileSync(path, "old", { mode: 0o640 });
    chownSync(path, 0, 12_345);
    writeFileDurably(path, Buffer.from("new"));
    expect([statSync(path).uid, statSync(path).gid, mode(path)]).toEqual([0, 12_345, 0o640]);
  });

  test("a symbolic link stays one", () => {
    const top = directory();
    mkdirSync(join(top, "real"));
    writeFileSync(join(top, "real/hq.conf"), "old");
    symlinkSync("real/hq.conf", join(top, "hq.conf"));
    writeFileDurably(join(top, "hq.conf"), Buffer.from("new"));
    expect(readFileSync(join(top, "real/hq.conf"), "utf8")).toBe("new");
    expect(readdirSync(top).sort()).toEqual(["hq.conf", "real"]);
  });
});

test("what killed writers left is removed, what others may be writing is not", () => {
  const top = directory();
  for (const name of [".hq.conf.999999999.tmp", ".hq.conf.1.tmp", ".other.conf.999999999.tmp", ".hq.conf.x.tmp"]) {
    writeFileSync(join(top, name), "keys");
  }
  writeFileDurably(join(top, "hq.conf"), Buffer.from("new"));
  expect(readdirSync(top).sort()).toEqual([".hq.conf.1.tmp", ".hq.conf.x.tmp", ".other.conf.999999999.tmp", "hq.conf"]);
});

test("a write that fails leaves the old file and nothing else", () => {
  const top = directory();
  mkdirSync(join(top, "hq.conf")); //  no file takes the name of a directory
  writeFileSync(join(top, "hq.conf/inside"), "");
  expect(() => writeFileDurably(join(top, "hq.conf"), Buffer.from("new"))).toThrow();
  expect(readdirSync(top)).toEqual(["hq.conf"]);
});

test("killed at any moment, the file is whole", async () => {
  const top = directory();
  const path = join(top, "hq.conf");
  const texts = ["a", "b"].map((letter) => letter.repeat(100_000));
  const program = fileURLToPath(new URL("durable-file-process.mjs", import.meta.url));
  for (let round = 0; round < 8; round++) {
    writeFileSync(path, texts[0]!);
    const { ino } = statSync(path);
    const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    await once(child.stdout, "data");
    await expect.poll(() => statSync(path).ino, { timeout: 30_000, interval: 1 }).not.toBe(ino);
    await sleep(Math.random() * 20);
    child.kill("SIGKILL");
    await ended;
    expect(texts).toContain(readFileSync(path, "utf8"));
  }
  writeFileDurably(path, Buffer.from("end"));
  expect(readdirSync(top)).toEqual(["hq.conf"]);
});
