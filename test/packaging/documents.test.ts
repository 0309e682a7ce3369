import { expect, test } from "vitest";
import { optionsBySubcommand, readText, subcommands } from "./command-line.js";

/** Lines of the indented blocks of a document that call longhaul, and the words after it. */
function callsIn(path: string): { line: string; words: string[] }[] {
  const blocks = readText(path)
    .split("\n")
    .filter((line) => line.startsWith("    "));
  return blocks.flatMap((line) =>
    line
      .replace(/#.*/, "")
      .replace(/\b[A-Z_]+=\S+/g, "")
      .split(/\||&&|;/)
      .map((command) => /(?:^|[\s/])longhaul\s+(.*)$/.exec(command.replace(/\d?[<>].*/, ""))?.[1])
      .filter((rest) => rest !== undefined)
      .map((rest) => ({ line: line.trim(), words: rest.trim().split(/\s+/) })),
  );
}

const documents = ["README.md", "docs/longhaul.md", "docs/configuration.md", "docs/service.md", "docs/wg-quick.md"];

test.each(documents)("%s calls subcommands that exist, with options that they have", (path) => {
  const all = optionsBySubcommand();
  for (const { line, words } of callsIn(path)) {
    const [first = ""] = words;
    const isSubcommand = subcommands().includes(first);
    // Anything else is the name of an interface, or options before one; a word that none of our interfaces is called is a slip.
    if (!isSubcommand) expect(first, line).toMatch(/^(-.*|wg\d|hq|site)$/);
    const known = [...(all.get(isSubcommand ? first : "") as string[]), "help", "version"];
    for (const word of words.filter((text) => text.startsWith("--") && text !== "--"))
      expect(known, line).toContain(word.slice(2).split("=")[0]);
  }
});

test("README shows how to install, enable, reload and look", () => {
  const text = readText("README.md");
  for (const command of [
    "apt install ./longhaul_*_amd64.deb",
    "systemctl enable --now longhaul@hq",
    "systemctl reload longhaul@hq",
  ])
    expect(text).toContain(`    ${command}\n`);
});

test("longhaul(8) tells every subcommand and every option", () => {
  const text = readText("docs/longhaul.md");
  for (const name of subcommands()) expect(text, name).toMatch(new RegExp(`^- .*\`${name}( [A-Z]+)?\`.*:`, "m"));
  for (const option of new Set([...optionsBySubcommand().values()].flat()))
    expect(text, option).toMatch(new RegExp(`^- .*\`--${option}( [A-Z]+)?\``, "m"));
});

test("the launcher refuses the Node.js that package.json refuses", () => {
  const wanted = JSON.parse(readText("package.json")) as { engines: { node: string } };
  const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(wanted.engines.node) as RegExpExecArray;
  expect(readText("bin/longhaul")).toContain(`major < ${major} || (major === ${major} && minor < ${minor})`);
});
