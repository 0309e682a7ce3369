// Files whose first line says `// HOT PATH` run per packet or per batch and allocate nothing. This looks for syntax
// that allocates or throws. `// cold: reason` on a line, or alone above it, excuses the line; at the first line of a
// function it excuses the function. Constructors, static blocks, field initialisers and module code run once and are
// cold by nature.

import type { Node } from "typescript/unstable/ast";
import * as ast from "typescript/unstable/ast";
import { type Finding, startLine, type Unit } from "./project.js";

const hotMark = /^\/\/ HOT PATH\b/;
const coldMark = /\/\/ cold: \S/;
const coldLine = /^\s*\/\/ cold: \S/;

/** Methods that give back a new object, array, string or iterator; `set`, `fill`, `copyWithin`, `indexOf` do not. */
const allocatingMethods = new Set(
  (
    "subarray slice map filter flatMap flat concat bind split join toSorted toReversed toSpliced entries keys values " +
    "toString toFixed padStart padEnd matchAll getBigUint64 getBigInt64"
  ).split(" "),
);
/** What is called on these, or by calling them, allocates. */
const allocatingGlobals = /^(Array|BigInt|Buffer|JSON|Object|Promise|Reflect|String|Symbol|structuredClone)$/;

/** @returns whether the file calls itself hot. */
export function isHot(text: string): boolean {
  return hotMark.test(text);
}

/** @returns what allocates or throws in the functions of a hot file. */
export function hotPathFindings(unit: Unit): Finding[] {
  const lines = unit.text.split("\n");
  const findings: Finding[] = [];
  const isCold = (line: number): boolean =>
    coldMark.test(lines[line - 1] ?? "") || coldLine.test(lines[line - 2] ?? "");
  const visit = (node: Node, inFunction: boolean): void => {
    const line = startLine(unit, node);
    if (isColdByNature(node)) return;
    if (inFunction) {
      const message = judge(node);
      if (message !== undefined && !isCold(line)) findings.push({ path: unit.path, line, message });
      if (isFunction(node)) return; // named once; its own body is part of it
    }
    const entersFunction = isFunction(node);
    if (entersFunction && isCold(line)) return;
    node.forEachChild((child) => visit(child, inFunction || entersFunction));
  };
  visit(unit.tree, false);
  return findings;
}

function isColdByNature(node: Node): boolean {
  return (
    ast.isConstructorDeclaration(node) ||
    ast.isClassStaticBlockDeclaration(node) ||
    ast.isTypeNode(node) ||
    ast.isInterfaceDeclaration(node) ||
    ast.isTypeAliasDeclaration(node)
  );
}

function isFunction(node: Node): boolean {
  return (
    ast.isFunctionDeclaration(node) ||
    ast.isFunctionExpression(node) ||
    ast.isArrowFunction(node) ||
    ast.isMethodDeclaration(node) ||
    ast.isGetAccessorDeclaration(node) ||
    ast.isSetAccessorDeclaration(node)
  );
}

function judge(node: Node): string | undefined {
  if (isFunction(node)) return "closure";
  if (ast.isNewExpression(node)) return "new";
  if (ast.isObjectLiteralExpression(node)) return "object literal";
  if (ast.isArrayLiteralExpression(node) || ast.isArrayBindingPattern(node)) return "array literal";
  if (ast.isSpreadElement(node) || ast.isSpreadAssignment(node)) return "spread";
  if (ast.isTemplateExpression(node)) return "template with values";
  if (ast.isRegularExpressionLiteral(node)) return "regular expression";
  if (ast.isBigIntLiteral(node)) return "BigInt";
  if (ast.isThrowStatement(node)) return "throw";
  if (ast.isAwaitExpression(node) || ast.isYieldExpression(node)) return "await or yield";
  if (ast.isForOfStatement(node) || ast.isForInStatement(node)) return "for-of or for-in";
  if (ast.isClassDeclaration(node) || ast.isClassExpression(node)) return "class";
  if (ast.isParameterDeclaration(node) && node.dotDotDotToken !== undefined) return "rest parameter";
  if (ast.isCallExpression(node)) return judgeCall(node.expression);
  return undefined;
}

function judgeCall(callee: Node): string | undefined {
  if (ast.isIdentifier(callee)) return allocatingGlobals.test(callee.text) ? `${callee.text}()` : undefined;
  if (!ast.isPropertyAccessExpression(callee)) return undefined;
  const { expression, name } = callee;
  const onGlobal = ast.isIdentifier(expression) && allocatingGlobals.test(expression.text);
  return onGlobal || allocatingMethods.has(name.text) ? `.${name.text}()` : undefined;
}
