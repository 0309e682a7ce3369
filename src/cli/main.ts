// The command line. Every subcommand is loaded when it is called, so that the small ones start fast.

import { editDistance } from "../config/suggest.js";
import { helpText, versionText } from "./help.js";
import { printData, printTalk, UsageError } from "./output.js";

type Subcommand = (args: string[]) => number | Promise<number>;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_NOT_RUNNING = 4;

/** What the first word may be; anything else is an interface name. */
const subcommands: Readonly<Record<string, () => Promise<Subcommand>>> = {
  up: async () => (await import("./up.js")).up,
  down: async () => (await import("./down.js")).down,
  reload: async () => (await import("./reload.js")).reload,
  run: async () => (await import("./run.js")).run,
  save: async () => (await import("./save.js")).save,
  strip: async () => (await import("./strip.js")).strip,
  bench: async () => (await import("./bench.js")).bench,
  show: async () => (await import("./show.js")).show,
  why: async () => (await import("./why.js")).why,
  genkey: async () => (await import("./genkey.js")).genkey,
  genpsk: async () => (await import("./genpsk.js")).genpsk,
  pubkey: async () => (await import("./pubkey.js")).pubkey,
};

/**
 * Runs one command line.
 * @param args  without Node and script
 * @returns the exit status: 0 ok, 1 failed, 2 usage, 3 something is amiss, 4 no daemon runs. Rejects never; what went wrong is on stderr.
 */
export async function main(args: string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    printTalk(error instanceof Error ? error.message : String(error));
    return exitStatusOf(error);
  }
}

/** By code, so that nothing of the daemon is loaded for it. */
function exitStatusOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_USAGE;
  return (error as { code?: unknown } | undefined)?.code === "ERR_NOT_RUNNING" ? EXIT_NOT_RUNNING : EXIT_FAILED;
}

async function dispatch(args: string[]): Promise<number> {
  const [word] = args;
  if (word === undefined) {
    throw new UsageError("an interface name or a subcommand is missing; see longhaul --help");
  }
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  if (options.includes("--help") || options.includes("-h")) {
    printData(helpText);
    return 0;
  }
  if (options.includes("--version")) {
    printData(versionText());
    return 0;
  }
  if (word === "help" || word === "version") {
    printData(word === "help" ? helpText : versionText());
    return 0;
  }
  if (Object.hasOwn(subcommands, word)) {
    const subcommand = await subcommands[word]();
    return subcommand(args.slice(1));
  }
  const takesMore = args.length > 1 && !args[1].startsWith("-");
  const meant = findSimilar(word, takesMore);
  if (meant !== undefined) {
    throw new UsageError(`did you mean "${meant}"? To start an interface of that name: longhaul -- ${word}`);
  }
  const { runInterface } = await import("./interface.js");
  return runInterface(args);
}

/** What other tools call what we have. */
const elsewhere: Readonly<Record<string, string>> = {
  start: "up",
  stop: "down",
  restart: "reload",
  syncconf: "reload",
};

/** Letters that a slip of the hand changes, by how long the right word is; the short ones look like any interface. */
function slipsIn(name: string): number {
  return name.length > 3 ? Math.floor(name.length / 3) : 0;
}

/**
 * @param takesMore  more words follow, so that it is no interface name
 * @returns the subcommand that `word` looks like
 */
function findSimilar(word: string, takesMore: boolean): string | undefined {
  const typed = word.toLowerCase();
  if (takesMore && Object.hasOwn(elsewhere, typed)) return elsewhere[typed];
  const nearest = Object.keys(subcommands)
    .map((name) => ({ name, slips: editDistance(name, typed) }))
    .sort((a, b) => a.slips - b.slips)
    .find(({ name, slips }) => slips <= slipsIn(name) + (takesMore ? 1 : 0));
  return nearest?.name;
}
