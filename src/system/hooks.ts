// PreUp, PostUp, PreDown and PostDown: lines of shell that the admin wrote into the file, run one after the other, with `%i` standing for
// the interface. They run as the daemon does, with what it may do.

import { hasProgram, runProgram } from "./program.js";

/** A hook ended with a status other than 0. */
export class HookError extends Error {
  override readonly name = "HookError";
  readonly code = "ERR_HOOK";
}

/**
 * The hook itself comes by descriptor 3: a command line is seen by every user of the machine, and a hook may hold a secret. As in
 * wg-quick(8), the first command that fails ends it.
 */
const READ_HOOK = 'hook=$(cat <&3); exec 3<&-; eval "$hook"';
const shells = [
  ["bash", "-e", "-o", "pipefail", "-O", "extglob", "-c", READ_HOOK],
  ["sh", "-e", "-c", READ_HOOK],
] as const;

/** The four moments. */
export type HookMoment = "PreUp" | "PostUp" | "PreDown" | "PostDown";

/** @returns the hook as it is run */
export function hookText(hook: string, interfaceName: string): string {
  return hook.replaceAll("%i", interfaceName);
}

/**
 * Runs hooks in order until one fails.
 * @param say  gets every line that a hook prints
 * Errors: HookError with the hook's text and status.
 */
export async function runHooks(
  moment: HookMoment,
  hooks: readonly string[],
  interfaceName: string,
  say: (line: string) => void,
): Promise<void> {
  if (hooks.length === 0) return;
  const shell = (await hasProgram("bash")) ? shells[0] : shells[1];
  for (const hook of hooks) {
    const text = hookText(hook, interfaceName);
    say(text);
    const { status } = await runProgram([...shell, `longhaul ${moment}`], { onLine: say, passed: text });
    if (status !== 0) {
      throw new HookError(
        `${moment} ${JSON.stringify(text)} failed with status ${status}${rightsOf(process.geteuid?.())}`,
      );
    }
  }
}

/** What a hook that was written for root runs into under a service of its own user. */
function rightsOf(uid: number | undefined): string {
  return uid === 0
    ? ""
    : "; it ran without root's rights: service.md tells what that means, and hooks-as-root.conf changes it";
}
