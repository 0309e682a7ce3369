import { describe, expect, test } from "vitest";
import { allowed } from "./exceptions.js";
import { listed, parse, projectFiles, projectUnits, readProjectFile } from "./project.js";
import {
  cppFunctionSizeFindings,
  FILE_LINES_MAX,
  FUNCTION_LINES_MAX,
  fileSizeFindings,
  functionSizeFindings,
  withoutCommentsAndStrings,
} from "./sizes.js";

const sources = projectFiles().filter((path) => /\.(ts|mts|mjs|js|cc|h|sh)$/.test(path));
const cpp = sources.filter((path) => /\.(cc|h)$/.test(path));

describe("the project", () => {
  test("there are sources to look at", () => {
    expect(sources.some((path) => path.startsWith("src/core/"))).toBe(true);
    expect(cpp.some((path) => path.startsWith("native/src/"))).toBe(true);
  });

  test("no file over 400 lines", () => {
    const findings = sources.flatMap((path) => fileSizeFindings(path, readProjectFile(path)));
    expect(listed(findings.filter((finding) => !allowed("file-size", finding.path)))).toEqual([]);
  });

  test("no TypeScript function over 70 lines", () => {
    const findings = projectUnits().flatMap(functionSizeFindings);
    expect(listed(findings.filter((finding) => !allowed("function-size", finding.path)))).toEqual([]);
  });

  test("no C++ function over 70 lines", () => {
    const findings = cpp.flatMap((path) => cppFunctionSizeFindings(path, readProjectFile(path)));
    expect(listed(findings.filter((finding) => !allowed("function-size", finding.path)))).toEqual([]);
  });
});

describe("the rules see what they forbid", () => {
  const lines = (count: number): string => "  f(1);\n".repeat(count);

  test("a file of 401 lines", () => {
    expect(fileSizeFindings("a.ts", "x\n".repeat(FILE_LINES_MAX))).toEqual([]);
    expect(fileSizeFindings("a.ts", "x\n".repeat(FILE_LINES_MAX + 1))).toHaveLength(1);
  });

  test.each([
    ["function f() {", "}"],
    ["const f = () => {", "};"],
    ["class A {  m() {", "} }"],
    ["class A { constructor() {", "} }"],
    ["class A { get m() {", "} }"],
    ["const a = { m() {", "} };"],
  ])("TypeScript: %s", (head, tail) => {
    const sized = (bodyLines: number): string[] =>
      listed(parse({ "a.ts": `${head}\n${lines(bodyLines)}${tail}\n` }).flatMap(functionSizeFindings));
    expect(sized(FUNCTION_LINES_MAX - 2)).toEqual([]);
    expect(sized(FUNCTION_LINES_MAX - 1)).toEqual(["a.ts:1: function of 71 lines, at most 70"]);
  });

  test("a suite is no function, its tests are", () => {
    const suite = `describe("a", () => {\n${lines(100)}});\n`;
    const each = `describe.each([1])("a", () => {\n${lines(100)}});\n`;
    const one = `test("a", () => {\n${lines(100)}});\n`;
    expect(parse({ "a.ts": suite, "b.ts": each, "c.ts": one }).flatMap(functionSizeFindings)).toHaveLength(1);
  });

  test.each([
    ["int F(int a) {", "}"],
    ["namespace n {\nint F(int a) {", "}\n}"],
    ["class A {\n void F() const {", "}\n};"],
    ["A::A(int b) : b_(b) {", "}"],
    ["A::A(int b) : b_{b}, c_{1} {", "}"],
    ["#define G(a) \\\n  { a\nint F() {", "}"],
    ["static_assert(true);\nauto F() -> int {", "}"],
    ['extern "C" {\nvoid F(void (*g)(int), int h) {', "}\n}"],
    ["template <typename T>\nint F(T a) noexcept {", "}"],
  ])("C++: %s", (head, tail) => {
    const found = (count: number): number =>
      cppFunctionSizeFindings("a.cc", `${head}\n${lines(count)}${tail}\nint after;\n`).length;
    expect(found(60)).toBe(0);
    expect(found(70)).toBe(1);
  });

  test("C++: what is long but no function", () => {
    const long = (head: string): string => `${head} {\n${"  int x;\n".repeat(100)}};\n`;
    for (const head of [
      "namespace n",
      "struct A",
      "class B : public A",
      "enum E : int",
      "struct alignas(64) C",
      "const int table[] =",
    ]) {
      expect(cppFunctionSizeFindings("a.cc", long(head)), head).toEqual([]);
    }
  });

  test("braces in comments and strings do not count", () => {
    const text = 'int a = \'{\'; // {\n/* { */ const char* b = "\\"{"; auto c = R"x({"{)x"; int d = 1\'000;\n';
    const code = withoutCommentsAndStrings(text);
    expect(code).not.toContain("{");
    expect(code).toHaveLength(text.length);
    expect(code).toContain("int d = 1'000;");
  });
});
