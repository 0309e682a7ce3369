import { describe, expect, test } from "vitest";
import { allowed } from "./exceptions.js";
import { leftoverFindings } from "./leftovers.js";
import { listed, projectFiles, readProjectFile } from "./project.js";

/** Published data, kept as it came, and pictures, which are no text. */
const asPublished = /^(test\/vectors\/.*\.json|package-lock\.json|docs\/.*\.png)$/;

describe("the project", () => {
  test("nothing was left behind", () => {
    const findings = projectFiles()
      .filter((path) => !asPublished.test(path) && !allowed("leftovers", path))
      .flatMap((path) => leftoverFindings(path, readProjectFile(path)));
    expect(listed(findings)).toEqual([]);
  });

  test("no shell history, editor backups or build products", () => {
    const strays = projectFiles().filter((path) =>
      /(~|\.(orig|rej|swp|bak|log|node|o|pcap|tgz|cpuprofile|heapsnapshot))$/.test(path),
    );
    expect(strays).toEqual([]);
  });
});

describe("the rules see what they forbid", () => {
  const dot = ".";
  test.each([
    ["src/core/a.ts", `// ${"TO"}DO: later`],
    ["native/src/a.cc", `// ${"FIX"}ME`],
    ["README.md", `${"TO"}DO`],
    ["a.md", `${"<".repeat(7)} HEAD`],
    ["test/core/a.test.ts", `test${dot}skip("a", () => {});`],
    ["test/core/a.test.ts", `describe${dot}only("a", () => {});`],
    ["test/core/a.test.ts", `test${dot}todo("a");`],
    ["test/netns/a.test.ts", `test${dot}skipIf(notRoot)("a", () => {});`],
    ["test/netns/a.test.ts", `test${dot}runIf(isRoot)("a", () => {});`],
    ["src/cli/a.ts", `console${dot}log(1);`],
    ["native/aead.ts", `console${dot}error(1);`],
    ["src/core/a.ts", `  ${"debug"}ger;`],
    ["src/core/a.ts", `// @ts-${"ignore"}`],
    ["test/netns/a.ts", `const peer = "${"/ho"}me/somebody/wireguard-go";`],
    [".ci/run", `cd ${"/wo"}rk/longhaul`],
    [".npmrc", `url=https://${"regis"}try.example.org/`],
    ["a.json", `${'"reso'}lved": "https://example.org/a.tgz"`],
  ])("%s: %s", (path, text) => {
    expect(leftoverFindings(path, `fine\n${text}\nfine\n`).map((finding) => finding.line)).toEqual([2]);
  });

  test.each([
    ["src/core/a.ts", "const work = networks / homes; // see workers"],
    ["test/core/a.test.ts", "packets.splice(1); console.info(1);"],
    ["native/test/a.test.ts", `describe${dot}runIf(canUseDevices)("a", () => {});`],
    ["docs/a.md", "net/work/flow and a/home/b"],
  ])("%s may say: %s", (path, text) => {
    expect(leftoverFindings(path, text)).toEqual([]);
  });
});
