// How the demo talks: a moving line on a terminal, plain lines elsewhere.
import { PassThrough } from "node:stream";
import type { WriteStream } from "node:tty";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Steps } from "../../src/demo/steps.js";

/** A stream that may be a terminal, with what it was told; escape characters are spelled ESC. */
function screen(isTTY: boolean): { out: WriteStream; text: () => string } {
  const out = Object.assign(new PassThrough(), { isTTY });
  let text = "";
  out.on("data", (bytes) => {
    text += String(bytes).replaceAll("\u001b", "ESC");
  });
  return { out: out as unknown as WriteStream, text: () => text };
}

const kept = { TERM: process.env["TERM"], NO_COLOR: process.env["NO_COLOR"] };
beforeEach(() => {
  process.env["TERM"] = "xterm";
  delete process.env["NO_COLOR"];
});
afterEach(() => {
  for (const [name, value] of Object.entries(kept)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

describe("on a terminal", () => {
  test("the step moves until it is done, then stands with its time and notes", async () => {
    const { out, text } = screen(true);
    const result = await new Steps(out).step("Pack", async (note) => {
      note("two\nlines");
      await new Promise((resolve) => setTimeout(resolve, 200));
      return 7;
    });
    expect(result).toBe(7);
    expect(text()).toMatch(/⠋.*Pack.*⠙.*Pack/s);
    const last = text().split("ESC[K").at(-1)!;
    expect(last).toMatch(/^ESC\[32m✓ESC\[0m Pack ESC\[2m\(0\.\d s\)ESC\[0m\n {4}two\n {4}lines\n$/);
  });

  test("NO_COLOR takes the colours, a dumb terminal the movement", async () => {
    process.env["NO_COLOR"] = "1";
    const plain = screen(true);
    await new Steps(plain.out).step("Pack", async () => {});
    expect(plain.text()).not.toMatch(/ESC\[\d+m/);
    process.env["TERM"] = "dumb";
    const dumb = screen(true);
    await new Steps(dumb.out).step("Pack", async () => {});
    expect(dumb.text()).toMatch(/^… Pack\n✓ Pack \(0\.0 s\)\n$/);
  });
});

describe("elsewhere", () => {
  test("plain lines: begun, then done", async () => {
    const { out, text } = screen(false);
    await new Steps(out).step("Pack", async (note) => note("done well"));
    expect(text()).toMatch(/^… Pack\n✓ Pack \(0\.0 s\)\n {4}done well\n$/);
  });

  test("a step that throws is shown as failed, with what it had found, and throws on", async () => {
    const { out, text } = screen(false);
    const failing = new Steps(out).step("Pack", async (note) => {
      note("half of it");
      throw new Error("torn");
    });
    await expect(failing).rejects.toThrow("torn");
    expect(text()).toMatch(/^… Pack\n✗ Pack \(0\.0 s\)\n {4}half of it\n$/);
  });

  test("silenced, it says nothing more", async () => {
    const { out, text } = screen(false);
    const steps = new Steps(out);
    steps.silence();
    await steps.step("Pack", async () => {});
    steps.say("hello");
    expect(text()).toBe("");
  });
});
