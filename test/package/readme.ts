// README as a new user reads it: the indented blocks of a section, in their order.
import { readFileSync } from "node:fs";

/** @returns blocks without their indentation, each with a newline at its end. Errors: Error when there is no such section. */
export function blocksOf(section: string): string[] {
  const text = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const body = text.split(/^## /m).find((part) => part.startsWith(`${section}\n`));
  if (body === undefined) throw new Error(`README has no section ${section}`);
  const blocks = body.match(/(?:^(?: {4}.*)?\n)+/gm) ?? [];
  return blocks.map((block) => `${block.replace(/^ {4}/gm, "").trim()}\n`).filter((block) => block !== "\n");
}
