// `npm run package:npm`: two tarballs in dist-packages/. longhaul-VERSION.tgz holds all it needs, addons compiled, so that a machine
// with Node.js alone installs it: no compiler, no registry. tun-tap-ts-VERSION.tgz is the native package for itself, with its
// sources behind the compiled addons.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPrebuilds } from "./prebuilds.mjs";
import { buildProgram, layOutProgram, packagesDirectory, productionModules, project } from "./program.mjs";

function pack(directory) {
  const options = ["pack", "--silent", "--ignore-scripts", "--pack-destination", packagesDirectory];
  return execFileSync("npm", options, { cwd: directory, encoding: "utf8" }).trim();
}

function packProgram(arches) {
  const stage = mkdtempSync(join(tmpdir(), "longhaul-npm-"));
  try {
    layOutProgram(stage, arches);
    for (const part of ["README.md", "docs"]) cpSync(join(project, part), join(stage, part), { recursive: true });
    const path = join(stage, "package.json");
    const own = JSON.parse(readFileSync(path, "utf8"));
    const bundled = [...productionModules().map((module) => module.replace("node_modules/", "")), "tun-tap-ts"];
    writeFileSync(path, `${JSON.stringify({ ...own, bundleDependencies: bundled.sort() }, null, 2)}\n`);
    return pack(stage);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

mkdirSync(packagesDirectory, { recursive: true });
buildProgram();
const arches = buildPrebuilds();
for (const name of [packProgram(arches), pack(join(project, "native"))])
  process.stdout.write(`${join(packagesDirectory, name)}\n`);
