import {
  existsSync,
  lstatSync,
  mkdirSync as mkdir,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refreshStagedConfig } from "../../src/cli/staged-config.js";
import { requireTools } from "../support/require-tools.js";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "longhaul-staged-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

describe("the copy that a service reads", requireTools([]), () => {
  const refresh = (): void => refreshStagedConfig("hq", join(path, "staged"), [path]);

  beforeEach(() => writeFileSync(join(path, "hq.conf"), "new", { mode: 0o600 }));

  test("is renewed by root, and nobody may write to it", () => {
    const staged = join(path, "staged");
    mkdir(staged);
    writeFileSync(join(staged, "hq.conf"), "old");
    refresh();
    expect(readFileSync(join(staged, "hq.conf"), "utf8")).toBe("new");
    expect(lstatSync(join(staged, "hq.conf")).mode & 0o777).toBe(0o440);
    expect(readdirSync(staged)).toEqual(["hq.conf"]);
  });

  test("is not made where there is none, and not through a link", () => {
    refresh();
    expect(existsSync(join(path, "staged"))).toBe(false);
    const staged = join(path, "staged");
    mkdir(staged);
    symlinkSync("/dev/null", join(staged, "hq.conf"));
    refresh();
    expect(lstatSync(join(staged, "hq.conf")).isSymbolicLink()).toBe(true);
  });

  test("stays when the file is gone, and says so", () => {
    const staged = join(path, "staged");
    mkdir(staged);
    writeFileSync(join(staged, "hq.conf"), "old");
    rmSync(join(path, "hq.conf"));
    expect(refresh).toThrow(/there is no /);
    expect(readFileSync(join(staged, "hq.conf"), "utf8")).toBe("old");
  });
});
