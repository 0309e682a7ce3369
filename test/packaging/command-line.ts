// The command line as the sources have it: what documents and completions are held to.
import { readFileSync } from "node:fs";

const project = new URL("../../", import.meta.url);

export function readText(path: string): string {
  return readFileSync(new URL(path, project), "utf8");
}

/** @returns every subcommand. */
export function subcommands(): string[] {
  return [...readText("src/cli/main.ts").matchAll(/^ {2}(\w+): async \(\) =>/gm)].map(([, name]) => name as string);
}

/** @returns long options by subcommand, without dashes; those of `longhaul IFNAME` under "". */
export function optionsBySubcommand(): Map<string, string[]> {
  const telling = optionsIn(readText("src/cli/service-command.ts"));
  const all = new Map<string, string[]>();
  for (const name of ["", ...subcommands()]) {
    const text = readText(`src/cli/${name === "" ? "interface" : name}.ts`);
    const shared = text.includes("tellingOptions") ? telling : [];
    all.set(name, [...new Set([...shared, ...optionsIn(text)])].sort());
  }
  return all;
}

function optionsIn(text: string): string[] {
  return [...text.matchAll(/"?([a-z][a-z-]*)"?: \{ type: "(?:boolean|string)"/g)].map(([, name]) => name as string);
}
