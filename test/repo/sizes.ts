// How long files and functions are. TypeScript by its syntax tree, C++ by counting braces. Source: ARCHITECTURE.md.

import type { Node } from "typescript/unstable/ast";
import * as ast from "typescript/unstable/ast";
import { endLine, type Finding, startLine, type Unit, walk } from "./project.js";

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;

/** @returns a finding if the file is too long. The last newline starts no line. */
export function fileSizeFindings(path: string, text: string): Finding[] {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return lines <= FILE_LINES_MAX ? [] : [{ path, line: 0, message: `${lines} lines, at most ${FILE_LINES_MAX}` }];
}

/** @returns functions of more than 70 lines, from signature to closing brace. Suites (`describe`) are no functions. */
export function functionSizeFindings(unit: Unit): Finding[] {
  const findings: Finding[] = [];
  walk(unit.tree, (node) => {
    if (!isFunction(node) || isSuite(node)) return;
    const line = startLine(unit, node);
    const lines = endLine(unit, node) - line + 1;
    if (lines > FUNCTION_LINES_MAX) findings.push(tooLong(unit.path, line, lines));
  });
  return findings;
}

function isFunction(node: Node): boolean {
  return (
    ast.isFunctionDeclaration(node) ||
    ast.isFunctionExpression(node) ||
    ast.isArrowFunction(node) ||
    ast.isMethodDeclaration(node) ||
    ast.isConstructorDeclaration(node) ||
    ast.isGetAccessorDeclaration(node) ||
    ast.isSetAccessorDeclaration(node)
  );
}

/** The callback of `describe(…)`, `describe.each(…)(…)`. */
function isSuite(node: Node): boolean {
  const call = node.parent;
  return ast.isCallExpression(call) && /^describe\b/.test(call.expression.getText());
}

function tooLong(path: string, line: number, lines: number): Finding {
  return { path, line, message: `function of ${lines} lines, at most ${FUNCTION_LINES_MAX}` };
}

/** @returns C++ functions of more than 70 lines. Namespaces, classes and enums are looked into; lambdas are not. */
export function cppFunctionSizeFindings(path: string, text: string): Finding[] {
  const code = withoutCommentsAndStrings(text).replace(/^[ \t]*#(?:[^\n\\]|\\[\s\S])*/gm, blank);
  const lineAt = (index: number): number => code.slice(0, index).split("\n").length;
  const findings: Finding[] = [];
  let head = 0; // start of the declaration that a brace may end
  for (let i = 0; i < code.length; i++) {
    const c = code[i];
    if (c === ";" || c === "}") head = i + 1;
    if (c !== "{") continue;
    const declaration = code.slice(head, i);
    if (!isCppFunction(declaration)) {
      head = i + 1;
      continue;
    }
    i = closingBrace(code, i);
    if (/^\s*[,{]/.test(code.slice(i + 1))) continue; // that was `member_{value}` of a constructor; its body follows
    const line = lineAt(head + declaration.search(/\S/));
    const lines = lineAt(i) - line + 1;
    if (lines > FUNCTION_LINES_MAX) findings.push(tooLong(path, line, lines));
    head = i + 1;
  }
  return findings;
}

/** A parameter list, then qualifiers, a trailing return type or member initialisers: a function. */
function isCppFunction(declaration: string): boolean {
  const plain = declaration.replace(/\balignas\([^)]*\)|__attribute__\(\(.*?\)\)/g, "");
  if (/^\s*(template\s*<[^{]*>\s*)?(class|struct|union|enum)\b[^()]*$/.test(plain)) return false;
  return /\)[\s\w&]*(->[^()]*)?(:[\s\S]*)?$/.test(plain);
}

function closingBrace(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if (code[i] === "{") depth += 1;
    if (code[i] === "}") depth -= 1;
    if (depth === 0) return i;
  }
  return code.length - 1;
}

/** @returns the text with comments, strings and character literals blanked; every index and newline stays. */
export function withoutCommentsAndStrings(text: string): string {
  return text.replace(
    /R"([^(\s]*)\([\s\S]*?\)\1"|\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'/g,
    blank,
  );
}

function blank(match: string): string {
  return match.replace(/[^\n]/g, " ");
}
