import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RouteReports, routeInterface } from "../routes.js";
import { canUseDevices, ip, Namespace } from "./namespaces.js";

const RECORD_BYTES = 64;
const [FAMILY, PORT, ADDRESS, SOURCE] = [0, 2, 8, 32];
const AT = RECORD_BYTES; // the second row

function bytesOf(address: string): number[] {
  if (!address.includes(":")) return address.split(".").map(Number);
  const [head, tail] = address.split("::").map((part) => part.split(":").filter((word) => word !== ""));
  const words = [...head!, ...Array(8 - head!.length - tail!.length).fill("0"), ...tail!];
  return words.flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 255]);
}

function records(to: string, from: string): Uint8Array {
  const made = new Uint8Array(3 * RECORD_BYTES);
  made[AT + FAMILY] = to.includes(":") ? 10 : 2;
  made.set([202, 108], AT + PORT);
  made.set(bytesOf(to), AT + ADDRESS);
  made.set(bytesOf(from), AT + SOURCE);
  return made;
}

const way = (to: string, from: string, mark = 0): number => routeInterface(records(to, from), AT, mark);

describe.runIf(canUseDevices)("the kernel's routing", () => {
  let before: Namespace;
  let own: Namespace;
  let first: number;
  let second: number;
  beforeEach(() => {
    before = Namespace.current();
    own = Namespace.create();
    own.enter();
    for (const [name, peer] of [
      ["a0", "a1"],
      ["b0", "b1"],
    ] as const) {
      ip("link", "add", name, "type", "veth", "peer", "name", peer);
      for (const end of [name, peer]) ip("link", "set", end, "up");
    }
    ip("address", "add", "192.0.2.1/24", "dev", "a0");
    ip("address", "add", "198.51.100.1/24", "dev", "b0");
    ip("-6", "address", "add", "2001:db8::1/64", "dev", "a0", "nodad");
    ip("-6", "address", "add", "2001:db8:1::1/64", "dev", "b0", "nodad");
    first = way("192.0.2.2", "192.0.2.1");
    second = way("198.51.100.2", "198.51.100.1");
  });
  afterEach(() => {
    before.enter();
    for (const namespace of [own, before]) namespace.close();
  });

  test("each neighbour is behind its own interface", () => {
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(0);
    expect(second).not.toBe(first);
    expect(way("2001:db8::2", "2001:db8::1")).toBe(first);
    expect(way("2001:db8:1::2", "2001:db8:1::1")).toBe(second);
  });

  test("a better route leads elsewhere, whatever the source", () => {
    ip("route", "add", "192.0.2.2/32", "dev", "b0");
    ip("-6", "route", "add", "2001:db8::2/128", "dev", "b0");
    expect(way("192.0.2.2", "192.0.2.1")).toBe(second);
    expect(way("2001:db8::2", "2001:db8::1")).toBe(second);
  });

  test("rules by mark, source and port are followed", () => {
    for (const table of ["11", "12", "13"])
      ip("route", "add", "203.0.113.0/24", "dev", table === "12" ? "b0" : "a0", "table", table);
    ip("rule", "add", "fwmark", "7", "table", "12");
    expect(way("203.0.113.9", "192.0.2.1")).toBe(0);
    expect(way("203.0.113.9", "192.0.2.1", 7)).toBe(second);
    ip("rule", "add", "from", "192.0.2.1", "table", "11");
    expect(way("203.0.113.9", "192.0.2.1")).toBe(first);
    ip("rule", "add", "from", "198.51.100.1", "ipproto", "udp", "dport", "51820", "table", "13");
    expect(way("203.0.113.9", "198.51.100.1")).toBe(first);
  });

  test("none from an address that is not here, nor to where no route leads", () => {
    expect(way("192.0.2.2", "192.0.2.77")).toBe(0);
    expect(way("203.0.113.9", "192.0.2.1")).toBe(0);
  });

  test("what is no record is refused", () => {
    expect(routeInterface(new Uint8Array(64), 0, 0)).toBe(-22);
    expect(routeInterface(records("192.0.2.2", "192.0.2.1"), 3 * RECORD_BYTES - 63, 0)).toBe(-22);
    expect(routeInterface(records("192.0.2.2", "192.0.2.1"), -1, 0)).toBe(-22);
  });

  test("changes of routes, rules and addresses are reported, once", () => {
    const reports = new RouteReports();
    try {
      expect(reports.take()).toBe(false);
      for (const change of [
        ["route", "add", "203.0.113.0/24", "dev", "a0"],
        ["-6", "route", "add", "2001:db8:9::/64", "dev", "a0"],
        ["rule", "add", "fwmark", "9", "table", "9"],
        ["-6", "rule", "add", "fwmark", "9", "table", "9"],
        ["address", "del", "192.0.2.1/24", "dev", "a0"],
      ]) {
        ip(...change);
        expect(reports.take(), change.join(" ")).toBe(true);
        expect(reports.take(), change.join(" ")).toBe(false);
      }
    } finally {
      reports.close();
    }
  });

  test("what the kernel had no room to report counts as a change", () => {
    const reports = new RouteReports();
    try {
      const batch = Array.from({ length: 4_000 }, (_, i) => `route add 203.${i >> 8}.${i & 255}.0/24 dev a0`).join(
        "\n",
      );
      execFileSync("ip", ["-batch", "-"], { input: batch });
      expect(reports.take()).toBe(true);
      expect(reports.take()).toBe(false);
    } finally {
      reports.close();
    }
  });
});
