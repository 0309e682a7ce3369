// `npm test`: everything that must hold before a change lands. Checks, native C++ tests under sanitizers, then the vitest
// projects one after the other. Where CI is set, a test skipped for a missing tool is a failure.
//
// usage: node test/run.mjs [STEP ...]     steps: check native unit sim netns interop; default: all

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const inCi = !["", "0", "false"].includes(process.env.CI ?? "");
const work = mkdtempSync(join(tmpdir(), "longhaul-test-"));
const skipLog = join(work, "skips");

const steps = [
  { name: "check", command: ["npm", "run", "--silent", "check"] },
  // each C++ test program announces itself, and the first that fails ends the step
  { name: "native", command: ["npm", "run", "--silent", "test", "-w", "tun-tap-ts"], counted: /^== \w+$/gm },
  { name: "unit", project: "unit" },
  // always the same seeds: what they say is about the change; fresh ones are for who looks for more (npm run sim)
  { name: "sim", command: ["npm", "run", "--silent", "sim", "--", "--seed", "1153829584", "--seeds", "2000"] },
  { name: "netns", project: "netns" },
  { name: "interop", project: "interop" },
];

/** Runs one command with its output passed on. @returns how it ended: 0, or what to say of it */
function run(command) {
  return new Promise((resolve, reject) => {
    const child = start(command, "inherit");
    child.on("error", reject);
    child.on("exit", (status, signal) => resolve(status === 0 ? 0 : (signal ?? `status ${status}`)));
  });
}

function start([program, ...args], stdout) {
  const env = { ...process.env, LONGHAUL_SKIP_LOG: skipLog };
  return spawn(program, args, { cwd: root, stdio: ["ignore", stdout, "inherit"], env });
}

/** Runs a command whose output has one line a test, `counted`. @returns counts; a failure without a test is one too */
function runCounted({ command, counted }) {
  return new Promise((resolve, reject) => {
    const child = start(command, "pipe");
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on("error", reject);
    child.on("close", (status) => {
      const begun = output.match(counted)?.length ?? 0;
      const failed = status === 0 && begun > 0 ? 0 : 1;
      resolve({ passed: Math.max(0, begun - failed), failed, skipped: 0 });
    });
  });
}

/** Runs one vitest project. @returns its counts; a project that ran nothing or left no report has failed */
async function runProject(project) {
  const report = join(work, `${project}.json`);
  const status = await run([
    process.execPath,
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--project",
    project,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ]);
  let counts;
  try {
    counts = JSON.parse(readFileSync(report, "utf8"));
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, note: `ended with ${status}, no report: ${error.message}` };
  }
  const result = {
    passed: counts.numPassedTests,
    failed: counts.numFailedTests,
    skipped: counts.numPendingTests + (counts.numTodoTests ?? 0),
  };
  const hiddenFailure = result.failed === 0 && (status !== 0 || counts.success === false);
  if (hiddenFailure) return { ...result, failed: 1, note: `failed outside a test: ${status}` };
  if (result.passed + result.failed + result.skipped === 0) return { ...result, failed: 1, note: "no test ran" };
  return result;
}

async function runStep(step) {
  const startMs = Date.now();
  process.stdout.write(`\n=== ${step.name}\n`);
  let result;
  if (step.project !== undefined) result = await runProject(step.project);
  else if (step.counted !== undefined) result = await runCounted(step);
  else
    result =
      (await run(step.command)) === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
  return { name: step.name, seconds: Math.round((Date.now() - startMs) / 1000), ...result };
}

function skippedSuites() {
  try {
    return [...new Set(readFileSync(skipLog, "utf8").trim().split("\n"))].filter((line) => line !== "");
  } catch {
    return [];
  }
}

async function main() {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`test/run.mjs: no step ${unknown.join(", ")}; steps: ${steps.map((s) => s.name).join(" ")}\n`);
    return 2;
  }
  const results = [];
  for (const step of steps) if (wanted.length === 0 || wanted.includes(step.name)) results.push(await runStep(step));
  process.stdout.write("\n=== summary\n");
  for (const r of results) {
    const note = r.note === undefined ? "" : ` (${r.note})`;
    process.stdout.write(
      `${r.failed === 0 ? "✓" : "✗"} ${r.name}: ${r.passed} passed, ${r.failed} failed, ${r.skipped} skipped, ${r.seconds} s${note}\n`,
    );
  }
  const skips = skippedSuites();
  for (const skip of skips) process.stdout.write(`*** SKIPPED: ${skip}\n`);
  const total = (key) => results.reduce((sum, r) => sum + r[key], 0);
  process.stdout.write(`${total("passed")} passed, ${total("failed")} failed, ${total("skipped")} skipped\n`);
  const skipFails = inCi && (skips.length > 0 || total("skipped") > 0);
  if (skipFails) process.stderr.write("CI skips nothing: see the skipped tests above\n");
  return total("failed") > 0 || skipFails ? 1 : 0;
}

process.exitCode = await main().finally(() => rmSync(work, { recursive: true, force: true }));
