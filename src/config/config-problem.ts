// What is wrong with a configuration file, with its place, and the one error that carries all of it. No message shows a key.

/** One thing that is wrong, or worth a warning. */
export interface ConfigProblem {
  /** From 1; 0: of the file as a whole. */
  readonly line: number;
  /** Of the offending text, in characters from 1. */
  readonly column: number;
  /** What is wrong and what to write instead; one line of printable text. */
  readonly message: string;
}

/** A file with mistakes. Its message lists all of them, one a line, in the order of the file. */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError";
  readonly code = "ERR_CONFIG_FILE";
  /** As it was given, for messages. */
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => formatProblem(file, problem)).join("\n"));
    this.file = file;
    this.problems = problems;
  }
}

/** `hq.conf:12:9: …`, the form that editors jump to. Throws nothing. */
export function formatProblem(file: string, { line, column, message }: ConfigProblem): string {
  return line === 0 ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`;
}

/** A warning in the same form, marked as one. Throws nothing. */
export function formatWarning(file: string, problem: ConfigProblem): string {
  return formatProblem(file, { ...problem, message: `warning: ${problem.message}` });
}

/** In place. @returns the problems in the order of the file. */
export function inFileOrder(problems: ConfigProblem[]): ConfigProblem[] {
  return problems.sort((a, b) => a.line - b.line || a.column - b.column);
}
