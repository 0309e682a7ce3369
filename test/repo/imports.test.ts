import { describe, expect, test } from "vitest";
import { cycleFindings, exportFindings, layerFindings } from "./imports.js";
import { listed, parse, projectUnits } from "./project.js";

const units = projectUnits();

describe("the project", () => {
  test("imports go down only", () => {
    expect(listed(layerFindings(units))).toEqual([]);
  });

  test("no import cycles", () => {
    expect(listed(cycleFindings(units))).toEqual([]);
  });

  test("no default exports, no barrels but native/index.ts", () => {
    expect(listed(exportFindings(units))).toEqual([]);
  });
});

describe("the rules see what they forbid", () => {
  const layerOf = (path: string, specifier: string): string[] =>
    listed(layerFindings(parse({ [path]: `import { x } from "${specifier}";\n` })));

  test.each([
    ["src/core/device/peer.ts", "node:fs"],
    ["src/core/device/peer.ts", "../../config/key.js"],
    ["src/core/device/peer.ts", "libsodium-wrappers"],
    ["src/core/device/peer.ts", "tun-tap-ts"],
    ["src/core/device/peer.ts", "../../../native/packet-batch.js"],
    ["src/core/device/peer.ts", "../../../test/sim/world.js"],
    ["src/config/key.ts", "../uapi/parse.js"],
    ["src/uapi/parse.ts", "../io/tun.js"],
    ["src/metrics/exporter.ts", "../daemon/daemon.js"],
    ["src/system/routes.ts", "tun-tap-ts"],
    ["src/io/tun.ts", "../daemon/daemon.js"],
    ["src/daemon/daemon.ts", "../cli/main.js"],
    ["src/daemon/daemon.ts", "tun-tap-ts"],
    ["src/daemon/daemon.ts", "express"],
    ["src/config/key.ts", "pino"],
    ["src/core/noise/primitives.ts", "@noble/hashes/blake2.js"],
    ["src/unheard-of/x.ts", "node:fs"],
    ["native/tun.ts", "../src/core/drop-reason.js"],
    ["native/tun.ts", "pino"],
  ])("%s may not import %s", (path, specifier) => {
    expect(layerOf(path, specifier)).toHaveLength(1);
  });

  test.each([
    ["src/core/noise/primitives.ts", "libsodium-wrappers"],
    ["src/core/device/peer.ts", "../noise/handshake.js"],
    ["src/io/tun.ts", "tun-tap-ts"],
    ["src/daemon/daemon.ts", "pino"],
    ["src/cli/main.ts", "../daemon/daemon.js"],
    ["native/tun.ts", "node:os"],
    ["native/test/tun.test.ts", "vitest"],
  ])("%s may import %s", (path, specifier) => {
    expect(layerOf(path, specifier)).toEqual([]);
  });

  test("dynamic and type imports count", () => {
    const samples = {
      "src/core/a.ts": 'export const a = (): Promise<unknown> => import("node:fs");\n',
      "src/core/b.ts": 'export type B = import("../io/tun.js").Tun;\n',
      "src/core/c.ts": 'export { x } from "../io/tun.js";\n',
    };
    expect(layerFindings(parse(samples)).map((finding) => finding.path)).toEqual(Object.keys(samples));
  });

  test("a cycle through three files", () => {
    const samples = {
      "src/core/a.ts": 'import "./b.js";\n',
      "src/core/b.ts": 'import "./c.js";\n',
      "src/core/c.ts": 'import { type a } from "./a.js";\n',
      "src/core/d.ts": 'import "./a.js";\n',
    };
    expect(listed(cycleFindings(parse(samples)))).toEqual([
      "src/core/a.ts:0: import cycle: src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts",
    ]);
  });

  test("type imports make no cycle", () => {
    const samples = {
      "src/core/a.ts": 'import type { b } from "./b.js";\n',
      "src/core/b.ts": 'import { a } from "./a.js";\n',
    };
    expect(cycleFindings(parse(samples))).toEqual([]);
  });

  test.each([
    "export default class A {}\n",
    "export default 1;\n",
    "const a = 1;\nexport { a as default };\n",
    'export * from "./b.js";\n',
    'export { b } from "./b.js";\n',
  ])("export rule: %j", (text) => {
    expect(exportFindings(parse({ "src/core/a.ts": text }))).toHaveLength(1);
  });

  test("native/index.ts may re-export", () => {
    expect(exportFindings(parse({ "native/index.ts": 'export * from "./tun.js";\n' }))).toEqual([]);
  });
});
