import { describe, expect, test } from "vitest";
import { allowed } from "./exceptions.js";
import { hotPathFindings, isHot } from "./hot-path.js";
import { listed, parse, projectUnits } from "./project.js";

describe("the project", () => {
  const hot = projectUnits().filter((unit) => isHot(unit.text));

  test("the files that every packet goes through call themselves hot", () => {
    const paths = hot.map((unit) => unit.path);
    for (const path of ["src/core/transport/replay-window.ts", "src/core/device/ledger.ts"]) {
      expect(paths).toContain(path);
    }
  });

  test("hot files neither allocate nor throw", () => {
    const findings = hot.filter((unit) => !allowed("hot-path", unit.path)).flatMap(hotPathFindings);
    expect(listed(findings)).toEqual([]);
  });
});

describe("the rule sees what it forbids", () => {
  const found = (body: string): string[] => {
    const text = `// HOT PATH: a sample\nexport class A {\n  m(a: any, b: any): any {\n    ${body}\n  }\n}\n`;
    return parse({ "a.ts": text })
      .flatMap(hotPathFindings)
      .map((finding) => `${finding.line} ${finding.message}`);
  };

  test.each([
    ["return new Uint8Array(a);", "new"],
    ["return { a };", "object literal"],
    ["return [];", "array literal"],
    ["const [c] = a; return c;", "array literal"],
    ["a.call2(...b);", "spread"],
    [`return \`$\{a}\`;`, "template with values"],
    ["return /x/;", "regular expression"],
    ["return 1n;", "BigInt"],
    ["return BigInt(a);", "BigInt()"],
    ["throw a;", "throw"],
    ["for (const c of a) b(c);", "for-of or for-in"],
    ["for (const c in a) b(c);", "for-of or for-in"],
    ["a(() => b);", "closure"],
    ["a(function () { return b; });", "closure"],
    ["function c(): void {} c();", "closure"],
    ["return a.subarray(1);", ".subarray()"],
    ["return a.slice(1);", ".slice()"],
    ["return Buffer.from(a);", ".from()"],
    ["return Object.keys(a);", ".keys()"],
    ["return b.bind(a);", ".bind()"],
  ])("%s", (body, message) => {
    expect(found(body)).toContain(`4 ${message}`);
  });

  test("plain arithmetic on typed arrays passes", () => {
    expect(
      found("for (let i = 0; i < a.length; i++) { a[i] = (b[i] ?? 0) >>> 0; } a.set(b); return a.length;"),
    ).toEqual([]);
    expect(found('return a === "plain" ? `plain` : undefined;')).toEqual([]);
  });

  test("a cold line is excused, with a reason only", () => {
    expect(found("return new A(); // cold: at start-up")).toEqual([]);
    expect(found("// cold: at start-up\n    return new A();")).toEqual([]);
    expect(found("return new A(); // cold:")).toEqual(["4 new"]);
  });

  test("a cold function is excused, on its first line or above it", () => {
    const at = (text: string): string[] => listed(parse({ "a.ts": text }).flatMap(hotPathFindings));
    expect(at("function f(): any { // cold: start-up\n  return [];\n}\n")).toEqual([]);
    expect(at("// cold: start-up\nfunction f(): any {\n  return [];\n}\n")).toEqual([]);
    expect(at("/** Doc. */\n// cold: start-up\nexport function f(): any {\n  return [];\n}\n")).toEqual([]);
    expect(at("function f(): any {\n  return [];\n}\n")).toHaveLength(1);
  });

  test("constructors, fields and module code are cold; functions in fields are not", () => {
    const at = (text: string): string[] => listed(parse({ "a.ts": text }).flatMap(hotPathFindings));
    expect(
      at("const a = [1];\nclass B {\n  c = new Map();\n  constructor() {\n    this.c = new Map();\n  }\n}\n"),
    ).toEqual([]);
    expect(at("const a = () => new Map();\n")).toHaveLength(1);
    expect(at("class B {\n  c = () => new Map();\n}\n")).toHaveLength(1);
  });

  test("only files that say so are hot", () => {
    expect(isHot("// HOT PATH: every packet\n")).toBe(true);
    expect(isHot("// Not the HOT PATH\n")).toBe(false);
  });
});
