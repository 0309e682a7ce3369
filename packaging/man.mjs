// Manual pages from the project's documents, by lowdown(1). What a page cannot have (headings of the document's title, links to other
// documents) is taken out of the Markdown first.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("..", import.meta.url));

/** Each page, its document, and the sentence that apropos(1) finds. */
export const pages = [
  { page: "longhaul.8", source: "docs/longhaul.md", about: "userspace WireGuard daemon and its command line" },
  { page: "longhaul.conf.5", source: "docs/configuration.md", about: "configuration of a longhaul gateway" },
];

/** @returns the Markdown of a page: NAME first, sections as the first level, and no links that lead nowhere. */
export function pageMarkdown(name, about, text) {
  const body = text
    .replace(/^# .*\n/, "")
    .replace(/^##(#*) (.*)$/gm, (_, deeper, title) => `#${deeper} ${deeper === "" ? upper(title) : title}`)
    .replace(/\[([^\]]+)\]\((?![a-z]+:)[^)]*\)/g, "$1")
    .replace(/(?:^\|.*\|\n)+/gm, listOfTable);
  return `# NAME\n\n${name} - ${about}\n\n${/^\s*#/.test(body) ? "" : "# DESCRIPTION\n"}${body}`;
}

/** The section of a file, such as [Peer], is written as it is. */
function upper(title) {
  return title.startsWith("[") ? title : title.toUpperCase();
}

/** A table as a list, since a terminal's 80 columns are too few for prose in cells: the last cell tells, those between qualify. */
function listOfTable(table) {
  const [headings, , ...rows] = table
    .trimEnd()
    .split("\n")
    .map((row) =>
      row
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll("\\|", "|")),
    );
  return rows
    .map((cells) => {
      const between = cells.slice(1, -1).map((cell, i) => `${headings[i + 1].toLowerCase()}: ${cell}`);
      return `- ${cells[0]}${between.length > 0 ? ` (${between.join("; ")})` : ""}: ${cells.at(-1)}\n`;
    })
    .join("");
}

/** Errors: Error saying what to install. */
export function convert({ page, about }, text, { version, date }) {
  const [, name, section] = /^(.*)\.(\d)$/.exec(page);
  const metadata = [`title=${name.toUpperCase()}`, `section=${section}`, `date=${date}`, `source=longhaul ${version}`];
  let roff;
  try {
    roff = execFileSync("lowdown", ["-s", "-Tman", "--out-no-smarty", ...metadata.flatMap((value) => ["-m", value])], {
      input: pageMarkdown(name, about, text),
      encoding: "utf8",
    });
  } catch (error) {
    throw error.code === "ENOENT"
      ? new Error("lowdown not found: it makes the manual pages (apt install lowdown)")
      : error;
  }
  // Code is bold, as in other pages: a constant-width font is not known to every reader. And no space between heading and text.
  return roff.replace(/\\fC/g, "\\fB").replace(/^(\.S[HS]\n.*\n)\.LP\n/gm, "$1");
}

/** Writes every page to man8/ and man5/ below a directory. */
export function writePages(directory, facts) {
  for (const page of pages) {
    const to = join(directory, `man${page.page.at(-1)}`, basename(page.page));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, convert(page, readFileSync(join(project, page.source), "utf8"), facts));
  }
}
