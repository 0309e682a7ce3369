import { describe, expect, test } from "vitest";
import {
  conformanceFindings,
  cppSymbolsOf,
  linkFindings,
  linksOf,
  type Sources,
  scriptFindings,
  symbolsOf,
  testTitlesOf,
} from "./links.js";
import { listed, parse, projectFiles, projectUnits, readProjectFile, readProjectJson } from "./project.js";
import { withoutCommentsAndStrings } from "./sizes.js";

describe("the project", () => {
  const files = projectFiles();
  const documents = new Map(files.filter((path) => path.endsWith(".md")).map((path) => [path, readProjectFile(path)]));

  test("the documents that people look for exist", () => {
    expect([...documents.keys()]).toEqual(
      expect.arrayContaining(["README.md", "ARCHITECTURE.md", "docs/conformance.md", "docs/metrics.md"]),
    );
  });

  test("every relative link of every document leads to a file or heading", () => {
    expect(listed(linkFindings(documents, files))).toEqual([]);
  });

  test("every npm script that a document names exists", () => {
    const scripts = new Set(Object.keys(readProjectJson("package.json")["scripts"] as object));
    const findings = [...documents].flatMap(([path, text]) => scriptFindings(path, text, scripts));
    expect(listed(findings)).toEqual([]);
  });

  test("docs/conformance.md names symbols and tests that exist", () => {
    const text = documents.get("docs/conformance.md") ?? "";
    expect(linksOf("docs/conformance.md", text).length).toBeGreaterThan(40);
    expect(listed(conformanceFindings("docs/conformance.md", text, projectSources(files)))).toEqual([]);
  });
});

function projectSources(files: readonly string[]): Sources {
  const units = projectUnits();
  const cpp = files.filter((path) => /\.(cc|h)$/.test(path));
  return {
    symbols: new Map([
      ...units.map((unit) => [unit.path, symbolsOf(unit)] as const),
      ...cpp.map((path) => [path, cppSymbolsOf(withoutCommentsAndStrings(readProjectFile(path)))] as const),
    ]),
    titles: new Map(units.map((unit) => [unit.path, testTitlesOf(unit)])),
  };
}

describe("the rules see what they forbid", () => {
  const findingsOf = (text: string): string[] =>
    listed(linkFindings(new Map([["docs/a.md", text]]), ["docs/a.md", "src/core/x.ts"]));

  test("links to what does not exist", () => {
    expect(findingsOf("[x](../src/core/y.ts)")).toEqual(["docs/a.md:1: src/core/y.ts does not exist"]);
    expect(findingsOf("# A b\n[x](#a-c)")).toEqual(["docs/a.md:2: docs/a.md has no heading #a-c"]);
  });

  test("links to files, folders, headings and other sites pass; code fences are not read", () => {
    const text =
      "# Über: `a` & b\n[`x`](../src/core/x.ts) [d](../src/core/) [r](../) [h](#über-a--b) [s](https://example.org)";
    expect(findingsOf(`${text}\n\`\`\`\n[x](nowhere)\n\`\`\`\n`)).toEqual([]);
  });

  test("npm scripts, in code too", () => {
    const text = "`npm test`\n```\nnpm ci && npm run demo\nnpm run nothing:here\n```\n";
    expect(listed(scriptFindings("a.md", text, new Set(["test", "demo"])))).toEqual([
      "a.md:4: package.json has no script nothing:here",
    ]);
  });

  test("conformance rows", () => {
    const sources = {
      symbols: new Map([["src/a.ts", new Set(["f", "A.m"])]]),
      titles: new Map([["test/a.test.ts", new Set(["a | b"])]]),
    };
    const row = (code: string, title: string): string[] => {
      const text = `| Rule | Code | Test |\n|---|---|---|\n| r | ${code} | ${title} |\n`;
      return conformanceFindings("docs/c.md", text, sources).map((finding) => `${finding.line}: ${finding.message}`);
    };
    const code = "[`A.m`](../src/a.ts), [`f`](../src/a.ts)";
    const title = "[a \\| b](../test/a.test.ts)";
    expect(row(code, title)).toEqual([]);
    expect(row("[`g`](../src/a.ts)", title)).toEqual(['3: src/a.ts has no symbol "g"']);
    expect(row("[`f`](../src/b.ts)", title)).toEqual(['3: src/b.ts has no symbol "f"']);
    expect(row(code, "[a](../test/a.test.ts)")).toEqual(['3: test/a.test.ts has no test "a"']);
    expect(row("", "a")).toEqual(["3: no link under Code", "3: no link under Test"]);
    expect(row("a | b", title)).toEqual(["3: 4 cells under 3 columns"]);
  });

  test("symbols of TypeScript and C++", () => {
    const text =
      "export class A {\n  #p = 1;\n  static s = 1;\n  m(): void {\n    const local = 1;\n  }\n}\n" +
      "export const T = { Row: 1 } as const;\nexport function f(): void {}\nexport interface I { field: number }\n";
    const symbols = parse({ "a.ts": text }).flatMap((unit) => [...symbolsOf(unit)]);
    expect(symbols).toEqual(["A", "A.#p", "A.s", "A.m", "T", "T.Row", "f", "I", "I.field"]);
    expect([...cppSymbolsOf("struct S {}; int F(int a); constexpr int kC = 1;")]).toEqual(["S", "F", "kC"]);
  });

  test("test titles, not suites", () => {
    const text =
      'describe("s", () => {\n  test("a", () => {});\n  test.each([1])("b %s", () => {});\n  it(`c`, () => {});\n});\n' +
      'test.each([["x", 1], ["y", 2]])("d %s", () => {});\ntest.each(["z"])("%s", () => {});\n';
    expect(parse({ "a.test.ts": text }).flatMap((unit) => [...testTitlesOf(unit)])).toEqual([
      "a",
      "b %s",
      "c",
      "d %s",
      "d x",
      "d y",
      "%s",
      "z",
    ]);
  });
});
