// Which file may import what: layers, node: modules, cycles, default exports, barrels. Source: ARCHITECTURE.md, "Layers".

import { dirname, join, normalize } from "node:path";
import type { Node } from "typescript/unstable/ast";
import * as ast from "typescript/unstable/ast";
import { type Finding, startLine, type Unit, walk } from "./project.js";

/** One import or re-export of a file. */
interface Import {
  readonly line: number;
  readonly specifier: string;
  /** Path inside the repository, or undefined: a package or a node: module. */
  readonly target: string | undefined;
  /** `import type`: nothing of it is left at run time. */
  readonly isTypeOnly: boolean;
}

interface Layer {
  /** Other layers that its files may import; "native" is the package tun-tap-ts. */
  readonly layers: readonly string[];
  /** May it import node: modules? */
  readonly node: boolean;
}

/** src/<layer> → what it may import. Down only. */
const layers: Readonly<Record<string, Layer>> = {
  core: { layers: [], node: false },
  system: { layers: ["core"], node: true },
  config: { layers: ["core", "system"], node: true },
  uapi: { layers: ["core", "config", "system"], node: true },
  metrics: { layers: ["core", "config"], node: true },
  io: { layers: ["core", "native"], node: true },
  daemon: { layers: ["core", "config", "uapi", "metrics", "io", "system"], node: true },
  field: { layers: ["core", "config", "uapi", "metrics", "system"], node: true },
  cli: { layers: ["core", "config", "uapi", "metrics", "io", "system", "daemon", "field"], node: true },
  demo: { layers: ["core", "config", "uapi", "metrics", "io", "system", "daemon"], node: true },
};

/** Packages that src/ may import, each with the only files or folders that may. */
const packages: Readonly<Record<string, readonly string[]>> = {
  "libsodium-wrappers": ["src/core/noise/primitives.ts"],
  pino: ["src/daemon/", "src/cli/"],
  "prom-client": ["src/metrics/"],
  uplot: ["src/metrics/page/"],
  vite: ["src/metrics/page/build.mjs"],
};

/** @returns every import that breaks a layer. */
export function layerFindings(units: readonly Unit[]): Finding[] {
  const findings: Finding[] = [];
  for (const unit of units) {
    for (const { line, specifier, target } of importsOf(unit)) {
      const message = judge(unit.path, specifier, target);
      if (message !== undefined) findings.push({ path: unit.path, line, message });
    }
  }
  return findings;
}

function judge(from: string, specifier: string, target: string | undefined): string | undefined {
  if (from.startsWith("native/")) return judgeNative(from, specifier, target);
  const name = /^src\/([^/]+)\//.exec(from)?.[1];
  if (name === undefined) return undefined;
  const layer = layers[name];
  if (layer === undefined) return `src/${name} is no layer that test/repo/imports.ts knows`;
  if (specifier.startsWith("node:")) return layer.node ? undefined : `src/${name} imports ${specifier}`;
  const into = target === undefined ? packageLayer(specifier) : /^(?:src\/)?([^/]+)\//.exec(target)?.[1];
  if (into !== undefined) {
    if (target !== undefined && into !== "native" && !target.startsWith("src/")) return `src/ imports ${target}`;
    return into === name || layer.layers.includes(into) ? undefined : `src/${name} imports ${into} (${specifier})`;
  }
  return judgePackage(from, specifier);
}

function packageLayer(specifier: string): string | undefined {
  return packageName(specifier) === "tun-tap-ts" ? "native" : undefined;
}

function judgePackage(from: string, specifier: string): string | undefined {
  const allowed = packages[packageName(specifier)];
  if (allowed === undefined) return `imports ${specifier}, a package that test/repo/imports.ts does not know`;
  return allowed.some((place) => from.startsWith(place)) ? undefined : `${specifier} is not for ${from}`;
}

/** tun-tap-ts stands alone: nothing of longhaul, no packages. */
function judgeNative(from: string, specifier: string, target: string | undefined): string | undefined {
  if (specifier.startsWith("node:") || target?.startsWith("native/")) return undefined;
  const isTest = from.startsWith("native/test/") || from.startsWith("native/bench/");
  if (isTest && (target === undefined || target.startsWith("test/"))) return undefined;
  return `tun-tap-ts imports ${specifier}`;
}

/** `@scope/name/sub` and `name/sub` without their last part. */
function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** @returns cycles of imports that are there at run time, at their first file in order of path. */
export function cycleFindings(units: readonly Unit[]): Finding[] {
  const edges = new Map<string, string[]>();
  const known = new Set(units.map((unit) => unit.path));
  for (const unit of units) {
    const targets = importsOf(unit).flatMap((one) => (one.isTypeOnly ? [] : [one.target]));
    edges.set(
      unit.path,
      targets.filter((target): target is string => target !== undefined && known.has(target)),
    );
  }
  const findings: Finding[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      findings.push({ path, line: 0, message: `import cycle: ${[...trail.slice(at), path].join(" → ")}` });
      return;
    }
    if (done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of [...edges.keys()].sort()) visit(path, []);
  return findings;
}

/** @returns default exports and barrels (files that re-export) outside `native/index.ts`. */
export function exportFindings(units: readonly Unit[]): Finding[] {
  const findings: Finding[] = [];
  for (const unit of units) {
    if (!/^(src|native)\//.test(unit.path)) continue;
    for (const statement of unit.tree.statements) {
      const line = startLine(unit, statement);
      if (isDefaultExport(unit, statement)) findings.push({ path: unit.path, line, message: "default export" });
      const reExports = ast.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined;
      if (reExports && unit.path !== "native/index.ts") findings.push({ path: unit.path, line, message: "re-export" });
    }
  }
  return findings;
}

function isDefaultExport(unit: Unit, statement: Node): boolean {
  if (ast.isExportAssignment(statement)) return true;
  const text = statement.getText(unit.tree);
  return /^export\s+default\b/.test(text) || (ast.isExportDeclaration(statement) && /\bas\s+default\b/.test(text));
}

/** @returns imports, re-exports and dynamic imports of a file. */
function importsOf(unit: Unit): Import[] {
  const found: Import[] = [];
  const add = (node: Node, literal: Node | undefined, isTypeOnly: boolean): void => {
    if (literal === undefined || !ast.isStringLiteral(literal)) return;
    const specifier = literal.text;
    found.push({ line: startLine(unit, node), specifier, target: resolve(unit.path, specifier), isTypeOnly });
  };
  walk(unit.tree, (node) => {
    if (ast.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.importClause?.phaseModifier === ast.SyntaxKind.TypeKeyword);
    }
    if (ast.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    if (ast.isCallExpression(node) && node.expression.kind === ast.SyntaxKind.ImportKeyword)
      add(node, node.arguments[0], false);
    if (ast.isImportTypeNode(node) && ast.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true);
  });
  return found;
}

function resolve(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const path = normalize(join(dirname(from), specifier));
  return path.replace(/\.js$/, ".ts").replace(/\.mjs$/, from.endsWith(".mts") ? ".mts" : ".mjs");
}
