// The README's programs, run as they stand.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { canPing, ip, Namespace, run, until } from "./namespaces.js";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

beforeAll(() => {
  if (!existsSync(new URL("../dist/index.js", import.meta.url))) throw new Error("not built: npm run build");
});

/** The program under a heading. */
function program(heading: string): string {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0];
  const code = /```js\n(.*?)```/s.exec(section ?? "")?.[1];
  if (code === undefined) throw new Error(`no program under "${heading}"`);
  return code;
}

/** Starts a program in the namespace of this thread; `text()` is what it printed. */
function start(heading: string, ...args: string[]): { child: ChildProcess; text: () => string } {
  const child = spawn(process.execPath, ["--input-type=module", "-", ...args], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin?.end(program(heading));
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data) => {
      text += data;
    });
  }
  return { child, text: () => text };
}

test("in batches", async () => {
  const { child, text } = start("In batches");
  await once(child, "close");
  expect(text()).toBe("sent 100 datagrams in two messages\nreceived 100 in 1 run, the first of 1200 bytes\n");
});

describe.runIf(canPing)("with devices", () => {
  test("packet by packet: pings are answered", async () => {
    const { text } = start("Packet by packet");
    await until("the device", () => text() === "demo0 is up\n");
    expect(run("ping", "-c", "3", "-i", "0.1", "-W", "2", "10.5.0.2")).toMatch(/3 packets transmitted, 3 received/);
  });

  test("a tunnel: pings pass between two of them", async () => {
    const [left, right] = [Namespace.create(), Namespace.create()];
    left.within(() => ip("link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", right.path));
    const texts = [left, right].map((site, i) =>
      site.within(() => {
        ip("addr", "add", `192.168.8.${i + 1}/24`, "dev", "v0");
        ip("link", "set", "v0", "up");
        return start("A tunnel", "6000", `192.168.8.${2 - i}`, "6000").text;
      }),
    );
    await until("both devices", () => texts.every((text) => text() === "tunnel0 is up\n"));
    [left, right].forEach((site, i) => {
      site.within(() => ip("addr", "add", `10.6.0.${i + 1}/24`, "dev", "tunnel0"));
    });
    const pinged = left.within(() => run("ping", "-c", "3", "-i", "0.1", "-W", "2", "-s", "1300", "10.6.0.2"));
    expect(pinged).toMatch(/3 packets transmitted, 3 received/);
    left.close();
    right.close();
  });
});
