// What checks of a configuration file ask of this host: its networks, its interfaces by name, its routing tables by name.

import { readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { LocalNetwork } from "./config-draft.js";

/** Where iproute2 keeps names of routing tables; the later ones come with packages. */
const TABLE_DIRECTORIES = ["/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"] as const;

/** Networks of every interface that is up. Link-local ones are left out: all interfaces share one. Throws nothing. */
export function findLocalNetworks(): LocalNetwork[] {
  return Object.entries(networkInterfaces()).flatMap(([interfaceName, addresses]) =>
    (addresses ?? []).flatMap(({ cidr }) =>
      cidr === null || /^(fe[89ab]|169\.254\.)/i.test(cidr) ? [] : [{ prefix: cidr, interfaceName }],
    ),
  );
}

/**
 * By its IPv6 addresses, which tell it in every network namespace; else by /sys, which may be that of another one.
 * @returns the index of an interface, or 0. Throws nothing.
 */
export function findInterfaceIndex(name: string): number {
  for (const address of networkInterfaces()[name] ?? []) {
    if (address.family === "IPv6" && address.scopeid > 0) return address.scopeid;
  }
  if (!/^[^/]{1,15}$/.test(name) || name === "." || name === "..") return 0;
  return Number(read(`/sys/class/net/${name}/ifindex`) ?? 0);
}

/** @returns the name of the interface with this index, if it has a link-local address, or undefined. Throws nothing. */
export function findInterfaceName(index: number): string | undefined {
  return Object.keys(networkInterfaces()).find((name) => findInterfaceIndex(name) === index);
}

/** @returns the number of a routing table by name, as iproute2 reads it. Throws nothing. */
export function findRoutingTable(name: string, directories: readonly string[] = TABLE_DIRECTORIES): number | undefined {
  for (const directory of directories) {
    const more = list(join(directory, "rt_tables.d")).filter((file) => file.endsWith(".conf"));
    for (const path of ["rt_tables", ...more.map((file) => join("rt_tables.d", file))]) {
      for (const line of (read(join(directory, path)) ?? "").split("\n")) {
        const [number, label] = line.replace(/#.*/, "").trim().split(/\s+/);
        if (label === name && number !== undefined && /^(0x[0-9a-fA-F]+|[0-9]+)$/.test(number)) return Number(number);
      }
    }
  }
  return undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
