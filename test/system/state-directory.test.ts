import { chownSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StateDirectory, stateDirectoryPath } from "../../src/system/state-directory.js";
import { requireTools } from "../support/require-tools.js";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "longhaul-state-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

test("is what the service manager says, or the system's", () => {
  expect(stateDirectoryPath({})).toBe("/var/lib/longhaul");
  expect(stateDirectoryPath({ STATE_DIRECTORY: "" })).toBe("/var/lib/longhaul");
  expect(stateDirectoryPath({ STATE_DIRECTORY: "/var/lib/a:/var/lib/b" })).toBe("/var/lib/a");
});

test("is made when it is needed, readable by its owner alone, and so are its files", () => {
  const directory = new StateDirectory(join(path, "a/b"));
  expect(directory.read("file")).toBeUndefined();
  directory.write("file", "text\n");
  expect(directory.read("file")).toBe("text\n");
  expect(statSync(join(path, "a/b")).mode & 0o777).toBe(0o700);
  expect(statSync(join(path, "a/b/file")).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(path, "a/b"))).toEqual(["file"]);
});

test("what is no longer wanted is not written, and leaves nothing", async () => {
  const directory = new StateDirectory(path);
  directory.write("file", "old");
  expect(await directory.writeSoon("file", "new", () => false)).toBe(false);
  expect(directory.read("file")).toBe("old");
  expect(await directory.writeSoon("file", "new", () => true)).toBe(true);
  expect(directory.read("file")).toBe("new");
  expect(readdirSync(path)).toEqual(["file"]);
});

test.each([
  [false, "third"],
  [true, "soon"],
])("writes at once do not disturb one that is under way and is wanted in the end: %s", async (isWanted, text) => {
  const directory = new StateDirectory(path);
  directory.write("file", "first");
  const soon = directory.writeSoon("file", "soon", () => isWanted);
  for (let turn = 0; turn < 3; turn++) {
    for (const other of ["second", "third"]) directory.write("file", other);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await soon).toBe(isWanted);
  expect(directory.read("file")).toBe(text);
  expect(readdirSync(path)).toEqual(["file"]);
});

test("what an interrupted write left is replaced", () => {
  for (const n of [0, 1]) writeFileSync(join(path, `.file.${n}`), "half", { mode: 0o400 });
  const directory = new StateDirectory(path);
  for (const text of ["one", "two", "three"]) directory.write("file", text);
  expect(directory.read("file")).toBe("three");
});

test("what root writes belongs to whom the directory belongs", requireTools([]), async () => {
  chownSync(path, 4_711, 4_712);
  const directory = new StateDirectory(path);
  directory.write("file", "text");
  await directory.writeSoon("other", "text", () => true);
  for (const name of ["file", "other"]) expect(statSync(join(path, name))).toMatchObject({ uid: 4_711, gid: 4_712 });
});
