// SECURITY.md's review of dependencies against the lock file: every package that runs in the daemon, with its version, every
// direct one, and every install script.

import { expect, test } from "vitest";
import { readProjectFile, readProjectJson } from "./project.js";

interface Entry {
  readonly version: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const lock = readProjectJson("package-lock.json")["packages"] as Readonly<Record<string, Entry>>;
const page = readProjectFile("SECURITY.md");
const nameOf = (place: string): string => place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
const installed = Object.entries(lock).filter(
  ([place, entry]) => place.includes("node_modules/") && entry.link !== true,
);

test("every package of the daemon is reviewed", () => {
  const names = installed.filter(([, entry]) => entry.dev !== true).map(([place]) => nameOf(place));
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !page.includes(`\`${name}\``) && !page.includes(`\`${name}\` `))).toEqual([]);
});

test("every direct dependency is reviewed, in the version that is installed", () => {
  const { dependencies, devDependencies } = lock[""] as Entry;
  const names = Object.keys({ ...dependencies, ...devDependencies }).filter(
    (name) => lock[`node_modules/${name}`]?.link !== true,
  );
  const missing = names.filter((name) => {
    const { version } = lock[`node_modules/${name}`] as Entry;
    const shown = name.startsWith("@types/") ? version.split(".").slice(0, 2).join(".") : version;
    return !page.includes(`\`${name}\` ${shown}`);
  });
  expect(missing).toEqual([]);
});

test("the install scripts are those that the page names", () => {
  const scripts = Object.entries(lock).filter(([, entry]) => entry.hasInstallScript === true);
  expect(scripts.map(([place]) => place).sort()).toEqual(["native", "node_modules/esbuild"]);
});
