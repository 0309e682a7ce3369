// Another commit of this repository, checked out and built in a temporary worktree.
import { join } from "node:path";
import { Program, runCommand, tryCommand } from "../../src/demo/command.js";
import type { Cleanup } from "../support/cleanup.js";
import { requireBuild, root } from "../support/root.js";

export interface Tree {
  readonly path: string;
  /** Short. */
  readonly hash: string;
}

/**
 * Checks out `ref` and builds it with `npm ci`, which ends in a build.
 * @param directory  temporary. Errors: throws with what git or npm said.
 */
export async function buildCommit(ref: string, directory: string, cleanup: Cleanup): Promise<Tree> {
  const git = (...words: string[]): Promise<string> => runCommand(["git", "-C", root, ...words]);
  const hash = (await git("rev-parse", "--short", "--verify", "--end-of-options", `${ref}^{commit}`)).trim();
  const path = join(directory, hash);
  cleanup.add(async () => {
    await tryCommand(["git", "-C", root, "worktree", "remove", "--force", path]);
  });
  await git("worktree", "add", "--detach", path, hash);
  await install(path, cleanup);
  requireBuild(path);
  return { path, hash };
}

async function install(path: string, cleanup: Cleanup): Promise<void> {
  const npm = new Program(["npm", "--prefix", path, "ci", "--no-audit", "--no-fund"], { input: "" });
  let running = true;
  cleanup.add(async () => {
    if (!running) return;
    process.kill(-npm.child.pid!, "SIGKILL"); // its group: the compilers too
    await npm.exited;
  });
  const { status } = await npm.exited;
  running = false;
  if (status !== 0) throw new Error(`npm ci in ${path} failed\n${npm.stderr.trim().slice(-2_000)}`);
}
