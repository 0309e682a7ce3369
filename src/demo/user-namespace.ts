// The demo without root: the same program once more, as root of a user namespace of its own.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { tryCommand } from "./command.js";

const MARK = "LONGHAUL_DEMO_USER_NAMESPACE";
const UNSHARE = ["unshare", "--user", "--map-root-user"] as const;

/** Whether this process was started by reexecInUserNamespace(). */
export function inUserNamespace(): boolean {
  return process.env[MARK] === "1";
}

/**
 * Runs `script` again where it is root. @returns its exit status.
 * Errors: throws when this system allows no user namespaces.
 */
export async function reexecInUserNamespace(script: string, words: readonly string[]): Promise<number> {
  const possible = await tryCommand([...UNSHARE, "--mount", "--net", "true"]);
  if (inUserNamespace() || possible.status !== 0) {
    const refusal = possible.stderr.trim() || "refused";
    const cure = process.getuid?.() === 0 ? "" : "; run it as root (sudo npm run demo)";
    throw new Error(`this system lets you make neither namespaces nor user namespaces: ${refusal}${cure}`);
  }
  const [program, ...options] = UNSHARE;
  const child = spawn(program, [...options, "--", process.execPath, script, ...words], {
    stdio: "inherit",
    env: { ...process.env, [MARK]: "1" },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (status, signal) => resolve(status ?? 128 + constants.signals[signal!]));
  });
}
