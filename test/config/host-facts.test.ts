// What is asked of this host.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  findInterfaceIndex,
  findInterfaceName,
  findLocalNetworks,
  findRoutingTable,
} from "../../src/config/host-facts.js";

test("interfaces", () => {
  expect(findInterfaceIndex("lo")).toBe(1);
  expect(["nosuch0", "", "..", "../lo", "x".repeat(16)].map(findInterfaceIndex)).toEqual([0, 0, 0, 0, 0]);
  expect([findInterfaceName(1), findInterfaceName(999_999)]).toEqual(["lo", undefined]);
  for (const { prefix } of findLocalNetworks()) expect(prefix).toMatch(/^(?!fe80)[0-9a-f.:]+\/\d+$/);
});

test("routing tables by name, as iproute2 keeps them", () => {
  const top = mkdtempSync(join(tmpdir(), "longhaul-tables-"));
  onTestFinished(() => rmSync(top, { recursive: true }));
  const [etc, usr] = [join(top, "etc"), join(top, "usr")];
  for (const directory of [etc, usr]) mkdirSync(join(directory, "rt_tables.d"), { recursive: true });
  writeFileSync(join(etc, "rt_tables"), "# names\n100\tvpn # ours\n#101 not\nx bad\n");
  writeFileSync(join(etc, "rt_tables.d/isp.conf"), "0x66 isp\n");
  writeFileSync(join(etc, "rt_tables.d/ignored"), "103 ignored\n");
  writeFileSync(join(usr, "rt_tables"), "104 usr\n100 shadowed\n105 vpn\n");
  const names = ["vpn", "isp", "usr", "not", "bad", "ignored", "nosuch"];
  expect(names.map((name) => findRoutingTable(name, [etc, usr, join(top, "none")]))).toEqual([
    100,
    0x66,
    104,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
