import { expect, test } from "vitest";
import { readProjectFile, readProjectJson } from "./project.js";

interface Manifest {
  readonly version?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly engines?: unknown;
  readonly bin?: unknown;
  readonly workspaces?: unknown;
}

const lock = readProjectJson("package-lock.json")["packages"] as Readonly<Record<string, Manifest>>;
const manifests: Readonly<Record<string, Manifest>> = {
  "": readProjectJson("package.json"),
  native: readProjectJson("native/package.json"),
};
const workspaces = new Set(["tun-tap-ts"]);

/** Licences that ask for no more than their text and names to be kept. */
const licences = /^(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|BlueOak-1\.0\.0)( OR (MIT|Apache-2\.0))?$/;

/** Of what only tests here and is handed to nobody: a copy that is changed must be published. */
const testLicences = /^MPL-2\.0$/;

test("the lock file says what the package files say", () => {
  for (const [place, manifest] of Object.entries(manifests)) {
    for (const field of [
      "version",
      "license",
      "dependencies",
      "devDependencies",
      "engines",
      "bin",
      "workspaces",
    ] as const) {
      expect(lock[place]?.[field], `${place || "root"}: ${field}; run npm install`).toEqual(manifest[field]);
    }
  }
});

test("the lock file holds everything that its packages ask for, so that npm ci accepts it", () => {
  const missing: string[] = [];
  for (const [place, entry] of Object.entries(lock)) {
    if (place.startsWith("native/node_modules")) continue;
    for (const name of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) {
      const nested = `${place}/node_modules/${name}`;
      if (lock[nested] === undefined && lock[`node_modules/${name}`] === undefined) missing.push(`${place}: ${name}`);
    }
  }
  expect(missing).toEqual([]);
});

test("the lock file names no host", () => {
  expect(Object.entries(lock).filter(([, entry]) => entry.resolved !== undefined && entry.link !== true)).toEqual([]);
});

test("every package in the lock file has a licence that lets it be used here", () => {
  const others = Object.entries(lock).filter(
    ([, { link, license, dev }]) =>
      link !== true && !licences.test(license ?? "") && !(dev === true && testLicences.test(license ?? "")),
  );
  expect(others.map(([place, { license }]) => `${place}: ${license}`)).toEqual([]);
});

test("ARCHITECTURE.md gives a reason for every dependency, and for nothing else", () => {
  const section =
    /^## Dependencies\n([\s\S]*?)(?=^## )/m.exec(`${readProjectFile("ARCHITECTURE.md")}\n## end`)?.[1] ?? "";
  const reasons = [...section.matchAll(/^- `([^`]+)`: \S.{20,}$/gm)].map((match) => match[1]);
  const wanted = Object.values(manifests).flatMap((manifest) =>
    Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter((name) => !workspaces.has(name)),
  );
  expect(reasons.sort()).toEqual([...new Set(wanted)].sort());
});
