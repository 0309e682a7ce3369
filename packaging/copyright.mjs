// The copyright file of the Debian package: our licence and that of every module inside, from their own files.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FORMAT = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/";

/**
 * @param project  where our own licence is
 * @param program  the program as it is laid out
 * @param modules  paths of modules in it
 * @returns text in Debian's machine-readable format. Errors: Error for a module without a licence file.
 */
export function copyrightText(project, program, modules) {
  const parts = [
    stanza("*", licenceOf(project), "MIT"),
    ...modules.map((module) => {
      const { license } = JSON.parse(readFileSync(join(program, module, "package.json"), "utf8"));
      return stanza(`usr/lib/longhaul/${module}/*`, licenceOf(join(program, module)), license);
    }),
  ];
  return `Format: ${FORMAT}\nUpstream-Name: longhaul\n\n${parts.join("\n")}`;
}

function licenceOf(directory) {
  const name = readdirSync(directory).find((file) => /^licen[cs]e/i.test(file));
  if (name === undefined) throw new Error(`${directory} has no licence file`);
  return readFileSync(join(directory, name), "utf8");
}

function stanza(files, licence, name) {
  const holders = licence.match(/^.*copyright (\(c\)|©|\d{4}).*$/gim) ?? [];
  // Debian has this text once for everybody, and wants it named, not repeated.
  const text =
    name === "Apache-2.0" ? "On Debian systems the text is in /usr/share/common-licenses/Apache-2.0." : licence;
  const said = holders.length > 0 && name !== "Apache-2.0" ? holders.map((line) => line.trim()) : ["its authors"];
  return `Files: ${files}\nCopyright: ${said.join("\n           ")}\nLicense: ${name}\n${indented(text)}\n`;
}

function indented(text) {
  return text
    .trim()
    .split("\n")
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`))
    .join("\n");
}
