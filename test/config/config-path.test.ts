// From what an admin types to a file.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONFIG_DIRECTORIES, findConfig } from "../../src/config/config-path.js";

let top: string;
let directories: string[];

beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), "longhaul-paths-"));
  directories = [join(top, "longhaul"), join(top, "wireguard")];
  for (const directory of directories) mkdirSync(directory);
  for (const path of ["longhaul/hq.conf", "wireguard/hq.conf", "wireguard/wg0.conf"])
    writeFileSync(join(top, path), "");
});
afterAll(() => rmSync(top, { recursive: true }));

describe("a name", () => {
  test("is looked for in our directory, then in that of wg-quick(8)", () => {
    expect(CONFIG_DIRECTORIES).toEqual(["/etc/longhaul", "/etc/wireguard"]);
    expect(findConfig("hq", directories)).toEqual({ interfaceName: "hq", path: join(top, "longhaul/hq.conf") });
    expect(findConfig("wg0", directories)).toEqual({ interfaceName: "wg0", path: join(top, "wireguard/wg0.conf") });
  });

  test("that has no file, or can be no interface", () => {
    expect(() => findConfig("nosuch", directories)).toThrow(
      `there is no ${top}/longhaul/nosuch.conf and no ${top}/wireguard/nosuch.conf; write the configuration to ` +
        `${top}/longhaul/nosuch.conf, or give the path of a file that ends in .conf`,
    );
    expect(() => findConfig("name-that-is-too-long", directories)).toThrow(/interface name ".*": 21 characters; write/);
    expect(() => findConfig("", directories)).toThrow(/interface name "": empty/);
    expect(() => findConfig("..", directories)).toThrow(/a directory/);
  });
});

describe("a path", () => {
  test("absolute, or relative", () => {
    const path = join(top, "wireguard/wg0.conf");
    expect(findConfig(path, [])).toEqual({ interfaceName: "wg0", path });
    expect(findConfig(relative(process.cwd(), path), [])).toEqual({ interfaceName: "wg0", path });
  });

  test("that is none, or names no interface", () => {
    expect(() => findConfig(join(top, "hq"), [])).toThrow(
      /its name does not end in \.conf; write the name of an interface/,
    );
    expect(() => findConfig(join(top, "none.conf"), [])).toThrow(
      /there is no file ".*none\.conf"; write the configuration/,
    );
    expect(() => findConfig("./.conf", [])).toThrow(/interface name "": empty/);
    expect(() => findConfig("./a b.conf", [])).toThrow(/interface name "a b": a character that is not allowed/);
  });
});
