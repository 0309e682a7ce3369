// The command line as it is installed: bin/longhaul over compiled sources, in a tree of its own, so that no stale build is
// tested. The daemon in it is the one of fake-daemon.mjs, which needs no privileges and does what a test tells it.

import { type ChildProcess, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../..", import.meta.url));

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class CompiledCli {
  readonly directory: string;
  readonly program: string;

  constructor() {
    const cache = join(project, "node_modules/.cache");
    mkdirSync(cache, { recursive: true });
    this.directory = mkdtempSync(join(cache, "longhaul-cli-"));
    this.program = join(this.directory, "bin/longhaul");
    try {
      this.#compile();
    } catch (error) {
      this.remove();
      throw error;
    }
    cpSync(join(project, "bin"), join(this.directory, "bin"), { recursive: true });
    cpSync(join(project, "package.json"), join(this.directory, "package.json"));
    const fake = fileURLToPath(new URL("fake-daemon.mjs", import.meta.url));
    cpSync(fake, join(this.directory, "dist/daemon/daemon.js"));
  }

  /** Errors: with what the compiler says, when the sources do not compile. */
  #compile(): void {
    const compiler = join(project, "node_modules/typescript/bin/tsc");
    const target = ["--outDir", join(this.directory, "dist"), "--declaration", "false"];
    const options = ["-p", join(project, "tsconfig.json"), ...target];
    const { status, stdout } = spawnSync(process.execPath, [compiler, ...options], { cwd: project, encoding: "utf8" });
    if (status !== 0) {
      throw new Error(`the sources do not compile:\n${stdout}`);
    }
  }

  /** Runs to the end. The environment has none of the variables that longhaul reads, but those given. */
  run(args: string[], env: NodeJS.ProcessEnv = {}, input: string | Buffer = ""): Result {
    const { status, stdout, stderr } = spawnSync(this.program, args, {
      env: cleanEnvironment(env),
      input,
      encoding: "utf8",
      timeout: 30_000,
    });
    return { status, stdout, stderr };
  }

  start(args: string[], env: NodeJS.ProcessEnv, stdio: StdioOptions): ChildProcess {
    return spawn(this.program, args, { env: cleanEnvironment(env), stdio });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function cleanEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  return { PATH, ...env };
}
