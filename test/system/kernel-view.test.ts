// What ip(8) prints, read: here a stand-in for it, which prints more routes than are parsed in one go, of every shape that iproute2
// 6.1 gives an entry.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inForce } from "../../src/system/kernel-view.js";
import { MAIN_TABLE, type NetworkState, type Route } from "../../src/system/network-state.js";

const ROUTES = 6_000;
const prefixOf = (i: number): string => `10.${i >> 8}.${i & 255}.0/24`;
const route = (prefix: string, table = MAIN_TABLE, protocol = 4): Route => ({ prefix, table, protocol });

let directory: string;
let path: string | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "longhaul-ip-"));
  path = process.env["PATH"];
  process.env["PATH"] = `${directory}:${path}`;
});
afterEach(() => {
  process.env["PATH"] = path;
  rmSync(directory, { recursive: true });
});

/** An `ip` that knows these routes, and no IPv6 ones. */
function standIn(entries: readonly object[]): void {
  const link = [{ mtu: 1_420, flags: ["UP"], addr_info: [{ local: "10.99.0.1", prefixlen: 24 }] }];
  writeFileSync(join(directory, "link"), JSON.stringify(link));
  writeFileSync(join(directory, "routes"), `${JSON.stringify(entries)}\n`);
  const script = `#!/bin/sh\ncase "$*" in *address*) cat ${directory}/link;; *-4*) cat ${directory}/routes;; esac\n`;
  writeFileSync(join(directory, "ip"), script);
  chmodSync(join(directory, "ip"), 0o755);
}

const shapes: readonly object[] = [
  {},
  { metrics: [{ mtu: 1_400 }, { advmss: 1_300 }] },
  {
    nexthops: [
      { dev: "hq", weight: 1 },
      { dev: "hq", weight: 2 },
    ],
  },
  { flags: ["linkdown"], prefsrc: "10.99.0.1" },
];

test("a long list of routes is read whole, whatever shape its entries have", async () => {
  const entries = Array.from({ length: ROUTES }, (_, i) => ({
    ...(i % 7 === 0 ? { type: "unreachable" } : {}),
    dst: prefixOf(i),
    protocol: "4",
    ...shapes[i % shapes.length],
  }));
  standIn([...entries, { dst: "10.99.0.0/24", protocol: "2" }, { dst: "172.16.0.9", protocol: "4", table: "7" }]);
  const wanted: NetworkState = {
    addresses: ["10.99.0.1/24", "10.99.0.2/24"],
    mtu: 1_420,
    isUp: true,
    routes: [
      ...entries.map(({ dst }) => route(dst)),
      route("10.99.0.0/24"),
      route("172.16.0.9/32", 7),
      route("1.2.3.0/24"),
    ],
  };
  const now = await inForce("hq", wanted);
  expect(now.addresses).toEqual(["10.99.0.1/24"]);
  // The kernel's own route is none of ours, and the last one is not there.
  expect(now.routes).toEqual([...entries.map(({ dst }) => route(dst)), route("172.16.0.9/32", 7)]);
});

test("no route is no answer at all", async () => {
  standIn([]);
  writeFileSync(join(directory, "routes"), "");
  const wanted = { addresses: [], mtu: 1_420, isUp: true, routes: [route("10.0.0.0/24")] };
  expect((await inForce("hq", wanted)).routes).toEqual([]);
});
