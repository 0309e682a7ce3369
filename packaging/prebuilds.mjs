// Compiled addons for every architecture that this machine has a compiler for.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { project } from "./program.mjs";

const cross = { x64: "x86_64-linux-gnu-g++", arm64: "aarch64-linux-gnu-g++" };
const packageOf = { x64: "g++-x86-64-linux-gnu", arm64: "g++-aarch64-linux-gnu" };

/** Fills native/prebuilds/. Says what it cannot build. @returns what it built, as Node names architectures; this machine's first */
export function buildPrebuilds() {
  const others = Object.keys(cross).filter((arch) => arch !== process.arch);
  const buildable = others.filter((arch) => {
    const found = spawnSync(cross[arch], ["--version"], { stdio: "ignore" }).error === undefined;
    if (!found) process.stderr.write(`not for ${arch}: no ${cross[arch]} here (apt install ${packageOf[arch]})\n`);
    return found;
  });
  const arches = [process.arch, ...buildable];
  for (const arch of arches) {
    const args = [join(project, "native/build.mjs"), "--prebuild", arch];
    const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
    if (status !== 0)
      throw new Error(`the addon does not compile for ${arch}: node native/build.mjs --prebuild ${arch}`);
  }
  return arches;
}
