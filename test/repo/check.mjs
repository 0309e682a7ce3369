// `npm run check`: types, lint and format, the tests of the repository. What a push must pass; under a minute.
// It must not need root, the network or a built addon.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const budgetMs = 60_000;

const steps = [
  { name: "types", command: ["tsc", "-p", "tsconfig.check.json"] },
  { name: "lint and format", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "repo tests", command: ["vitest", "run", "--project", "unit", "test/repo/"] },
];

/** Runs one step; its output is kept and shown only when it fails. */
function run({ name, command }) {
  const startedMs = performance.now();
  const [program, ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(join(root, "node_modules", ".bin", program), args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = [];
    child.stdout.on("data", (bytes) => output.push(bytes));
    child.stderr.on("data", (bytes) => output.push(bytes));
    const finish = (passed, note) => {
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      process.stdout.write(`${passed ? "✓" : "✗"} ${name} (${seconds} s)\n`);
      if (!passed) process.stdout.write(`${Buffer.concat(output).toString("utf8")}${note}\n`);
      resolve(passed);
    };
    child.on("error", (error) => finish(false, `${program} did not start: ${error.message}; run \`npm ci\` first`));
    child.on("close", (code, signal) => finish(code === 0, `${program} ended with ${signal ?? code}`));
  });
}

const startedMs = performance.now();
let failed = 0;
for (const step of steps) if (!(await run(step))) failed += 1;
const elapsedMs = performance.now() - startedMs;
if (elapsedMs > budgetMs)
  process.stdout.write(`slow: ${Math.round(elapsedMs / 1000)} s; the check is meant to take under 60\n`);
process.exitCode = failed === 0 ? 0 : 1;
