// Builds the addon with make, against the headers that came with this Node. Downloads nothing.
// usage: node build.mjs [--test | --fuzz | --libfuzzer | --bench | --clean]
//        node build.mjs --install            as npm does: builds only when no prebuilt addon loads here
//        node build.mjs --prebuild [ARCH]    fills prebuilds/linux-ARCH/, for x64 or arm64, with a cross compiler if need be

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

function fail(message) {
  process.stderr.write(`tun-tap-ts: ${message}\n`);
  process.exit(1);
}

/** Where Node keeps node_api.h: what npm was told, beside the executable, or where a distribution puts it. */
function nodeHeaders() {
  const nodedir = process.env.npm_config_nodedir;
  const candidates = [
    ...(nodedir ? [join(nodedir, "include/node"), nodedir] : []),
    resolve(dirname(process.execPath), "../include/node"),
    "/usr/include/node",
    "/usr/include/nodejs/src",
  ];
  const found = candidates.find((path) => existsSync(join(path, "node_api.h")));
  if (found === undefined) {
    fail(
      `no Node.js headers (node_api.h) in ${candidates.join(", ")}.\n` +
        "Install them with your Node.js package (Debian: apt install libnode-dev), " +
        "or say where they are with npm_config_nodedir=/path/to/node.",
    );
  }
  return found;
}

function requireTool(name, packageName) {
  const probe = spawnSync(name, ["--version"], { stdio: "ignore" });
  if (probe.error !== undefined) fail(`${name} not found: it compiles the addon (Debian: apt install ${packageName})`);
}

/** Runs make to its end. @param variables  of make, as NAME=value */
function make(target, variables) {
  requireTool("make", "make");
  const jobs = Number(process.env.BUILD_JOBS ?? Math.min(availableParallelism(), 8));
  const args = ["--no-print-directory", "-C", here, `-j${jobs}`, `NODE_INCLUDE=${nodeHeaders()}`, ...variables, target];
  return spawnSync("make", args, { stdio: "inherit" }).status ?? 1;
}

/** The name that prebuildify gives and node-gyp-build looks for. */
function prebuildOf(arch) {
  return join(here, `prebuilds/linux-${arch}/tun-tap-ts.glibc.node`);
}

function prebuildLoads() {
  const path = prebuildOf(process.arch);
  if (!existsSync(path)) return false;
  try {
    process.dlopen({ exports: {} }, path);
    return true;
  } catch (error) {
    process.stdout.write(
      `tun-tap-ts: the prebuilt addon does not load here (${error.message}); building from source\n`,
    );
    return false;
  }
}

function prebuild(arch) {
  const triple = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[arch];
  if (triple === undefined) fail(`no prebuilt addon for ${arch}; known: x64, arm64`);
  const isNative = arch === process.arch;
  const compiler = isNative ? (process.env.CXX ?? "g++") : `${triple}-g++`;
  requireTool(compiler, isNative ? "g++" : `g++-${triple.replace("_", "-")}`);
  const directory = isNative ? "build" : `build/${arch}`;
  const status = make("all", [`CXX=${compiler}`, `BUILD=${directory}`]);
  if (status !== 0) return status;
  const to = prebuildOf(arch);
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(join(here, directory, "tun_tap.node"), to);
  return spawnSync(isNative ? "strip" : `${triple}-strip`, ["--strip-unneeded", to], { stdio: "inherit" }).status ?? 1;
}

function main([argument, word]) {
  if (process.platform !== "linux") fail(`Linux only; this is ${process.platform}`);
  if (argument === "--prebuild") return prebuild(word ?? process.arch);
  if (argument === "--install" && prebuildLoads()) return 0;
  const targets = {
    "--install": "all",
    "--test": "test",
    "--fuzz": "fuzz",
    "--libfuzzer": "libfuzzer",
    "--bench": "bench",
    "--clean": "clean",
  };
  const target = argument === undefined ? "all" : targets[argument];
  if (target === undefined) fail(`unknown argument ${argument}; known: --prebuild ${Object.keys(targets).join(" ")}`);
  const compiler = process.env.CXX ?? "g++";
  requireTool(compiler, "g++");
  return make(target, [`CXX=${compiler}`]);
}

process.exit(main(process.argv.slice(2)));
