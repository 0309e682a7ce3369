// The program as packages have it: what runs, and nothing that only builds, tests or types it. Both packages are made of it.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const project = fileURLToPath(new URL("..", import.meta.url));
export const packagesDirectory = join(project, "dist-packages");
export const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));

/** Of other people's modules: what is for their developers. */
const LEFT_OUT_DIRECTORIES = /^(benchmarks?|docs|examples?|tests?|specs?|scripts|build|node_modules|\..*)$/;
const LEFT_OUT_FILES =
  /^(.*\.(ts|mts|cts|map|md|html|ico|sh|yml|test\.js)|\..*|CNAME|eslint\.config\.js|gruntfile\.js|bin\.js)$/;

/** Seconds since 1970 that every file of a package gets: that of the last commit, unless the caller knows better. */
export function sourceDateEpoch() {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined) return Number(given);
  return Number(run("git", "-c", "safe.directory=*", "log", "-1", "--format=%ct"));
}

/** @returns stdout. Errors: with what the program said on stderr. */
export function run(program, ...args) {
  return execFileSync(program, args, { cwd: project, encoding: "utf8", maxBuffer: 1 << 26 }).trim();
}

/** Compiles everything anew, so that nothing of an older build is packed. */
export function buildProgram() {
  for (const output of ["dist", "native/dist"]) rmSync(join(project, output), { recursive: true, force: true });
  execFileSync("npm", ["run", "--silent", "build"], { cwd: project, stdio: ["ignore", "ignore", "inherit"] });
}

/** @returns production modules, as paths under the project; those of the workspace not among them. */
export function productionModules() {
  const all = run("npm", "ls", "--omit=dev", "--parseable", "--all", "--offline").split("\n").slice(1);
  return all.map((path) => relative(project, path)).filter((path) => basename(path) !== "tun-tap-ts");
}

/**
 * Lays the program out in a directory.
 * @param arches  as Node names them; their prebuilt addons must be there
 */
export function layOutProgram(to, arches) {
  mkdirSync(to, { recursive: true });
  for (const part of ["bin", "LICENSE"]) cpSync(join(project, part), join(to, part), { recursive: true });
  copyRuntime(join(project, "dist"), join(to, "dist"));
  rmSync(join(to, "dist/demo"), { recursive: true, force: true });
  for (const module of productionModules()) copyModule(join(project, module), join(to, module));
  layOutNative(join(to, "node_modules/tun-tap-ts"), arches);
  writeFileSync(join(to, "package.json"), `${JSON.stringify(runtimeManifest(manifest), null, 2)}\n`);
}

function layOutNative(to, arches) {
  const native = join(project, "native");
  mkdirSync(to, { recursive: true });
  copyRuntime(join(native, "dist"), join(to, "dist"));
  cpSync(join(native, "LICENSE"), join(to, "LICENSE"));
  for (const arch of arches) {
    const prebuilt = `prebuilds/linux-${arch}/tun-tap-ts.glibc.node`;
    cpSync(join(native, prebuilt), join(to, prebuilt));
    chmodSync(join(to, prebuilt), 0o644);
  }
  const own = JSON.parse(readFileSync(join(native, "package.json"), "utf8"));
  writeFileSync(join(to, "package.json"), `${JSON.stringify(runtimeManifest(own), null, 2)}\n`);
}

/** Without what only a checkout can do. */
function runtimeManifest({ scripts, devDependencies, workspaces, private: _, files, ...rest }) {
  return rest;
}

/** A module of somebody else, without its tests, documents and types. Its licence stays. */
function copyModule(from, to) {
  cpSync(from, to, {
    recursive: true,
    filter: (path) => {
      const name = basename(path);
      if (path === from || /^(licen[cs]e|notice|copying)/i.test(name)) return true;
      return !(lstatSync(path).isDirectory() ? LEFT_OUT_DIRECTORIES : LEFT_OUT_FILES).test(name);
    },
  });
}

function copyRuntime(from, to) {
  if (!existsSync(from)) throw new Error(`${from} is missing: npm run build`);
  cpSync(from, to, { recursive: true, filter: (path) => !/\.(d\.ts|map|tsbuildinfo)$/.test(path) });
}

/** @returns every file and link below a directory, relative to it, sorted. */
export function filesBelow(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}
