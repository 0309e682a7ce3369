// Hooks: what is run, what is heard, what fails, and what nobody else sees.
import { expect, test } from "vitest";
import { HookError, runHooks } from "../../src/system/hooks.js";

const run = async (...hooks: string[]): Promise<string[]> => {
  const heard: string[] = [];
  await runHooks("PostUp", hooks, "hq", (line) => heard.push(line));
  return heard;
};

test("hooks run in order, %i is the interface, both streams are heard by the line", async () => {
  expect(await run("echo up %i; echo %i >&2", "printf 'no newline'")).toEqual([
    "echo up hq; echo hq >&2",
    "up hq",
    "hq",
    "printf 'no newline'",
    "no newline",
  ]);
});

test("the first command that fails ends a hook, and the first hook that fails ends them all", async () => {
  const heard: string[] = [];
  const failing = runHooks("PreUp", ["false; echo not reached", "echo nor this"], "hq", (line) => heard.push(line));
  await expect(failing).rejects.toThrow(new HookError('PreUp "false; echo not reached" failed with status 1'));
  expect(heard).toEqual(["false; echo not reached"]);
  await expect(run("exit 7")).rejects.toThrow("status 7");
  await expect(run("kill -TERM $$")).rejects.toThrow("status 143");
});

test("a hook's text is on no command line and in no environment, and its descriptor is not handed on", async () => {
  const look =
    "tr '\\0' ' ' </proc/$$/cmdline; tr '\\0' ' ' </proc/$$/environ; readlink /proc/$$/fd/3 || echo; echo closed";
  const [, ...seen] = await run(`SECRET=hush; ${look}`);
  expect(seen.join("\n")).not.toContain("hush");
  expect(seen[0]).toMatch(/^bash .* longhaul PostUp /);
  expect(seen.at(-1)).toBe("closed");
  expect(seen.join("\n")).not.toContain("pipe:");
});

test("what a hook leaves running in the background does not hold it up", async () => {
  expect(await run("sleep 5 & echo done")).toEqual(["sleep 5 & echo done", "done"]);
});
