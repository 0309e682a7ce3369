// A running wireguard-go is asked the lines that our parser is tested with, and must answer the same.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wireguardGo } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { key, linesOnDevice, linesOnPeer, stricterLinesOnPeer } from "../uapi/answers.js";
import { RawClient, until } from "../uapi/harness.js";

const name = `lha${randomBytes(4).toString("hex")}`;
const path = `/var/run/wireguard/${name}.sock`;
const needs = requireTools(["wireguard-go", "ip"]);
let daemon: ChildProcess | undefined;

beforeAll(async () => {
  if (needs.skip) {
    return;
  }
  execFileSync("ip", ["netns", "add", name]);
  daemon = spawn("ip", ["netns", "exec", name, wireguardGo.path, "-f", name], { stdio: "ignore" });
  await until(() => existsSync(path));
});

afterAll(async () => {
  const running = daemon;
  if (running !== undefined) {
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGTERM");
    await ended;
    execFileSync("ip", ["netns", "delete", name]);
  }
});

async function answerTo(lines: string): Promise<number> {
  const client = new RawClient(path);
  const answer = await client.ask(`set=1\n${lines}\n\n`);
  client.socket.destroy();
  return Math.abs(Number(/^errno=(-?\d+)\n\n$/.exec(answer)?.[1]));
}

describe("wireguard-go answers as we do", needs, () => {
  test.each(linesOnDevice)("%j before the first peer: %i", async (line, errno) => {
    expect(await answerTo(line)).toBe(errno);
  });

  test.each(linesOnPeer)("%j in a peer section: %i", async (line, errno) => {
    expect(await answerTo(`public_key=${key("a")}\n${line}`)).toBe(errno);
  });

  test.each(stricterLinesOnPeer)("but takes %j", async (line) => {
    expect(await answerTo(`public_key=${key("a")}\n${line}`)).toBe(0);
  });

  test("and closes without an answer what is no operation, with one what is too long", async () => {
    for (const [text, answer] of [
      ["foo=1\n\n", ""],
      ["\n", ""],
      [`set=1\n${"x".repeat(70_000)}\n`, "errno=-5\n\n"],
    ]) {
      const client = new RawClient(path);
      await client.connected;
      client.socket.write(text);
      await client.closed;
      expect(client.received).toBe(answer);
    }
  });
});
