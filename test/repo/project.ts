// The repository as its own tests see it: which files there are, and their syntax trees. It judges nothing.
// Trees come from the compiler itself (typescript/unstable/*), pinned by the lock file.

import { execFileSync } from "node:child_process";
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Node, SourceFile } from "typescript/unstable/ast";
import { createVirtualFileSystem } from "typescript/unstable/fs";
import { API } from "typescript/unstable/sync";

/** One broken rule: where, and what is wrong there. */
export interface Finding {
  readonly path: string;
  /** From 1; 0: the file as a whole. */
  readonly line: number;
  readonly message: string;
}

/** A TypeScript or JavaScript file with its tree. */
export interface Unit {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
  readonly tree: SourceFile;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** @returns paths of all regular files that git tracks or would track, relative to the root, sorted. */
export function projectFiles(): string[] {
  // A checkout that belongs to somebody else (a container's volume) is as good: nothing of it is executed here.
  const options = ["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const listed = execFileSync("git", options, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return [...new Set(listed.split("\0"))].filter((path) => path !== "" && isRegularFile(join(root, path))).sort();
}

function isRegularFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

export function readProjectFile(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export function readProjectJson(path: string): Record<string, unknown> {
  return JSON.parse(readProjectFile(path)) as Record<string, unknown>;
}

/** @returns all of the project's own TypeScript and JavaScript, parsed. */
export function projectUnits(): Unit[] {
  const sources: Record<string, string> = {};
  for (const path of projectFiles()) {
    if (/\.(ts|mts|mjs|js)$/.test(path)) sources[path] = readProjectFile(path);
  }
  return parse(sources);
}

/** @param sources  text by path; the paths need not exist. */
export function parse(sources: Readonly<Record<string, string>>): Unit[] {
  const at = "/project";
  const compilerOptions = { allowJs: true, noLib: true, noResolve: true, types: [], module: "NodeNext", noEmit: true };
  const paths = Object.keys(sources);
  const files: Record<string, string> = {
    [`${at}/tsconfig.json`]: JSON.stringify({ compilerOptions, files: paths }),
  };
  for (const path of paths) files[`${at}/${path}`] = sources[path] ?? "";
  const api = new API({ cwd: root, fs: createVirtualFileSystem(files) });
  try {
    using snapshot = api.updateSnapshot({ openProjects: [`${at}/tsconfig.json`] });
    const project = snapshot.getProjects()[0];
    return paths.map((path) => {
      const tree = project?.program.getSourceFile(`${at}/${path}`);
      if (tree === undefined) throw new Error(`the compiler did not parse ${path}`);
      return { path, text: tree.text, tree };
    });
  } finally {
    api.close();
  }
}

/** @returns the line of a node's first token, from 1. */
export function startLine(unit: Unit, node: Node): number {
  return unit.tree.getLineAndCharacterOfPosition(node.getStart(unit.tree)).line + 1;
}

/** @returns the line of a node's last character, from 1. */
export function endLine(unit: Unit, node: Node): number {
  return unit.tree.getLineAndCharacterOfPosition(node.getEnd()).line + 1;
}

/** Visits every node of the tree, parents first. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

/** @returns findings as lines of text, for an `expect(…).toEqual([])` that says what is wrong. */
export function listed(findings: readonly Finding[]): string[] {
  return findings.map(({ path, line, message }) => `${path}:${line}: ${message}`).sort();
}
