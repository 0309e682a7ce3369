// Links of the documents: relative targets, headings, npm scripts, and the code and test cells of docs/conformance.md.

import { dirname, join, normalize } from "node:path";
import type { Node } from "typescript/unstable/ast";
import * as ast from "typescript/unstable/ast";
import { type Finding, type Unit, walk } from "./project.js";

export interface Link {
  readonly line: number;
  readonly text: string;
  /** Path relative to the root of the repository; "" if the link stays in its document. */
  readonly path: string;
  /** Without "#"; "" if there is none. */
  readonly anchor: string;
}

/** @returns relative links of a document outside code fences; links with a scheme are left out. */
export function linksOf(path: string, text: string): Link[] {
  const links: Link[] = [];
  for (const [index, line] of proseLines(text).entries()) {
    for (const match of line.matchAll(/\[((?:[^[\]]|`[^`]*`)*)\]\(([^)\s]+)\)/g)) {
      const [, label = "", target = ""] = match;
      if (/^[a-z]+:/.test(target)) continue;
      const [file = "", anchor = ""] = target.split("#");
      const to = file === "" ? "" : normalize(join(dirname(path), file));
      links.push({ line: index + 1, text: label, path: to, anchor });
    }
  }
  return links;
}

/** The document's lines, those inside code fences blanked. */
function proseLines(text: string): string[] {
  let fenced = false;
  return text.split("\n").map((line) => {
    const fence = /^\s*(```|~~~)/.test(line);
    if (fence) fenced = !fenced;
    return fence || fenced ? "" : line;
  });
}

/** @returns links to files or headings that do not exist. @param documents  text by path. @param files  all paths. */
export function linkFindings(documents: ReadonlyMap<string, string>, files: readonly string[]): Finding[] {
  const places = new Set([".", ...files.flatMap((path) => ancestors(path))]);
  const findings: Finding[] = [];
  for (const [path, text] of documents) {
    for (const link of linksOf(path, text)) {
      const target = link.path === "" ? path : link.path.replace(/\/$/, "");
      const wrong = (message: string): number => findings.push({ path, line: link.line, message });
      if (!places.has(target)) {
        wrong(`${target} does not exist`);
        continue;
      }
      const document = documents.get(target);
      if (link.anchor !== "" && document !== undefined && !headingAnchors(document).has(link.anchor)) {
        wrong(`${target} has no heading #${link.anchor}`);
      }
    }
  }
  return findings;
}

/** A path and the folders that it is in. */
function ancestors(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

function headingAnchors(document: string): Set<string> {
  const headings = proseLines(document).flatMap((line) => /^#+\s+(.*)$/.exec(line)?.[1] ?? []);
  return new Set(headings.map(anchorOf));
}

/** A heading's anchor as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}

/** @returns `npm run x`, `npm test` of a document, code included, that package.json does not have. */
export function scriptFindings(path: string, text: string, scripts: ReadonlySet<string>): Finding[] {
  return text.split("\n").flatMap((line, index) =>
    [...line.matchAll(/\bnpm (?:run ([\w:-]+)|(test)\b)/g)]
      .map((match) => match[1] ?? match[2] ?? "")
      .filter((script) => !scripts.has(script))
      .map((script) => ({ path, line: index + 1, message: `package.json has no script ${script}` })),
  );
}

/**
 * Checks the tables of docs/conformance.md: the column Code holds links whose text is a symbol of the linked file
 * (`name` or `Class.member`), the column Test holds links whose text is the title of a test in the linked file.
 */
export function conformanceFindings(path: string, text: string, sources: Sources): Finding[] {
  const findings: Finding[] = [];
  let columns: readonly string[] = [];
  for (const [index, line] of proseLines(text).entries()) {
    if (!line.startsWith("|")) {
      columns = [];
      continue;
    }
    const cells = cellsOf(line);
    if (columns.length === 0) {
      columns = cells;
      continue;
    }
    if (cells.every((cell) => /^:?-+:?$/.test(cell))) continue;
    for (const message of rowProblems(path, columns, cells, sources)) findings.push({ path, line: index + 1, message });
  }
  return findings;
}

/** What the code and test cells may name. */
export interface Sources {
  readonly symbols: ReadonlyMap<string, ReadonlySet<string>>;
  readonly titles: ReadonlyMap<string, ReadonlySet<string>>;
}

function rowProblems(path: string, columns: readonly string[], cells: readonly string[], sources: Sources): string[] {
  if (cells.length !== columns.length) return [`${cells.length} cells under ${columns.length} columns`];
  const kinds = [
    { column: "Code", known: sources.symbols, what: "symbol" },
    { column: "Test", known: sources.titles, what: "test" },
  ];
  return kinds.flatMap(({ column, known, what }) => {
    const cell = cells[columns.indexOf(column)];
    if (cell === undefined) return [];
    const links = linksOf(path, cell);
    if (links.length === 0) return [`no link under ${column}`];
    return links.flatMap((link) => {
      const name = link.text.replace(/^`(.*)`$/, "$1").replace(/\\\|/g, "|");
      return known.get(link.path)?.has(name) ? [] : [`${link.path} has no ${what} "${name}"`];
    });
  });
}

function cellsOf(line: string): string[] {
  return line
    .replace(/^\||\|\s*$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

/** @returns names that a file declares: `name`, and `Owner.member` for classes, interfaces and object tables. */
export function symbolsOf(unit: Unit): Set<string> {
  const names = new Set<string>();
  const add = (node: Node, owner: string): void => {
    const name = declaredName(node);
    if (name !== undefined) names.add(owner === "" ? name : `${owner}.${name}`);
    if (ast.isBlock(node)) return;
    const inner = name === undefined ? owner : owner === "" ? name : `${owner}.${name}`;
    node.forEachChild((child) => add(child, inner));
  };
  add(unit.tree, "");
  return names;
}

function declaredName(node: Node): string | undefined {
  if (
    ast.isFunctionDeclaration(node) ||
    ast.isClassDeclaration(node) ||
    ast.isInterfaceDeclaration(node) ||
    ast.isTypeAliasDeclaration(node) ||
    ast.isVariableDeclaration(node) ||
    ast.isMethodDeclaration(node) ||
    ast.isPropertyDeclaration(node) ||
    ast.isPropertySignatureDeclaration(node) ||
    ast.isMethodSignatureDeclaration(node) ||
    ast.isPropertyAssignment(node) ||
    ast.isGetAccessorDeclaration(node)
  ) {
    return node.name?.getText();
  }
  return undefined;
}

/** @returns names of C++ functions, types and constants: words before "(", after struct, class or enum, or k-names. */
export function cppSymbolsOf(code: string): Set<string> {
  const found = code.matchAll(/\b(?:([A-Za-z_]\w*)\s*\(|(?:struct|class|enum)\s+(\w+)|(k[A-Z]\w*))/g);
  return new Set([...found].map((match) => match[1] ?? match[2] ?? match[3] ?? ""));
}

/**
 * @returns titles of the tests in a file: first arguments of test(…), it(…), test.each(…)(…) and the like; where such
 * a title has %s and the table stands right there, also each row's title with its first cell in place of %s.
 */
export function testTitlesOf(unit: Unit): Set<string> {
  const titles = new Set<string>();
  walk(unit.tree, (node) => {
    if (!ast.isCallExpression(node) || !/^(test|it)\b/.test(node.expression.getText())) return;
    const title = node.arguments[0];
    if (title === undefined || !isText(title)) return;
    titles.add(title.text);
    for (const cell of firstCells(node.expression)) titles.add(title.text.replace("%s", cell));
  });
  return titles;
}

/** Of `test.each([…])`: each row, or its first cell, where that is a string. */
function firstCells(callee: Node): string[] {
  const table = ast.isCallExpression(callee) ? callee.arguments[0] : undefined;
  if (table === undefined || !ast.isArrayLiteralExpression(table)) return [];
  return table.elements.flatMap((row) => {
    const cell = ast.isArrayLiteralExpression(row) ? row.elements[0] : row;
    return cell !== undefined && isText(cell) ? [cell.text] : [];
  });
}

function isText(node: Node): node is ast.StringLiteral | ast.NoSubstitutionTemplateLiteral {
  return ast.isStringLiteral(node) || ast.isNoSubstitutionTemplateLiteral(node);
}
