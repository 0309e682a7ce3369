// The inputs that are kept of each target, one a line: a JSON string whose characters are the bytes.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { decode, encode } from "./random.js";

/** @param directory  with a slash at its end */
export function corpusPath(directory: string, target: string): string {
  return `${directory}${target}.jsonl`;
}

export function readCorpus(path: string): Uint8Array[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => encode(JSON.parse(line) as string));
}

export function writeCorpus(path: string, inputs: readonly Uint8Array[]): void {
  const lines = inputs.map((input) =>
    JSON.stringify(decode(input)).replace(/[\x7f-\xff]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`),
  );
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
}
