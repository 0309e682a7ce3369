// What a result was measured on: machine, kernel, settings of the kernel, commit.
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, version } from "node:os";
import { tryCommand } from "../../src/demo/command.js";

const SYSCTLS = [
  "net/core/rmem_max",
  "net/core/wmem_max",
  "net/core/rmem_default",
  "net/core/netdev_max_backlog",
  "net/core/default_qdisc",
  "net/ipv4/tcp_congestion_control",
  "net/ipv4/tcp_rmem",
  "net/ipv4/tcp_wmem",
] as const;

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly sysctls: Readonly<Record<string, string>>;
}

export interface Commit {
  /** Short hash, or "unknown" outside git. */
  readonly hash: string;
  /** Whether tracked files differ from it. */
  readonly dirty: boolean;
}

export function describeMachine(): Machine {
  const sysctls = SYSCTLS.flatMap((path) => {
    try {
      return [[path.replaceAll("/", "."), readFileSync(`/proc/sys/${path}`, "utf8").trim().replaceAll("\t", " ")]];
    } catch {
      return []; // this kernel, or this namespace, does not have it
    }
  });
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e8) / 10,
    kernel: `${release()} ${version()}`,
    node: process.version,
    sysctls: Object.fromEntries(sysctls) as Record<string, string>,
  };
}

/** The commit that is checked out in `directory`. */
export async function describeCommit(directory: string): Promise<Commit> {
  const git = async (...words: string[]): Promise<string | undefined> => {
    const { status, stdout } = await tryCommand(["git", "-C", directory, ...words]).catch(() => noGit);
    return status === 0 ? stdout.trim() : undefined;
  };
  const hash = await git("rev-parse", "--short", "HEAD");
  return { hash: hash ?? "unknown", dirty: (await git("status", "--porcelain", "--untracked-files=no")) !== "" };
}

const noGit = { status: null, stdout: "" } as const;
