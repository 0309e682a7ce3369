// Where this repository is, whether the benches run from source or from dist-bench.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's top directory. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Errors: throws when longhaul is not built there. */
export function requireBuild(directory: string): void {
  if (existsSync(join(directory, "dist/cli/main.js"))) return;
  throw new Error(`longhaul is not built in ${directory}: run npm run build there`);
}

function findRoot(directory: string): string {
  if (existsSync(join(directory, "bin/longhaul")) && existsSync(join(directory, "package.json"))) return directory;
  const parent = dirname(directory);
  if (parent === directory) throw new Error("the benches run only inside longhaul's repository");
  return findRoot(parent);
}
