// What must not stay behind in the repository: notes to self, switched-off tests, debug output, paths and hosts of
// somebody's machine. Patterns are spelled so that this file does not match itself.

import type { Finding } from "./project.js";

interface Leftover {
  readonly what: string;
  readonly pattern: RegExp;
  /** Paths that it is looked for in. */
  readonly within: RegExp;
}

const anywhere = /./;
/** Gates that may switch tests off, because where CI is set they fail instead: native/test/namespaces.ts. */
const gates = "can(?:UseDevices|Ping)";
const code = /\.(ts|mts|mjs|js|cc|h)$/;

const leftovers: readonly Leftover[] = [
  { what: "note to self", pattern: /\b(TO[D]O|FIXM[E]|X[X]X|HAC[K])\b/, within: anywhere },
  { what: "merge conflict", pattern: /^(<{7}|>{7}|={7})( |$)/, within: anywhere },
  {
    what: "switched-off test",
    pattern: new RegExp(`\\.(skip|todo|fails|skipIf|runIf(?!\\(${gates}\\)))\\(|\\bx(it|test|describe)\\(`),
    within: code,
  },
  { what: "test that switches others off", pattern: /\.only\(|\bf(it|describe)\(/, within: code },
  { what: "debug output", pattern: /\bconsole\.\w+\(/, within: /^(src|native)\/(?!test\/|bench\/).*\.(ts|mjs|js)$/ },
  { what: "debugger statement", pattern: /^\s*debugge[r];/, within: code },
  { what: "unchecked types", pattern: /@ts-(ignor[e]|nochec[k])/, within: code },
  {
    what: "path of one machine",
    pattern: /(^|[\s"'`(=:])\/(work|home\/\w+|Users|root|mnt|tmp\/contract)(\/|\b)/,
    within: anywhere,
  },
  {
    what: "package registry",
    pattern: /\bregistry\.[a-z]\w*[.:]|\/(artifactory|verdaccio|nexus)\b|"resolve[d]":/,
    within: anywhere,
  },
];

/** @returns a finding for every line of the file that something was left on. */
export function leftoverFindings(path: string, text: string): Finding[] {
  const looked = leftovers.filter((leftover) => leftover.within.test(path));
  return text
    .split("\n")
    .flatMap((line, index) =>
      looked
        .filter((leftover) => leftover.pattern.test(line))
        .map((leftover) => ({ path, line: index + 1, message: `${leftover.what}: ${line.trim().slice(0, 80)}` })),
    );
}
