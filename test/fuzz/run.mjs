// `npm run fuzz`: every fuzz target, one after the other, and a table of what they did. Targets in C++ are native/test/*_fuzz.cc
// under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer; targets in TypeScript stand beside this file.
//
// usage: npm run fuzz -- [--seconds N] [--only TARGET]... [--seed N] [--keep]
//   --seconds  for each target, 60 by default
//   --keep     puts what runs new code into the kept inputs, smallest first (native/test/corpus, test/fuzz/corpus)

import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const native = join(root, "native");
const work = mkdtempSync(join(tmpdir(), "longhaul-fuzz-"));
const KEPT_BYTES_MAX = 2_048;

const nativeTargets = readdirSync(join(native, "test"))
  .filter((file) => file.endsWith("_fuzz.cc"))
  .map((file) => file.slice(0, -"_fuzz.cc".length).replaceAll("_", "-"));
const scriptTargets = ["config", "uapi", "values", "device", "http", "answers"];

/** Runs a program. @returns its status and what it wrote, which is passed on too where `isLoud` */
function run(program, args, { cwd = root, isLoud = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("latin1").on("data", (text) => {
      stderr = (stderr + text).slice(-200_000);
      if (isLoud) process.stderr.write(text);
    });
    child.on("error", reject);
    child.on("close", (status) => resolve({ status: status ?? 1, stdout, stderr }));
  });
}

/** @returns why libFuzzer cannot be built here, or undefined */
function whyNoLibFuzzer() {
  const probe = spawnSync("clang++", ["-print-resource-dir"], { encoding: "utf8" });
  const missing = "needs clang with its runtime libraries (Debian: apt install clang libclang-rt-dev)";
  if (probe.error !== undefined) return `clang++ not found: fuzzing C++ ${missing}`;
  const libraries = join(probe.stdout.trim(), "lib", "linux");
  const found = existsSync(libraries) && readdirSync(libraries).some((file) => file.startsWith("libclang_rt.fuzzer-"));
  if (found) return undefined;
  const version = /clang\/([0-9]+)/.exec(probe.stdout)?.[1] ?? "";
  return `no libFuzzer in ${libraries}: fuzzing C++ ${missing.replace("-rt-dev", `-rt-${version}-dev`)}`;
}

async function fuzzNative(name, { seconds, seed, keep }) {
  const file = `${name.replaceAll("-", "_")}_fuzz`;
  const program = join(native, "build/libfuzzer", file);
  const corpus = join(native, "test/corpus", file);
  const found = join(work, file);
  for (const directory of [corpus, found]) mkdirSync(directory, { recursive: true });
  const { status, stderr } = await run(program, [
    `-max_total_time=${seconds}`,
    `-seed=${seed}`,
    "-max_len=4096",
    "-timeout=10",
    "-rss_limit_mb=2048",
    "-print_final_stats=1",
    `-artifact_prefix=${process.cwd()}/`,
    found,
    corpus,
  ]);
  if (status !== 0) process.stderr.write(`${stderr.slice(-6_000)}\n`);
  const executions = Number(/number_of_executed_units: ([0-9]+)/.exec(stderr)?.[1] ?? 0);
  const counters = Number(/\(([0-9]+) inline 8-bit counters\)/.exec(stderr)?.[1] ?? 0);
  const [, edges, features] = [...stderr.matchAll(/cov: ([0-9]+) ft: ([0-9]+)/g)].at(-1) ?? [];
  if (keep && status === 0) await keepNative(program, found, corpus);
  const coverage = `${edges} of ${counters} edges, ${features} features`;
  return { name, seconds, executions, coverage, findings: status === 0 ? 0 : 1 };
}

/** The smallest inputs that together run as much as all do, and every regression. */
async function keepNative(program, found, corpus) {
  const merged = `${found}-kept`;
  mkdirSync(merged);
  const args = ["-merge=1", "-use_counters=0", `-max_len=${KEPT_BYTES_MAX}`, merged, corpus, found];
  const { status, stderr } = await run(program, args);
  if (status !== 0) throw new Error(`merging failed: ${stderr.slice(-500)}`);
  for (const file of readdirSync(corpus)) if (!file.startsWith("regression-")) rmSync(join(corpus, file));
  for (const file of readdirSync(merged)) cpSync(join(merged, file), join(corpus, file));
}

async function fuzzScript(name, { seconds, seed, keep }) {
  const main = join(root, "dist-fuzz/test/fuzz/main.js");
  const corpus = `${join(root, "test/fuzz/corpus")}/`;
  const args = ["--expose-gc", main, name, String(seconds), String(seed), corpus, ...(keep ? ["keep"] : [])];
  const { status, stdout, stderr } = await run(process.execPath, args, { isLoud: true });
  const line = stdout.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new Error(`${name} ended with status ${status}: ${stderr.slice(-500)}`);
  const { executions, covered, shapes, findings } = JSON.parse(line);
  return {
    name,
    seconds,
    executions,
    coverage: `${(covered * 100).toFixed(0)} % of its code, ${shapes} shapes`,
    findings,
  };
}

async function prepare(names) {
  if (names.some((name) => nativeTargets.includes(name))) {
    const reason = whyNoLibFuzzer();
    if (reason !== undefined) throw new Error(reason);
    const { status, stderr, stdout } = await run(process.execPath, ["build.mjs", "--libfuzzer"], { cwd: native });
    if (status !== 0) throw new Error(`the native targets do not build\n${stdout}${stderr}`);
  }
  if (names.some((name) => scriptTargets.includes(name))) {
    const { status, stdout } = await run(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.fuzz.json"]);
    if (status !== 0) throw new Error(`the TypeScript targets do not compile\n${stdout}`);
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      only: { type: "string", multiple: true },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
      keep: { type: "boolean", default: false },
    },
  });
  const all = [...nativeTargets, ...scriptTargets];
  const names = values.only ?? all;
  const unknown = names.filter((name) => !all.includes(name));
  const seconds = Number(values.seconds);
  if (unknown.length > 0 || !(seconds >= 1)) {
    process.stderr.write(`usage: npm run fuzz -- [--seconds N] [--only TARGET]...; targets: ${all.join(" ")}\n`);
    return 2;
  }
  await prepare(names);
  process.stdout.write(
    `seed ${values.seed}\n| target | s | executions | coverage | findings |\n|---|---|---|---|---|\n`,
  );
  let findings = 0;
  for (const name of names) {
    const fuzz = nativeTargets.includes(name) ? fuzzNative : fuzzScript;
    const row = await fuzz(name, { seconds, seed: values.seed, keep: values.keep });
    findings += row.findings;
    process.stdout.write(`| ${row.name} | ${row.seconds} | ${row.executions} | ${row.coverage} | ${row.findings} |\n`);
  }
  return findings === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`fuzz: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
