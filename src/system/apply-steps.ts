// Does the steps in their order, with ip(8), nft(8) and resolvconf(8) as child processes. When one fails, those that were done are
// taken back, last first. What cannot be done here but is not vital becomes a warning.

import { readFile, writeFile } from "node:fs/promises";
import { type Action, describeAction, type Step } from "./network-steps.js";
import { hasProgram, ProgramMissingError, type ProgramResult, runProgram } from "./program.js";

/** A step failed; everything before it was taken back. */
export class StepError extends Error {
  override readonly name = "StepError";
  readonly code = "ERR_STEP";
}

export interface Applied {
  /** Steps that were done. */
  readonly done: readonly Step[];
  /** What could not be done here, with what that means. */
  readonly warnings: readonly string[];
}

const RESOLVCONF_ORDER = "/etc/resolvconf/interface-order";
const PROGRAM_TIMEOUT_MS = 30_000;

/**
 * Does all steps, or none.
 * Errors: StepError, with the command and what it said; ProgramMissingError for ip(8).
 */
export async function applySteps(steps: readonly Step[]): Promise<Applied> {
  const done: Step[] = [];
  const warnings: string[] = [];
  try {
    for (const group of groups(steps)) {
      if (group[0].action.kind === "ip") await runIpBatch(group, done);
      else await runSingle(group[0], done, warnings);
    }
  } catch (error) {
    const left = await undoSteps(done);
    if (left.length > 0 && error instanceof Error) error.message += `; and taking it back failed: ${left.join("; ")}`;
    throw error;
  }
  return { done, warnings };
}

/** Takes steps back, last first, going on when one cannot be. @returns what went wrong. Rejects never. */
export async function undoSteps(done: readonly Step[]): Promise<string[]> {
  const back = [...done].reverse().flatMap(({ undo }) => (undo === undefined ? [] : [{ action: undo }]));
  return doAnyway(back);
}

/** Does as much as can be done: for the way down, where nothing may stop the rest. @returns what went wrong. Rejects never. */
export async function doAnyway(steps: readonly Step[]): Promise<string[]> {
  const problems: string[] = [];
  for (const group of groups(steps)) {
    // a batch stops at its first failure; what is behind it gets its own chance
    for (let rest = group; rest.length > 0; ) {
      const done: Step[] = [];
      try {
        if (rest[0].action.kind === "ip") await runIpBatch(rest, done);
        else await runSingle(rest[0], done, problems);
        rest = [];
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (!isGoneAlready(rest[done.length], message)) problems.push(message);
        rest = rest.slice(done.length + 1);
      }
    }
  }
  return problems;
}

/** Somebody took it away by hand before us. */
function isGoneAlready(step: Step | undefined, message: string): boolean {
  if (step?.action.kind !== "ip" || !/ del /.test(step.action.line)) return false;
  return /No such (process|file or directory)|Cannot assign requested address|Cannot find device/.test(message);
}

/** Neighbours that one ip(8) can do together. */
function groups(steps: readonly Step[]): Step[][] {
  const result: Step[][] = [];
  for (const step of steps) {
    const last = result.at(-1);
    const [first] = last ?? [];
    if (first !== undefined && canShare(first) && canShare(step) && sameFamily(first.action, step.action)) {
      last?.push(step);
    } else {
      result.push([step]);
    }
  }
  return result;
}

function canShare(step: Step): boolean {
  return step.action.kind === "ip" && step.mayBeDone !== true;
}

function sameFamily(a: Action, b: Action): boolean {
  return a.kind === "ip" && b.kind === "ip" && a.family === b.family;
}

/** Adds to `done` what was done, also when it throws. */
async function runIpBatch(steps: readonly Step[], done: Step[]): Promise<void> {
  const lines = steps.map(({ action }) => (action.kind === "ip" ? action.line : ""));
  const family = (steps[0].action as { readonly family: 4 | 6 }).family;
  const result = await run(["ip", `-${family}`, "-batch", "-"], `${lines.join("\n")}\n`);
  if (result.status === 0) {
    done.push(...steps);
    return;
  }
  const line = Number(/Command failed -:(\d+)/.exec(result.stderr)?.[1] ?? "1");
  done.push(...steps.slice(0, line - 1));
  const failed = steps[line - 1] ?? steps[0];
  if (failed.mayBeDone === true && /Cannot assign requested address/.test(result.stderr)) return;
  throw new StepError(`${describeAction(failed.action)}: ${explainIp(result.stderr, failed.action)}`);
}

async function runSingle(step: Step, done: Step[], warnings: string[]): Promise<void> {
  try {
    await perform(step.action);
    done.push(step);
  } catch (error) {
    const isExcused =
      error instanceof ProgramMissingError || process.getuid?.() !== 0 || step.action.kind !== "resolvconf";
    if (step.withoutIt === undefined || !isExcused) throw error;
    warnings.push(`${(error as Error).message}: ${step.withoutIt}`);
  }
}

async function perform(action: Action): Promise<void> {
  switch (action.kind) {
    case "ip":
      return;
    case "nft":
      return expectSuccess(await run(["nft", "-f", "-"], action.script), action);
    case "sysctl":
      return writeKnob(action.knob, action.value);
    case "resolvconf":
      return performResolvconf(action);
  }
}

async function performResolvconf(action: Extract<Action, { kind: "resolvconf" }>): Promise<void> {
  if (!(await hasProgram("resolvconf"))) {
    throw new ProgramMissingError("resolvconf", "ENOENT");
  }
  const record = `${await resolvconfPrefix()}${action.interfaceName}`;
  const { dns } = action;
  if (dns === undefined) {
    return expectSuccess(await run(["resolvconf", "-d", record, "-f"], ""), action);
  }
  const lines = dns.servers.map((server) => `nameserver ${server}\n`);
  if (dns.search.length > 0) lines.push(`search ${dns.search.join(" ")}\n`);
  return expectSuccess(await run(["resolvconf", "-a", record, "-m", "0", "-x"], lines.join("")), action);
}

/** Debian's resolvconf ranks records by the beginning of their names: ours takes that of the first rank. */
async function resolvconfPrefix(): Promise<string> {
  const order = await readFile(RESOLVCONF_ORDER, "utf8").catch(() => "");
  const ranked = order.split("\n").map((line) => /^([A-Za-z0-9-]+)\*$/.exec(line)?.[1]);
  const first = ranked.find((name) => name !== undefined);
  return first === undefined ? "" : `${first}.`;
}

/** By /proc: it works with CAP_NET_ADMIN alone where the tree is not mounted read-only. */
async function writeKnob(knob: string, value: string): Promise<void> {
  const path = `/proc/sys/${knob.replaceAll(".", "/")}`;
  const before = await readFile(path, "utf8").catch(() => "");
  if (before.trim() === value) return;
  try {
    await writeFile(path, value);
  } catch (error) {
    throw new StepError(
      `${knob} = ${value} could not be set (${(error as NodeJS.ErrnoException).code}); set it in sysctl.d`,
    );
  }
}

function expectSuccess(result: ProgramResult, action: Action): void {
  if (result.status === 0) return;
  throw new StepError(`${describeAction(action)}: ${said(result)}`);
}

function said({ status, stderr, stdout }: ProgramResult): string {
  const words = (stderr.trim() || stdout.trim()).replace(/\s*\n\s*/g, "; ");
  return words === "" ? `exit status ${status}` : words.slice(0, 500);
}

function run(argv: readonly string[], input: string): Promise<ProgramResult> {
  return runProgram(argv, { input, timeoutMs: PROGRAM_TIMEOUT_MS });
}

/** What ip(8) said, with what to do about it. */
function explainIp(stderr: string, action: Action): string {
  const words = stderr
    .split("\n")
    .filter((line) => line !== "" && !/^Command failed/.test(line))
    .join("; ")
    .replace(/^RTNETLINK answers: /, "")
    .replace(/^Error: /, "")
    .replace(/\.$/, "");
  const cure = ipCures.find(({ pattern }) => pattern.test(words));
  if (cure === undefined) return words;
  return `${words}; ${cure.cure(action)}`;
}

const ipCures: readonly { readonly pattern: RegExp; readonly cure: (action: Action) => string }[] = [
  {
    pattern: /File exists/,
    cure: () => "another interface has it already: take it out of AllowedIPs or Address, or set Table = off",
  },
  {
    pattern: /Operation not permitted/,
    cure: () => "this needs CAP_NET_ADMIN: run as root, or give the service that capability",
  },
  {
    pattern: /Permission denied|IPv6 is disabled/,
    cure: (action) =>
      action.kind === "ip" && action.family === 6
        ? "IPv6 is switched off on this host (net.ipv6.conf.*.disable_ipv6): switch it on, or take the IPv6 addresses out of the file"
        : "run as root",
  },
];
